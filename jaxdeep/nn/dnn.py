"""The network as stacks of equal blocks, and two pure functions.

Flax stays inside `Block`. Users see the functions `init` and `apply` of a `Network`. Equal layers that follow
each other are one stack. Their parameters have a leading layer axis and `lax.scan` runs them. So compilation does not
grow with depth and the optimizer sees a few large leaves.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from itertools import groupby
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxdeep import config
from jaxdeep.config.choices import DType, Kernels, MatmulPrecision, Task
from jaxdeep.errors import warn
from jaxdeep.nn.block import Block
from jaxdeep.nn.initializers import initializer
from jaxdeep.nn.layers import PRECISIONS, Draws, MaskBits
from jaxdeep.nn.own_module import NAME, OwnBlock, OwnModule
from jaxdeep.nn.stack import run_stack

Params = Any
BatchStats = Any


class Stack(NamedTuple):
    """Equal blocks that follow each other. The leaves of their parameters have a leading axis of layers.

    Attributes:
        name: Key of the stack in params and batch_stats.
        block: Block that every layer runs.
        inputs: Number of features that the first layer takes.
        first: Index of the first layer, counted from 0.
        length: Number of layers.
        frozen: Whether the layers keep their weights and their moving statistics in training.
    """

    name: str
    block: Block
    inputs: int
    first: int
    length: int
    frozen: bool = False


class Network(NamedTuple):
    """A network as two pure functions.

    Attributes:
        stacks: Stacks of layers from the input to the logits.
        init: Function from a random key to (params, batch_stats).
        apply: Forward pass through all layers or a range of them. `dnn` describes its arguments.
    """

    stacks: tuple[Stack, ...]
    init: Callable[[jax.Array], tuple[Params, BatchStats]]
    apply: Callable[..., tuple[jax.Array, BatchStats]]

    @property
    def layers(self) -> int:
        """Return the number of dense layers. The output layer counts."""
        return self.stacks[-1].first + self.stacks[-1].length

    @property
    def first_dropout(self) -> int | None:
        """Return the index of the first layer with dropout, or None without dropout.

        The layers before it give the same for every key, unless their activation is random.
        """
        return next((stack.first for stack in self.stacks if stack.block.dropout is not None), None)


@lru_cache
def dnn(
    model: config.Model,
    inputs: int,
    classes: int,
    dtype: DType = "float32",
    trained: config.Trained = config.Trained(),  # noqa: B008 (immutable)
    precision: MatmulPrecision = "highest",
    task: Task = "classification",
) -> Network:
    """Return the deep dense network of a configuration.

    `init(key)` draws each layer l by itself from `fold_in(key, l)`.

    `apply(params, batch_stats, x)` runs layers start to stop - 1 on rows x [B, D]. It returns their output and the
    batch statistics. Behind the last layer that is the logits [B, C]. One sigmoid unit with the output z gives the
    logits (0, z), whose softmax and cross-entropy are the sigmoid of z and its binary cross-entropy. There are these
    keyword arguments:

    - `key` switches dropout on. Layer l draws its mask from `fold_in(key, l)`. MC dropout is a `vmap` over keys.
    - `dropout_rate` is the share of a layer's inputs that are dropped. It may be traced. An array or a tuple [L] has a
      rate for each layer, the output layer last.
    - `update_stats` lets batch normalisation use the batch's statistics and update the moving ones. It does not depend
      on `key`.
    - `mask` holds booleans [B]. Batch normalisation then counts only the rows with True.
    - `start` and `stop` are the range of layers. By default all layers from `trained.first` on run.
    - `mask_bits` is the number of random bits for each value of a dropout mask.
    - `kernels` is "fused" if `fused` runs the stacks that it covers. It warns once of a stack that it does not cover.

    Args:
        model: Architecture of the network.
        inputs: Number D of features in an input row.
        classes: Number C of classes.
        dtype: Type of parameters and arithmetic.
        trained: Frozen layers, which batch normalisation never updates, and the first layer that the network has.
        precision: Precision of the matrix products and of the products in their gradients.
        task: What the targets are. Only classes have the logits (0, z) of one sigmoid unit.

    Returns:
        The network's stacks and its two functions. Equal arguments return the same object.

    Raises:
        UserError: The output layer is for targets of another kind, or has one sigmoid unit for another number of
            classes than two.
    """
    outputs = model.outputs(classes, task)
    is_one_unit = model.head == "sigmoid" and task == "classification"
    if not isinstance(model.module, str):
        return _own(OwnModule.of(model.module, outputs), inputs, outputs, dtype, is_one_unit=is_one_unit)
    stacks = _stacks(model, inputs, outputs, dtype, trained, precision)
    begin = trained.first
    layers = stacks[-1].first + stacks[-1].length

    def init(key: jax.Array) -> tuple[Params, BatchStats]:
        params, batch_stats = {}, {}
        for name, block, fan_in, first, length, _ in stacks:
            x = jnp.zeros((1, fan_in), dtype)
            keys = jax.vmap(partial(jax.random.fold_in, key))(jnp.arange(first, first + length))
            variables = jax.vmap(lambda k, block=block, x=x: block.init(k, x))(keys)
            params[name] = variables["params"]
            batch_stats[name] = variables.get("batch_stats", {})
        return params, batch_stats

    def apply(
        params: Params,
        batch_stats: BatchStats,
        x: jax.Array,
        *,
        key: jax.Array | None = None,
        dropout_rate: jax.Array | float | tuple[Any, ...] = 0.0,
        update_stats: bool = False,
        mask: jax.Array | None = None,
        start: int = begin,
        stop: int | None = None,
        mask_bits: MaskBits = 32,
        kernels: Kernels = "xla",
    ) -> tuple[jax.Array, BatchStats]:
        end = layers if stop is None else stop
        if not begin <= start <= end <= layers:
            raise ValueError(
                f"layers {start}..{end} of a network of {layers} layers are no range. "
                f"Give {begin} <= start <= stop <= {layers}."
            )
        rates = jnp.asarray(dropout_rate, dtype)
        if rates.shape not in ((), (layers,)):
            raise ValueError(f"dropout_rate has the shape {rates.shape}. Give one rate or {layers}, one a layer.")
        mask = None if mask is None else mask[:, None]
        new_stats = dict(batch_stats)
        for name, own_block, _, first, length, frozen in stacks:
            block: Any = own_block
            low, high = max(start, first), min(end, first + length)
            if low >= high:
                continue

            part = slice(low - first, high - first)
            layer_kernels, weights = _without_kernel(_part(params[name], part))
            own_rates = rates[low:high] if rates.ndim else jnp.broadcast_to(rates, (high - low,))
            others = (weights, _part(batch_stats[name], part), own_rates)
            updates = update_stats and not frozen
            layer = partial(_layer, block, updates, mask_bits)
            run = _run
            if kernels == "fused" and high - low > 1 and _can_fuse(name, block, len(x), updates):
                run = _run_fused
            x, stats = run(layer, layer_kernels, others, jnp.arange(low, high), (key, mask), x)
            if updates:
                is_whole = high - low == length
                new_stats[name] = stats if is_whole else _with_part(batch_stats[name], part, stats)
        if is_one_unit and start < end == layers:
            x = _of_one_unit(x)
        return x, new_stats

    return Network(stacks, init, apply)


def _of_one_unit(x: jax.Array) -> jax.Array:
    """Return the logits (0, z) [B, 2] of one sigmoid unit's outputs z [B, 1]."""
    return jnp.concatenate([jnp.zeros_like(x), x], 1)


def _own(module: OwnModule, inputs: int, outputs: int, dtype: DType, *, is_one_unit: bool) -> Network:
    """Return a network of the user's own module. It has one stack of one layer, which is the module."""
    block: Any = OwnBlock(outputs)

    def init(key: jax.Array) -> tuple[Params, BatchStats]:
        return module.init(key, inputs, dtype)

    def apply(
        params: Params,
        batch_stats: BatchStats,
        x: jax.Array,
        *,
        key: jax.Array | None = None,
        update_stats: bool = False,
        start: int = 0,
        stop: int | None = None,
        **_: Any,
    ) -> tuple[jax.Array, BatchStats]:
        if start or stop not in (None, 1):
            raise ValueError(f"layers {start}..{stop} of a module of your own are no range. Run it as a whole.")
        y, stats = module.apply(params, batch_stats, x, key, update_stats=update_stats)
        return _of_one_unit(y) if is_one_unit else y, stats

    return Network((Stack(NAME, block, inputs, 0, 1),), init, apply)


def _layer(
    block: Block,
    update_stats: bool,
    mask_bits: MaskBits,
    x: jax.Array,
    kernel: jax.Array,
    other: Any,
    index: jax.Array,
    shared: Any,
    perturb: Callable[[jax.Array], jax.Array] | None,
) -> tuple[jax.Array, jax.Array, BatchStats]:
    """Run one layer in the form that `run_stack` takes."""
    weights, stats, rate = other
    key, mask = shared
    layer_key = jax.random.fold_in(key, index) if key is not None and block.is_random else None
    draws = block.draw(layer_key, x.shape, rate, mask_bits)
    variables = {"params": {**weights, "dense": {**weights["dense"], "kernel": kernel}}, "batch_stats": stats}
    mutable = ["batch_stats"] if update_stats else []
    (y, dense_input), updated = block.apply(variables, x, draws, update_stats, mask, perturb, mutable=mutable)
    return y, dense_input, updated.get("batch_stats", stats)


def _run(
    layer: partial, kernels: jax.Array, others: Any, indices: jax.Array, shared: Any, x: jax.Array
) -> tuple[jax.Array, BatchStats]:
    """Run a stack of layers.

    A scan needs equal shapes of input and output. A single layer runs without a scan.
    """
    if len(indices) > 1:
        return run_stack(layer, PRECISIONS[layer.args[0].precision], kernels, others, indices, shared, x)
    kernel, other, index = jax.tree.map(lambda leaf: leaf[0], (kernels, others, indices))
    y, _, stats = layer(x, kernel, other, index, shared, None)
    return y, jax.tree.map(lambda leaf: leaf[None], stats)


@lru_cache
def _can_fuse(name: str, block: Any, rows: int, updates: bool) -> bool:
    """Return whether a stack's layers can be fused. If not, say why, once for each stack and number of rows."""
    from jaxdeep.nn.fused import why_not  # Pallas takes a while to import

    reason = why_not(block, rows, updates)
    if reason is not None:
        warn(f"train.kernels is fused, and {name} runs as with xla: {reason}")
    return reason is None


def _run_fused(
    layer: partial, kernels: jax.Array, others: Any, indices: jax.Array, shared: Any, x: jax.Array
) -> tuple[jax.Array, BatchStats]:
    """Run a stack of layers as one kernel. Their random numbers are drawn before it."""
    from jaxdeep.nn.fused import run_fused

    block, updates, mask_bits = layer.args
    (weights, stats, rates), (key, mask) = others, shared

    def draw(index: jax.Array, rate: jax.Array) -> Draws:
        return block.draw(jax.random.fold_in(key, index), x.shape, rate, mask_bits)

    draws = jax.vmap(draw)(indices, rates) if key is not None and block.is_random else Draws()
    return run_fused(block, updates, kernels, weights, stats, draws, mask, x)


def _without_kernel(weights: Any) -> tuple[jax.Array, Any]:
    """Split a layer's weights into its kernel and the rest."""
    dense = dict(weights["dense"])
    kernel = dense.pop("kernel")
    return kernel, {**weights, "dense": dense}


def _part(stack: Any, part: slice) -> Any:
    """Return some layers of a stack's leaves."""
    return jax.tree.map(lambda leaf: leaf[part], stack)


def _with_part(stack: Any, part: slice, new: Any) -> Any:
    """Return a stack's leaves with some layers replaced."""
    return jax.tree.map(lambda leaf, value: leaf.at[part].set(value), stack, new)


def _stacks(
    model: config.Model, inputs: int, outputs: int, dtype: DType, trained: config.Trained, precision: MatmulPrecision
) -> tuple[Stack, ...]:
    """Group the layers of a network into stacks of equal blocks that are all trained or all frozen."""
    hidden = len(model.units)
    biases = initializer(model.bias_init, model)

    def block(index: int) -> Block:
        is_head = index == hidden
        place = model.batch_norm_place if not is_head and model.normed[index] else None
        is_varied = any(model.dropped[: index + 1]) or model.activation == "rrelu"
        return Block(
            units=outputs if is_head else model.units[index],
            activation="linear" if is_head else model.activation,
            alpha=None if is_head else model.alpha,
            kernel_init=initializer(model.head_init if is_head else model.kernel_init, model),
            bias_init=biases if is_head or model.use_bias else None,
            norm_input=index == 0 and model.batch_norm_input,
            norm_place=place,
            settles=place is not None and is_varied,
            dropout=model.dropout if model.dropped[index] else None,
            skip=not is_head and model.skipped[index],
            dtype=dtype,
            precision=precision,
        )

    fan_ins = (inputs, *model.units)
    indices = range(trained.first, hidden + 1)
    layers = [(block(index), fan_ins[index], index in trained.frozen) for index in indices]
    stacks: list[Stack] = []
    for (equal, fan_in, frozen), group in groupby(layers):
        first, length = trained.first + sum(stack.length for stack in stacks), len(list(group))
        name = f"layer_{first}" if length == 1 else f"layers_{first}_{first + length - 1}"
        stacks.append(Stack(name, equal, fan_in, first, length, frozen))
    return tuple(stacks)
