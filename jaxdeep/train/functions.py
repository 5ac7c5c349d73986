"""A user's own functions, each traced alone before a run is compiled, so that a refusal can name it.

Only shapes and types are computed. A function that was traced once is not traced again.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import jax
import jax.numpy as jnp

from jaxdeep.config import Config, Optim
from jaxdeep.config.made import qualified_name
from jaxdeep.data.dataset import Dataset
from jaxdeep.errors import UserError
from jaxdeep.nn.own_module import OwnModule
from jaxdeep.optim.optimizers import optimizer
from jaxdeep.optim.schedules import Rates
from jaxdeep.train.forward import model_of

LONGEST_REASON: Final = 200
"""Characters of JAX's own message in ours."""
Shape = tuple[int, ...]


def check_functions(config: Config, data: Dataset) -> None:
    """Refuse functions that JAX cannot trace, or that return another thing than their field takes.

    Args:
        config: its activation, initialisers, loss, optimizer and schedule may be functions.
        data: its width and its number of classes count.

    Raises:
        UserError: names the field and the function, and says why.
    """
    model, dtype = config.network, config.train.dtype
    if not isinstance(model.module, str):
        _check_module(config, data)
    widths = (data.inputs, *model.units)
    if not isinstance(model.activation, str):
        rows = min(config.train.batch_size, data.train.capacity)
        for units in dict.fromkeys(model.units):
            _check_activation(model.activation, (rows, units), dtype)
    if not isinstance(model.kernel_init, str):
        for shape in dict.fromkeys(zip(widths, model.units, strict=False)):
            _check_initializer("model.kernel_init", model.kernel_init, shape, dtype)
    if not isinstance(model.head_init, str):
        _check_initializer(
            "model.head_init", model.head_init, (widths[-1], model.outputs(data.classes, data.task)), dtype
        )
    if not isinstance(config.train.loss, str):
        rows = min(config.train.batch_size, data.train.capacity)
        shapes = (rows, data.classes), (rows, *data.train.labels.shape[1:])
        _check_loss(config.train.loss, *shapes, data.train.labels.dtype.name, dtype)
    if not isinstance(config.schedule.kind, str):
        _check_schedule(config.schedule.kind, dtype)
    if not isinstance(config.optim.optimizer, str):
        _check_optimizer(config, data)


@lru_cache(maxsize=256)
def _check_activation(function: Callable[..., Any], shape: Shape, dtype: str) -> None:
    field, x = "model.activation", jax.ShapeDtypeStruct(shape, dtype)
    y = _traced(field, function, function, x)
    is_right = _shape(y) == shape and _is(y, jnp.floating)
    _check(field, function, is_right, f"returns {_words(y)} for {_words(x)}", "floats of the same shape")

    def gradient(x: jax.Array) -> Any:
        y, backward = jax.vjp(function, x)
        return backward(jnp.ones_like(y))

    _traced(field, function, gradient, x, verb="differentiate")


@lru_cache(maxsize=256)
def _check_initializer(field: str, function: Callable[..., Any], shape: Shape, dtype: str) -> None:
    key = jax.eval_shape(jax.random.key, 0)
    kernel = _traced(field, function, lambda key: function(key, shape, dtype), key)
    is_right = _shape(kernel) == shape and _is(kernel, jnp.dtype(dtype).type)
    wanted = f"{dtype}{list(shape)}"
    _check(field, function, is_right, f"returns {_words(kernel)} for (key, {shape}, {dtype!r})", wanted)


@lru_cache(maxsize=256)
def _check_schedule(function: Callable[..., Any], dtype: str) -> None:
    field = "schedule.kind"
    factor = _traced(field, function, function, jax.ShapeDtypeStruct((), dtype))
    is_right = _shape(factor) == () and (_is(factor, jnp.floating) or _is(factor, jnp.integer))
    _check(field, function, is_right, f"returns {_words(factor)} for a number of steps", "one real number")


def _check_module(config: Config, data: Dataset) -> None:
    """Trace it on one batch, as a training step runs it."""
    make: Any = config.model.module
    outputs = config.model.outputs(data.classes, data.task)
    module = OwnModule.of(make, outputs)
    rows = min(config.train.batch_size, data.train.capacity)
    x = jax.ShapeDtypeStruct((rows, data.inputs), config.train.dtype)

    def step(key: jax.Array, x: jax.Array) -> Any:
        params, stats = module.init(key, x.shape[1], config.train.dtype)
        y, new_stats = module.apply(params, stats, x, key, update_stats=True)
        return stats, y, new_stats

    key = jax.eval_shape(jax.random.key, 0)
    stats, y, new_stats = _traced("model.module", make, step, key, x)
    is_right = _shape(y) == (rows, outputs) and _is(y, jnp.dtype(config.train.dtype).type)
    wanted = f"{config.train.dtype}[{rows}, {outputs}], an output for each class, label or number"
    _check("model.module", make, is_right, f"returns {_words(y)} for {_words(x)}", wanted)
    kept, changed = (list(map(_words, jax.tree.leaves(tree))) for tree in (stats, new_stats))
    _check("model.module", make, kept == changed, "changes the shapes of its batch_stats", "the same ones")


@lru_cache(maxsize=256)
def _check_loss(function: Callable[..., Any], shape: Shape, targets: Shape, of_targets: str, dtype: str) -> None:
    field, outputs = "train.loss", jax.ShapeDtypeStruct(shape, dtype)
    given = (outputs, jax.ShapeDtypeStruct(targets, of_targets))
    found = _traced(field, function, function, *given)
    is_right = _shape(found) == shape[:1] and _is(found, jnp.floating)
    text = f"returns {_words(found)} for outputs {_words(outputs)}"
    _check(field, function, is_right, text, f"{dtype}[{shape[0]}], a loss for each row")

    def gradient(outputs: jax.Array, targets: jax.Array) -> Any:
        return jax.grad(lambda of: function(of, targets).sum())(outputs)

    _traced(field, function, gradient, *given, verb="differentiate")


def _check_optimizer(config: Config, data: Dataset) -> None:
    """Trace it on one layer of each kind that the network has: it sees layers by themselves."""
    params, _ = jax.eval_shape(model_of(config, data).init, jax.eval_shape(jax.random.key, 0))
    leaves, structure = jax.tree.flatten(params)
    shapes = tuple((1, *leaf.shape[1:]) for leaf in leaves)
    _check_transformation(config.static().optim, shapes, structure, config.train.dtype)


@lru_cache(maxsize=256)
def _check_transformation(optim: Optim, shapes: tuple[Shape, ...], structure: Any, dtype: str) -> None:
    field, function = "optim.optimizer", optim.optimizer
    assert not isinstance(function, str)
    params = structure.unflatten([jax.ShapeDtypeStruct(shape, dtype) for shape in shapes])
    rate, made = jax.ShapeDtypeStruct((), dtype), []

    def build(rate: jax.Array) -> None:
        made.append(function(rate))

    _traced(field, function, build, rate)
    is_right = all(callable(getattr(made[0], name, None)) for name in ("init", "update"))
    _check(field, function, is_right, f"returns {_words(made[0])}", "an optax.GradientTransformation")

    def step(rate: jax.Array, params: Any) -> Any:
        transformation = optimizer(optim, Rates(rate, rate))
        state = transformation.init(params)
        return state, *transformation.update(params, state, params)

    state, updates, next_state = _traced(field, function, step, rate, params)
    found, wanted = (list(map(_shape, jax.tree.leaves(tree))) for tree in (updates, params))
    _check(field, function, found == wanted, "returns updates of other shapes than the weights", "the same shapes")
    found, wanted = (list(map(_words, jax.tree.leaves(tree))) for tree in (next_state, state))
    _check(field, function, found == wanted, "changes the shapes or types of its state", "the same ones at each step")


def _traced(
    field: str, function: Callable[..., Any], traced: Callable[..., Any], *arguments: Any, verb: str = "trace"
) -> Any:
    """Return the shapes and types that a call has, in which the user's function is called."""
    try:
        return jax.eval_shape(lambda *given: traced(*given), *arguments)  # JAX wants to refer weakly to what it traces
    except Exception as error:  # the function is the user's own: it can raise anything
        reason = (f"{type(error).__name__}: {error}".splitlines() or [""])[0][:LONGEST_REASON].rstrip(" .:")
        raise UserError(
            f"{field} is the function {qualified_name(function)}, which JAX cannot {verb} ({reason}). "
            "Write it with jax.numpy, not with NumPy or Python's math"
        ) from error


def _check(field: str, function: Callable[..., Any], is_right: bool, found: str, allowed: str) -> None:
    if not is_right:
        raise UserError(f"{field} is the function {qualified_name(function)}, which {found}. Allowed: {allowed}.")


def _shape(value: Any) -> Any:
    return getattr(value, "shape", None)


def _is(value: Any, kind: Any) -> bool:
    return hasattr(value, "dtype") and jnp.issubdtype(value.dtype, kind)


def _words(value: Any) -> str:
    """Such as float32[8, 4]."""
    return f"{value.dtype}{list(value.shape)}" if hasattr(value, "dtype") else f"a value of type {type(value).__name__}"
