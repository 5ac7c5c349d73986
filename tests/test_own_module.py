"""A Flax module of the user's own in place of the stack, and a loss of the user's own."""

from dataclasses import replace
from pathlib import Path

import a_users_own
import jax
import jax.numpy as jnp
import numpy as np
import own_functions
import pytest
from flax import linen
from small_data import lean_compilation

from jaxdeep import Config, Data, Dataset, Model, Optim, Run, Train, fit, lint, load, run_study
from jaxdeep.compress import fold_batch_norm, prune, quantize
from jaxdeep.config import Regularize
from jaxdeep.errors import UserError
from jaxdeep.nn.own_module import NAME
from jaxdeep.study.runner import fit_all
from jaxdeep.study.trial import Trial
from jaxdeep.train.exported import load_exported
from jaxdeep.train.forward import model_of

CONFIG = Config(Data(valid_size=60), Model(module=a_users_own.residual), Optim(learning_rate=1e-2), Train(epochs=8))


@pytest.fixture(scope="module", autouse=True)
def lean():
    with lean_compilation():
        yield


def rows_of(count: int = 300) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).normal(size=(count, 5)).astype(np.float32)
    return x, (np.abs(x[:, 0]) > 0.7).astype(int)


@pytest.fixture(scope="module")
def data() -> Dataset:
    return Dataset.from_arrays(*rows_of(), data=CONFIG.data)


@pytest.fixture(scope="module")
def run(data) -> Run:
    return fit(CONFIG, data, seed=0)


def test_its_gradients_dropout_and_moving_statistics_are_flax_s(data) -> None:
    model = model_of(CONFIG, data)
    params, stats = model.init(jax.random.key(0))
    module = a_users_own.residual(2)
    x = jnp.asarray(rows_of(32)[0])
    own = {"params": jax.tree.map(lambda leaf: leaf[0], params[NAME])}
    own["batch_stats"] = jax.tree.map(lambda leaf: leaf[0], stats[NAME])
    key = jax.random.key(1)
    expected, updated = module.apply(own, x, train=True, rngs={"dropout": key}, mutable=["batch_stats"])
    found, new_stats = model.apply(params, stats, x, key=key, update_stats=True)
    np.testing.assert_array_equal(found, expected)
    jax.tree.map(
        np.testing.assert_array_equal, new_stats[NAME], jax.tree.map(lambda of: of[None], updated["batch_stats"])
    )
    plain, same = model.apply(params, stats, x)
    np.testing.assert_array_equal(plain, module.apply(own, x))
    assert same is stats
    with pytest.raises(ValueError, match="Run it as a whole"):
        model.apply(params, stats, x, stop=0)


def test_it_learns_and_is_saved_exported_and_loaded(run, data, tmp_path) -> None:
    x, _ = rows_of()
    assert run.test_accuracy > 0.8
    assert any(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(run.batch_stats))
    run.save(tmp_path / "own.npz")
    np.testing.assert_array_equal(
        load(tmp_path / "own.npz", config=CONFIG).predict(x, check=False), run.predict(x, check=False)
    )
    with pytest.raises(UserError, match=r"model.module 'a_users_own.residual'. Give load the configuration"):
        load(tmp_path / "own.npz")
    run.export(tmp_path / "served")
    np.testing.assert_allclose(
        load_exported(tmp_path / "served").probabilities(x, check=False), run.predict(x, check=False), atol=1e-6
    )
    with pytest.raises(UserError, match="which ONNX cannot express"):
        run.export(tmp_path / "served", onnx=True)


def test_a_study_of_it_is_one_program_whose_trials_are_single_runs(run, data) -> None:
    trials = [Trial(CONFIG.updated({"optim.learning_rate": rate}), 0) for rate in (1e-3, 1e-2)]
    slow, fast = fit_all(trials, data, verbose=False)
    assert fast.test_loss == pytest.approx(run.test_loss, rel=1e-3)
    assert slow.test_loss != fast.test_loss
    study = run_study(CONFIG, data, grid={"model.head": ["softmax", "sigmoid"]}, seeds=2, verbose=False)
    assert all(trial.test_accuracy > 0.7 for trial in study.trials)


def test_it_continues_bit_for_bit(run, data, tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(history) -> None:
        if len(history) == 3:
            raise Stop

    with pytest.raises(Stop):
        fit(CONFIG, data, seed=0, checkpoints=tmp_path, on_epoch=stop)
    again = fit(CONFIG, data, seed=0, checkpoints=tmp_path)
    jax.tree.map(np.testing.assert_array_equal, again.params, run.params)
    other = CONFIG.updated({"model.module": a_users_own.narrow_residual})
    assert other.static() != CONFIG.static()


def test_what_needs_the_stack_is_refused(run, data) -> None:
    for changes, name in (
        ({"regularize.l2": 1e-3}, "regularize"),
        ({"regularize.sparsity": 0.5, "regularize.prune_end_epoch": 3, "train.keep": "last"}, "regularize"),
        ({"transfer.frozen": (0,)}, "transfer"),
        ({"train.diagnostics": True}, "train.diagnostics"),
        ({"train.kernels": "fused"}, "train.kernels"),
        ({"model.units": (8,)}, "model.units"),
        ({"model.batch_norm": True}, "model.batch_norm"),
    ):
        with pytest.raises(UserError, match=f"{name} .*model.module is a network of your own"):
            CONFIG.updated(changes)
    for call in (lambda: prune(run, 0.5), lambda: quantize(run, "int8"), lambda: fold_batch_norm(run), run.calibrated):
        with pytest.raises(UserError, match="needs the layers of the stack"):
            call()
    assert CONFIG.updated({"regularize.label_smoothing": 0.1}).regularize != Regularize()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            own_functions.a_module_of_one_output,
            r"returns float32\[32, 1\] for float32\[32, 5\]. Allowed: .*, 2",
        ),
        (own_functions.no_module, "returns a int. Allowed: a function from the number of outputs"),
        (own_functions.a_module_with_a_cache, "variables of the collection 'cache'"),
        (own_functions.a_module_by_numpy, "which JAX cannot trace"),
    ],
)
def test_what_is_no_network_is_refused_before_compilation(make, message, data) -> None:
    with pytest.raises(UserError, match=message):
        fit(CONFIG.updated({"model.module": make}), data, seed=0)


def test_classes_and_lambdas_are_refused_by_name() -> None:
    for wrong in (a_users_own.Residual, lambda outputs: linen.Dense(outputs)):
        with pytest.raises(UserError, match=r"model.module is .*, which cannot be recorded"):
            Model(module=wrong)


def test_a_loss_of_ones_own_is_minimised_and_named(data) -> None:
    plain = Config(Data(valid_size=60), Model((16,)), Optim(learning_rate=1e-2), Train(epochs=4))
    config = plain.updated({"train.loss": a_users_own.focal})
    found = fit(config, data, seed=0)
    outputs, labels = found.logits(rows_of()[0][:60], check=False), rows_of()[1][:60]
    expected = np.mean(a_users_own.focal(jnp.asarray(outputs), jnp.asarray(labels)))
    assert found.val_loss == pytest.approx(float(expected), rel=1e-5)
    assert config.to_dict()["train"]["loss"] == "a_users_own.focal"
    with pytest.raises(UserError, match="smooths the cross-entropy of classes"):
        config.updated({"regularize.label_smoothing": 0.1})


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (own_functions.a_mean_loss, r"returns float32\[\] for outputs float32\[32, 2\]. Allowed: float32\[32\]"),
        (own_functions.a_loss_by_numpy, "which JAX cannot trace"),
    ],
)
def test_what_is_no_loss_is_refused_before_compilation(loss, message, data) -> None:
    with pytest.raises(UserError, match=message):
        fit(Config(Data(valid_size=60), train=Train(epochs=1, loss=loss)), data, seed=0)


def test_lint_says_nothing_of_the_stack_that_it_replaces(data) -> None:
    assert not lint(CONFIG.updated({"data.scaling": "none"}), replace(data, info=None))
