"""Pruning by magnitude against NumPy, the schedule of gradual pruning, and zeros that stay while training."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from keras_oracle import per_layer
from small_data import lean_compilation, small_dataset
from small_runs import TRAINED, trained_run

from jaxdeep.compress import csr_bytes, finetune, npz_bytes, prune, sparsity_of, weight_bytes, zero_below
from jaxdeep.config import Config, Regularize, Train
from jaxdeep.errors import UserError
from jaxdeep.optim.sparsity import sparsity_after
from jaxdeep.study.batched import fit_batched
from jaxdeep.study.trial import Trial
from jaxdeep.train.fit import Run, fit


@pytest.fixture(scope="module", autouse=True)
def lean():
    with lean_compilation():
        yield


def kernels(run: Run) -> dict[str, np.ndarray]:
    return {name: of for name, of in per_layer(run.params).items() if name.endswith("kernel")}


def figures(run: Run) -> tuple[float, ...]:
    return run.val_loss, run.val_accuracy, run.test_loss, run.test_accuracy


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("scope", ["global", "layer"])
def test_the_smallest_entries_become_zero_and_the_others_stay(scope, sparsity):
    run = trained_run()
    found, dense = kernels(prune(run, sparsity, scope)), kernels(run)
    groups = [list(dense)] if scope == "global" else [[name] for name in dense]
    for names in groups:
        before, after = (np.concatenate([of[name].ravel() for name in names]) for of in (dense, found))
        count = round(sparsity * before.size)
        assert (after == 0).sum() == count
        np.testing.assert_array_equal(after[after != 0], before[after != 0])
        assert np.abs(before[after == 0]).max(initial=0) <= np.abs(after[after != 0]).min()
    others = {name: of for name, of in per_layer(run.params).items() if not name.endswith("kernel")}
    assert all(np.array_equal(of, per_layer(prune(run, sparsity, scope).params)[name]) for name, of in others.items())


def test_a_pruned_run_has_its_own_figures_and_leaves_the_given_one_as_it_is():
    run = trained_run()
    before = jax.tree.map(np.array, run.params)
    same, sparse = prune(run, 0.0), prune(run, 0.8)
    np.testing.assert_allclose(figures(same), figures(run), rtol=1e-6)
    assert sparse.val_loss > run.val_loss
    correct = sparse.predict(np.asarray(run.data.test.images)).argmax(1) == np.asarray(run.data.test.labels)
    np.testing.assert_array_equal(sparse.test_correct, correct)
    assert sparse.test_accuracy == pytest.approx(correct.mean())
    assert all(map(np.array_equal, jax.tree.leaves(before), jax.tree.leaves(run.params)))
    assert (sparsity_of(run), sparsity_of(sparse)) == (0.0, pytest.approx(0.8, abs=1e-3))


def test_entries_below_a_magnitude_become_zero():
    run = trained_run()
    found = zero_below(run, 0.2)
    for name, dense in kernels(run).items():
        np.testing.assert_array_equal(kernels(found)[name], np.where(np.abs(dense) < 0.2, 0, dense))
    assert sparsity_of(found) == pytest.approx(sparsity_of(run, below=0.2))
    assert 0.2 < sparsity_of(found) < 0.9


def test_equal_entries_are_pruned_to_the_share_too():
    run = trained_run()
    flat = replace(run, params=jax.tree.map(jnp.ones_like, run.params))
    assert sparsity_of(prune(flat, 0.5)) == 0.5


def test_the_schedule_is_that_of_zhu_and_gupta():
    regularize = Regularize(sparsity=0.9, prune_begin_epoch=2, prune_end_epoch=10)
    for epoch in range(14):
        t = min(max(epoch, 2), 10)
        expected = 0.9 + (0 - 0.9) * (1 - (t - 2) / 8) ** 3  # equation 1
        assert float(sparsity_after(regularize, epoch)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("optimizer", ["nadam", "momentum"])
def test_zeros_stay_while_fine_tuning_and_all_else_moves(optimizer):
    sparse = prune(trained_run(), 0.7)
    changes = {"train.epochs": 2, "optim.optimizer": optimizer, "optim.learning_rate": 3e-3}
    free = finetune(sparse, changes)
    kept = finetune(sparse, {**changes, "regularize.keep_zeros": True})
    assert sparsity_of(free) < 0.01
    for name, before in kernels(sparse).items():
        after = kernels(kept)[name]
        np.testing.assert_array_equal(after[before == 0], 0)
        assert (after[before != 0] != before[before != 0]).mean() > 0.9  # a unit without a way to the logits stays
    assert kept.history[-1].train_loss < sparse.history[0].train_loss
    assert len(kept.history) == 2
    assert kept.val_loss < sparse.val_loss


def test_fine_tuning_begins_at_the_given_weights():
    """A rate that moves no weight gives the weights back, and they are still there for another call."""
    run = trained_run()
    before = jax.tree.map(np.array, run.params)
    tuned = finetune(run, {"train.epochs": 1, "optim.optimizer": "sgd", "optim.learning_rate": 1e-30})
    assert all(map(np.array_equal, jax.tree.leaves(tuned.params), jax.tree.leaves(before)))
    np.testing.assert_allclose(figures(tuned), figures(run), rtol=1e-6)
    assert all(map(np.array_equal, jax.tree.leaves(run.params), jax.tree.leaves(before)))


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_gradual_pruning_reaches_its_sparsity_by_its_schedule(scope):
    pruning = {"sparsity": 0.8, "prune_begin_epoch": 1, "prune_end_epoch": 3, "prune_scope": scope}
    config = TRAINED.updated({f"regularize.{name}": value for name, value in pruning.items()})
    data = small_dataset(config)
    for epochs, expected in ((1, 0.0), (2, 0.8 * (1 - 0.5**3)), (3, 0.8), (4, 0.8)):
        run = fit(config, data, seed=0, until=epochs)
        assert sparsity_of(run) == pytest.approx(expected, abs=2e-3)
        if scope == "layer":
            assert all((of == 0).mean() == pytest.approx(expected, abs=0.011) for of in kernels(run).values())
    last = run.history[-1]
    assert (run.val_loss, run.val_accuracy) == (last.val_loss, last.val_accuracy)
    np.testing.assert_allclose(figures(prune(run, 0.0)), figures(run), rtol=1e-6)


def test_runs_that_are_trained_side_by_side_are_pruned_like_a_run_alone():
    pruning = {"regularize.sparsity": 0.8, "regularize.prune_end_epoch": 2, "train.epochs": 2}
    config = TRAINED.updated(pruning)
    data = small_dataset(config)
    runs = fit_batched([Trial(config, seed) for seed in (0, 1)], [data, data], [None, None])
    for run in runs:
        alone = fit(config, data, seed=run.seed)
        for name, kernel in kernels(alone).items():
            np.testing.assert_allclose(kernels(run)[name], kernel, atol=2e-6)
        assert sparsity_of(run) == sparsity_of(alone)


def test_a_change_of_the_network_is_refused():
    with pytest.raises(UserError, match=r"^changes give the network other weights"):
        finetune(trained_run(), {"model.units": (5, 5)})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: prune(trained_run(), 1.0), r"sparsity is 1.0. Allowed: in \[0, 1\)"),
        (lambda: prune(trained_run(), True), "sparsity is True. Allowed: a number"),
        (lambda: zero_below(trained_run(), -1), "magnitude is -1. Allowed: 0 or more"),
        (lambda: Regularize(sparsity=0.5), "prune_end_epoch is None and regularize.prune_begin_epoch is 0"),
        (lambda: Regularize(sparsity=0.5, prune_begin_epoch=5, prune_end_epoch=5), "above prune_begin_epoch"),
        (lambda: Regularize(prune_end_epoch=5), "has no effect without sparsity"),
        (
            lambda: Config(regularize=Regularize(sparsity=0.5, prune_end_epoch=5)),
            "the best epoch may come before the network is sparse. Set train.keep to last",
        ),
        (
            lambda: Config(train=Train(epochs=4, keep="last"), regularize=Regularize(sparsity=0.5, prune_end_epoch=5)),
            "regularize.prune_end_epoch is 5 and train.epochs is 4",
        ),
    ],
)
def test_what_cannot_be_pruned_is_refused(call, message):
    with pytest.raises(UserError, match=message):
        call()


def test_another_scope_is_refused():
    scope: Any = "column"
    with pytest.raises(UserError, match=r"scope is 'column'. Allowed: global or layer"):
        prune(trained_run(), 0.5, scope)


def test_sizes_of_sparse_weights():
    """A CSR matrix has 8 bytes an entry and 4 a row; compression finds the zeros by itself."""
    run = trained_run()
    sparse = prune(run, 0.9)
    assert weight_bytes(sparse.params) == weight_bytes(run.params)
    entries = sum(int(np.count_nonzero(of)) for of in kernels(sparse).values())
    units = sum(of.shape[1] for of in kernels(sparse).values())
    assert csr_bytes(sparse.params) == 8 * entries + 4 * (units + len(kernels(sparse))) + 4 * units
    assert npz_bytes(sparse.params) < npz_bytes(run.params)
