"""Hidden layers as one kernel each way, interpreted: equal to the plain path, and lowered for GPUs and TPUs."""

from collections.abc import Iterator
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bench.compilers import small
from bench.networks import KERNELS
from jaxdeep.config import Config, Model, Trained
from jaxdeep.config.choices import Activation, Kernels
from jaxdeep.errors import JaxdeepWarning
from jaxdeep.nn import dnn as networks
from jaxdeep.nn.dnn import dnn
from jaxdeep.nn.fused import LARGEST_BATCH, LARGEST_TILE, MOST_LAYERS, NOT_COVERED
from jaxdeep.train import step
from jaxdeep.train.forward import Batch, batch_loss, model_of
from jaxdeep.train.programs import traced

COVERED = tuple(name for name in get_args(Activation) if name not in NOT_COVERED)
WITH_STACKS = tuple(name for name, (_, config) in sorted(KERNELS.items()) if len(config.network.units) > 2)
PERMUTATIONS = 4
ROWS = 32
Given = dict[str, Any]


@pytest.fixture(autouse=True)
def warns_anew() -> Iterator[None]:
    networks._can_fuse.cache_clear()
    yield
    networks._can_fuse.cache_clear()


def gradients(config: Config, data: Any, params: Any, stats: Any, key: Any) -> Any:
    """The loss of a batch, its gradients and the new moving statistics."""
    batch = Batch(jnp.arange(min(config.train.batch_size, 64)))

    def loss(params: Any) -> Any:
        return batch_loss(params, config, stats, traced(config), data, batch, key)

    (loss_, (new, _)), found = jax.jit(jax.value_and_grad(loss, has_aux=True))(params)
    return loss_, found, new


def begun(name: str, changes: Given) -> tuple[Config, Any, Any, Any]:
    config, data = small(*KERNELS[name])
    config = config.updated(changes)
    state = jax.jit(lambda key: step.start(config, traced(config), data, key))(jax.random.key(1))
    return config, data, state.params, state.batch_stats


def assert_near(found: Any, expected: Any, share: float, floor: float = 0.0) -> None:
    """Each leaf differs by a share of its largest value, or of a floor where its exact value is 0."""
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        largest = max(float(jnp.abs(other).max(initial=0)), floor)
        np.testing.assert_allclose(one, other, rtol=0, atol=share * largest)


def largest_of(tree: Any) -> float:
    return max(float(jnp.abs(leaf).max(initial=0)) for leaf in jax.tree.leaves(tree))


def difference(one: jax.Array, other: jax.Array) -> float:
    return float(jnp.abs(one - other).max())


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", WITH_STACKS)
def test_in_float64_loss_and_gradients_are_those_of_the_plain_path(name: str) -> None:
    config, data, params, stats = begun(name, {"train.dtype": "float64"})
    key = jax.random.key(2)
    plain, fused = (
        gradients(config.updated({"train.kernels": kernels}), data, params, stats, key) for kernels in ("xla", "fused")
    )
    assert float(fused[0]) == pytest.approx(float(plain[0]), rel=1e-10)
    of_zeros = 1e-3 * largest_of(plain[1])  # a bias in front of batch normalisation has the gradient 0
    assert_near(fused[1], plain[1], 1e-10, of_zeros)
    assert_near(fused[2], plain[2], 1e-10)
    assert any((one != other).any() for one, other in zip(*map(jax.tree.leaves, (fused[1], plain[1])), strict=True))


def permuted(params: Any, stats: Any, orders: list[np.ndarray], place: str, back: bool = False) -> tuple[Any, Any]:
    """Weights and statistics with each hidden layer's units in another order, or in their own again."""
    orders = [np.argsort(order) if back else order for order in orders]

    def in_order(values: np.ndarray, axis: int, layer: int) -> np.ndarray:
        return np.take(values, orders[layer], axis) if 0 <= layer < len(orders) else values

    def moved(stack: str, path: Any, leaf: Any) -> Any:
        names, made = [getattr(part, "key", "") for part in path], []
        for layer, values in enumerate(np.asarray(leaf), int(stack.split("_")[1])):
            if "norm_input" in names:
                made.append(values)
            elif "norm" in names:
                made.append(in_order(values, 0, layer - (place == "input")))
            else:
                units = in_order(values, 0, layer)
                made.append(in_order(units, 1, layer - 1) if "kernel" in names else units)
        return jnp.asarray(np.stack(made))

    return tuple(
        {
            stack: jax.tree_util.tree_map_with_path(lambda path, leaf, stack=stack: moved(stack, path, leaf), layers)
            for stack, layers in tree.items()
        }
        for tree in (params, stats)
    )


@pytest.mark.parametrize("name", WITH_STACKS)
def test_in_float32_they_differ_as_an_order_of_the_units_makes_them_differ(name: str) -> None:
    # a mask would be another one in another order
    config, data, params, stats = begun(name, {"model.dropout_rate": 0.0, "model.dropout_sites": "none"})
    key, rng, place = jax.random.key(2), np.random.default_rng(0), config.network.batch_norm_place
    _, plain, _ = gradients(config, data, params, stats, key)
    _, fused, _ = gradients(config.updated({"train.kernels": "fused"}), data, params, stats, key)
    largest = jax.tree.map(lambda leaf: jnp.abs(leaf).max(), plain)
    noise = jax.tree.map(lambda _: 0.0, plain)
    for _ in range(PERMUTATIONS):
        orders = [rng.permutation(units) for units in config.network.units]
        _, moved, _ = gradients(config, data, *permuted(params, stats, orders, place), key)
        again, _ = permuted(moved, {}, orders, place, back=True)
        noise = jax.tree.map(
            lambda so_far, one, other: max(so_far, float(jnp.abs(one - other).max())), noise, again, plain
        )
    own = jax.tree.map(lambda one, other: float(jnp.abs(one - other).max()), fused, plain)
    for of_leaf, changed, most in zip(*map(jax.tree.leaves, (own, noise, largest)), strict=True):
        assert of_leaf <= 4 * max(changed, float(np.finfo(np.float32).eps * most))


MODELS: dict[str, tuple[Given, Given]] = {
    **{name: ({"activation": name, "init_scale": 0.1, "kernel_init": "variance_scaling"}, {}) for name in COVERED},
    **{f"normalised {place}": ({"batch_norm": True, "batch_norm_place": place}, {}) for place in ("before", "after")},
    "normalised inputs": ({"batch_norm": True, "batch_norm_place": "input", "activation": "relu"}, {}),
    "no biases": ({"use_bias": False, "batch_norm": True}, {}),
    "skip connections": ({"skip": True, "activation": "elu"}, {}),
    "dropout": ({"dropout_sites": "every", "dropout_rate": 0.3, "activation": "relu"}, {}),
    "alpha dropout": ({"dropout": "alpha_dropout", "dropout_sites": "every", "dropout_rate": 0.1}, {}),
    "few bits": ({"dropout_sites": "every", "dropout_rate": 0.3}, {"mask_bits": 8}),
    "one row": ({}, {"rows": 1}),
    "tiles": ({"activation": "prelu", "dropout_sites": "every", "dropout_rate": 0.3}, {"rows": 2 * LARGEST_TILE + 3}),
    "a large batch": ({"batch_norm": True}, {"rows": LARGEST_BATCH - 28}),
    "a mask": ({"batch_norm": True, "dropout_sites": "every", "dropout_rate": 0.3}, {"counted": 20}),
    "a frozen stack": ({"batch_norm": True}, {"trained": Trained(frozen=(0, 1, 2, 3))}),
    "no statistics": ({"batch_norm": True}, {"update_stats": False, "rows": 2 * LARGEST_TILE}),
    "two kernels": ({"units": (9,) * (MOST_LAYERS + 3), "batch_norm": True}, {}),
    "part of a stack": ({}, {"start": 1, "stop": 3}),
}
"""Fields of the model, and arguments of its forward pass."""


def both(model: Given, given: Given, kernels: Kernels) -> Any:
    """Outputs, gradients and statistics of one path."""
    given = dict(given)
    rows, counted, trained = given.pop("rows", ROWS), given.pop("counted", None), given.pop("trained", Trained())
    net = dnn(Model(**{"units": (20,) * 4, **model}), 20, 10, "float64", trained)
    params, stats = net.init(jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (rows, 20), "float64")
    options = {"update_stats": True, "mask": None if counted is None else jnp.arange(rows) < counted, **given}

    def loss(params: Any, x: jax.Array) -> Any:
        y, new = net.apply(params, stats, x, key=jax.random.key(3), dropout_rate=0.3, kernels=kernels, **options)
        y = y[:counted]
        return jnp.sum(jnp.sin(y) * jnp.arange(y.size, dtype=y.dtype).reshape(y.shape)), (y, new)

    return jax.jit(jax.value_and_grad(loss, (0, 1), has_aux=True))(params, x)


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", MODELS)
def test_what_is_covered_is_equal_to_the_plain_path(name: str) -> None:
    (plain, of_plain), (fused, of_fused) = (both(*MODELS[name], kernels) for kernels in ("xla", "fused"))
    assert_near(fused, plain, 1e-11)
    assert_near(of_fused, of_plain, 1e-10, 1e-3 * largest_of(of_plain))


@pytest.mark.usefixtures("x64")
def test_trials_by_vmap_are_the_runs_alone() -> None:
    net = dnn(Model(units=(20,) * 4, batch_norm=True), 20, 10, "float64")
    x = jax.random.normal(jax.random.key(1), (ROWS, 20))

    def gradient(key: jax.Array) -> Any:
        params, stats = net.init(key)
        return jax.grad(lambda p: net.apply(p, stats, x, update_stats=True, kernels="fused")[0].std())(params)

    keys = jax.random.split(jax.random.key(0), 3)
    together = jax.jit(jax.vmap(gradient))(keys)
    for trial, key in enumerate(keys):
        alone = jax.jit(gradient)(key)
        assert_near(jax.tree.map(lambda leaf, trial=trial: leaf[trial], together), alone, 1e-12, largest_of(alone))


NOT: dict[str, tuple[Given, int, str]] = {
    "softmax": ({"activation": "softmax"}, ROWS, "softmax is not element-wise"),
    "glu": ({"activation": "glu"}, ROWS, "glu is not element-wise"),
    "gelu": ({"activation": "gelu"}, ROWS, "erfc"),
    "own function": ({"activation": jnp.sin}, ROWS, "a function of its own"),
    "wide": ({"units": (200,) * 3}, ROWS, "200 units"),
    "large batch": ({"batch_norm": True}, 2 * LARGEST_BATCH, "256 rows in one tile"),
}


@pytest.mark.parametrize("name", NOT)
def test_what_is_not_covered_runs_plainly_and_says_so_once(name: str) -> None:
    model, rows, reason = NOT[name]
    net = dnn(Model(**{"units": (20,) * 3, **model}), 20, 10)
    params, stats = net.init(jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (rows, 20), "float32")

    def logits(kernels: Kernels) -> Any:
        return net.apply(params, stats, x, update_stats=True, kernels=kernels)[0]

    with pytest.warns(JaxdeepWarning, match=reason) as said:
        found = [logits("fused"), logits("fused")]
    assert len(said) == 1
    for one in found:
        np.testing.assert_array_equal(one, logits("xla"))


@pytest.mark.parametrize("name", MODELS)
def test_the_kernels_lower_for_gpus_and_tpus(name: str) -> None:
    model, given = MODELS[name]
    rows, counted = given.get("rows", ROWS), given.get("counted")
    net = dnn(Model(**{"units": (100,) * 4, **model}), 100, 10)
    params, stats = jax.eval_shape(net.init, jax.eval_shape(jax.random.key, 0))
    mask = None if counted is None else jax.ShapeDtypeStruct((rows,), bool)

    def gradient(params: Any, stats: Any, x: jax.Array, key: jax.Array, mask: Any) -> Any:
        options = {"key": key, "dropout_rate": 0.3, "update_stats": True, "mask": mask, "kernels": "fused"}
        return jax.grad(lambda params: net.apply(params, stats, x, **options)[0].sum())(params)

    x, key = jax.ShapeDtypeStruct((rows, 100), "float32"), jax.eval_shape(jax.random.key, 0)
    traced = jax.jit(gradient).trace(params, stats, x, key, mask)
    for platform, call in (("cuda", "triton"), ("tpu", "tpu_custom_call")):
        if not (platform == "cuda" and jax.__version_info__ >= (0, 11)):  # Triton there wants a described device
            assert call in traced.lower(lowering_platforms=(platform,)).as_text()


def test_a_run_trains_with_fused_kernels_and_gives_the_plain_path_up_to_rounding() -> None:
    config, data = small(*KERNELS["selu"])
    config = config.updated({"model.units": (20,) * 4})
    losses: dict[str, float] = {}
    for kernels in ("xla", "auto", "fused"):
        own = config.updated({"train.kernels": kernels})
        assert model_of(own, data) == model_of(config, data)
        state = step.start(own, traced(own), data, jax.random.key(0))
        epoch = jax.jit(lambda state, own=own: step.run_epoch(own, state, traced(own), data)).trace(state)
        assert ("pallas_call" in str(epoch.jaxpr)) == (kernels == "fused")
        losses[kernels] = float(epoch.lower().compile()(state)[1].train_loss)
    assert losses["auto"] == losses["xla"]
    assert losses["fused"] == pytest.approx(losses["xla"], rel=1e-4)
