"""The network: one Flax module for one block, stacks of equal blocks, and the seam `Network(init, apply)`.

Everything below the seam is Flax; everything above it sees two pure functions. Equal layers that follow each other are
one stack: their parameters have a leading layer axis and `lax.scan` runs them, so that compilation does not grow with
depth and the optimizer sees few, large leaves.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from itertools import groupby
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxdeep import config
from jaxdeep.config.choices import ActivationChoice, Dropout, DropoutSites, DType, NormPlace
from jaxdeep.config.model import ALPHAS
from jaxdeep.nn.activations import activation
from jaxdeep.nn.initializers import initializer
from jaxdeep.nn.layers import DROPOUTS, Dense, MaskBits, PReLU, rrelu
from jaxdeep.nn.stack import Layer, perturb, run_stack

Params = Any
BatchStats = Any


RRELU_DRAW = 1
"""What a layer's key is folded with for RReLU's slopes; its dropout mask is drawn from the key itself."""


class Block(nn.Module):
    """One layer: [BN of the input,] [dropout of the input,] Dense, [BN,] activation[, BN].

    The constants of the batch normalisation are Keras's: momentum .99, epsilon 1e-3, biased moving variance.
    """

    units: int
    activation: ActivationChoice
    alpha: float | None
    kernel_init: nn.initializers.Initializer
    use_bias: bool
    norm_input: bool
    norm_place: NormPlace | None
    dropout: Dropout | None
    dtype: DType

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        key: jax.Array | None = None,
        dropout_rate: jax.Array | float = 0.0,
        update_stats: bool = False,
        mask: jax.Array | None = None,
        perturbation: jax.Array | None = None,
        mask_bits: MaskBits = 32,
    ) -> tuple[jax.Array, jax.Array]:
        norm = partial(
            nn.BatchNorm,
            use_running_average=not update_stats,
            momentum=0.99,
            epsilon=1e-3,
            use_fast_variance=False,  # E[x^2] - E[x]^2 loses digits on raw 0..255 inputs
            force_float32_reductions=False,  # or float64 statistics are kept in float32
            dtype=self.dtype,
            param_dtype=self.dtype,
        )
        if self.norm_input:
            x = norm(name="norm_input")(x, mask=mask)
        if self.dropout is not None and key is not None:
            x = DROPOUTS[self.dropout](key, x, dropout_rate, mask_bits)
        dense_input = x
        x = Dense(self.units, self.kernel_init, self.use_bias, self.dtype, name="dense")(x)
        if perturbation is not None:
            x = perturb(x, perturbation)
        if self.norm_place == "before":
            x = self._settled(norm(name="norm")(x, mask=mask), mask)
        x = self._activate(x, key)
        if self.norm_place == "after":
            x = self._settled(norm(name="norm")(x, mask=mask), mask)
        return x, dense_input

    def _settled(self, x: jax.Array, mask: jax.Array | None) -> jax.Array:
        """Set rows that do not count to 0 behind a normalisation, where random numbers make them unlike those that do.

        Without random numbers such a row repeats a row of the mask exactly. With them it differs, the statistics do not
        cover it, and it would grow from layer to layer until it overflows.
        """
        return jnp.where(mask, x, jnp.zeros((), x.dtype)) if mask is not None and self.is_random else x

    def _activate(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        match self.activation:
            case "prelu":
                return PReLU(ALPHAS["prelu"] if self.alpha is None else self.alpha, self.dtype, name="prelu")(x)
            case "rrelu":
                return rrelu(x, None if key is None else jax.random.fold_in(key, RRELU_DRAW))
        return activation(self.activation, self.alpha)(x)

    @property
    def is_random(self) -> bool:
        """Whether a key changes what it computes."""
        return self.dropout is not None or self.activation == "rrelu"


class Stack(NamedTuple):
    """Equal blocks that follow each other; the leaves of their parameters have a leading axis of layers.

    Attributes:
        name: of its entry in params and batch_stats.
        block: one of them.
        inputs: features that the first one takes.
        first: index of the first layer.
        length: number of layers.
    """

    name: str
    block: Block
    inputs: int
    first: int
    length: int


class Network(NamedTuple):
    """A network as two pure functions.

    Attributes:
        stacks: what it is made of, from the input to the logits.
        init: key -> (params, batch_stats).
        apply: the forward pass, of all layers or of a range of them; see `dnn`.
    """

    stacks: tuple[Stack, ...]
    init: Callable[[jax.Array], tuple[Params, BatchStats]]
    apply: Callable[..., tuple[jax.Array, BatchStats]]

    @property
    def layers(self) -> int:
        """Number of dense layers, with the output layer."""
        return self.stacks[-1].first + self.stacks[-1].length

    @property
    def first_dropout(self) -> int | None:
        """Index of the first layer with dropout, before which every key gives the same; None: there is none."""
        return next((stack.first for stack in self.stacks if stack.block.dropout is not None), None)


@lru_cache
def dnn(model: config.Model, inputs: int, classes: int, dtype: DType = "float32") -> Network:
    """The deep dense network of a configuration.

    `init(key)` draws every layer by itself, layer l from `fold_in(key, l)`.

    `apply(params, batch_stats, x, ...)` runs layers start .. stop - 1 on x [B, D] and returns their output and the
    batch statistics. A `key` switches dropout on (layer l masks with `fold_in(key, l)`), `update_stats` lets batch
    normalisation use and follow the batch (of its rows only those in `counted` [B], booleans, where that is given); the
    two are independent, so MC dropout is a `vmap` over keys, which may draw fewer random bits (`mask_bits`). Over all
    layers the output is the logits [B, C].

    Args:
        model: architecture.
        inputs: D, features of an input row.
        classes: C, units of the output layer.
        dtype: of parameters and arithmetic.

    Returns:
        The network's two functions.
    """
    stacks = _stacks(model, inputs, classes, dtype)
    layers = stacks[-1].first + stacks[-1].length

    def init(key: jax.Array) -> tuple[Params, BatchStats]:
        params, batch_stats = {}, {}
        for name, block, fan_in, first, length in stacks:
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
        dropout_rate: jax.Array | float = 0.0,
        update_stats: bool = False,
        mask: jax.Array | None = None,
        start: int = 0,
        stop: int | None = None,
        mask_bits: MaskBits = 32,
    ) -> tuple[jax.Array, BatchStats]:
        end = layers if stop is None else stop
        if not 0 <= start <= end <= layers:
            raise ValueError(f"layers {start}..{end} of a network of {layers} layers")
        mask = None if mask is None else mask[:, None]
        new_stats = dict(batch_stats)
        for name, block, _, first, length in stacks:
            low, high = max(start, first), min(end, first + length)
            if low >= high:
                continue

            part = slice(low - first, high - first)
            kernels, weights = _without_kernel(_part(params[name], part))
            rates = jnp.broadcast_to(jnp.asarray(dropout_rate, dtype), (high - low,))
            others = (weights, _part(batch_stats[name], part), rates)
            layer = partial(_layer, block, update_stats, mask_bits)
            x, stats = _run(layer, kernels, others, jnp.arange(low, high), (key, mask), x)
            if update_stats:
                new_stats[name] = _with_part(batch_stats[name], part, stats)
        return x, new_stats

    return Network(stacks, init, apply)


def _layer(
    block: Block,
    update_stats: bool,
    mask_bits: MaskBits,
    x: jax.Array,
    kernel: jax.Array,
    other: Any,
    index: jax.Array,
    shared: Any,
    perturbation: jax.Array | None,
) -> tuple[jax.Array, jax.Array, BatchStats]:
    """One layer, as `run_stack` wants it."""
    weights, stats, rate = other
    key, mask = shared
    layer_key = jax.random.fold_in(key, index) if key is not None and block.is_random else None
    variables = {"params": {**weights, "dense": {**weights["dense"], "kernel": kernel}}, "batch_stats": stats}
    mutable = ["batch_stats"] if update_stats else []
    arguments = (x, layer_key, rate, update_stats, mask, perturbation, mask_bits)
    (y, dense_input), updated = block.apply(variables, *arguments, mutable=mutable)
    return y, dense_input, updated.get("batch_stats", stats)


def _run(
    layer: Layer, kernels: jax.Array, others: Any, indices: jax.Array, shared: Any, x: jax.Array
) -> tuple[jax.Array, BatchStats]:
    """Run a stack of layers; a scan needs equal shapes in and out, and one layer needs no scan."""
    if len(indices) > 1:
        return run_stack(layer, kernels, others, indices, shared, x)
    kernel, other, index = jax.tree.map(lambda leaf: leaf[0], (kernels, others, indices))
    y, _, stats = layer(x, kernel, other, index, shared, None)
    return y, jax.tree.map(lambda leaf: leaf[None], stats)


def _without_kernel(weights: Any) -> tuple[jax.Array, Any]:
    dense = dict(weights["dense"])
    kernel = dense.pop("kernel")
    return kernel, {**weights, "dense": dense}


def _part(stack: Any, part: slice) -> Any:
    return jax.tree.map(lambda leaf: leaf[part], stack)


def _with_part(stack: Any, part: slice, new: Any) -> Any:
    return jax.tree.map(lambda leaf, value: leaf.at[part].set(value), stack, new)


def _stacks(model: config.Model, inputs: int, classes: int, dtype: DType) -> tuple[Stack, ...]:
    """Group the layers of a network into stacks of equal blocks."""
    hidden = len(model.units)

    def block(index: int) -> Block:
        is_head = index == hidden
        return Block(
            units=classes if is_head else model.units[index],
            activation="linear" if is_head else model.activation,
            alpha=None if is_head else model.alpha,
            kernel_init=initializer(model.head_init if is_head else model.kernel_init, model),
            use_bias=is_head or model.use_bias,
            norm_input=index == 0 and model.batch_norm_input,
            norm_place=model.batch_norm_place if model.batch_norm and not is_head else None,
            dropout=model.dropout if _drops(model.dropout_sites, index, is_head) else None,
            dtype=dtype,
        )

    fan_ins = (inputs, *model.units)
    layers = [(block(index), fan_ins[index]) for index in range(hidden + 1)]
    stacks: list[Stack] = []
    for (equal, fan_in), group in groupby(layers):
        first, length = sum(stack.length for stack in stacks), len(list(group))
        name = f"layer_{first}" if length == 1 else f"layers_{first}_{first + length - 1}"
        stacks.append(Stack(name, equal, fan_in, first, length))
    return tuple(stacks)


def _drops(sites: DropoutSites, index: int, is_head: bool) -> bool:
    return sites == "every" or (sites == "head" and is_head) or (sites == "after_hidden" and index > 0)
