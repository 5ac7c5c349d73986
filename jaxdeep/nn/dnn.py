"""The network as one Flax module for a block, stacks of equal blocks, and two pure functions.

Flax stays inside this module. Its users see the functions `init` and `apply` of a `Network`. Equal layers that follow
each other are one stack. Their parameters have a leading layer axis and `lax.scan` runs them. So compilation does not
grow with depth and the optimizer sees a few large leaves.
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
"""Number that a layer's key is folded with for RReLU's slopes. The dropout mask is drawn from the key itself."""


class Block(nn.Module):
    """One layer of a network.

    It runs these operations in order. All but the dense product and the activation are optional.

    - Batch normalisation of the input.
    - Dropout of the input.
    - Dense product.
    - Batch normalisation before the activation.
    - Activation.
    - Batch normalisation after the activation.

    Batch normalisation has Keras's momentum 0.99, epsilon 1e-3 and biased moving variance.

    Attributes:
        units: Number of units.
        activation: Name of the activation or the function itself.
        alpha: Parameter of the activation. None keeps the activation's own.
        kernel_init: Initialiser of the kernel.
        use_bias: Whether the dense product has a bias.
        norm_input: Whether the input is normalised.
        norm_place: Place of the batch normalisation, "before" or "after" the activation. None leaves it out.
        dropout: Name of the dropout in DROPOUTS. None leaves it out.
        dtype: Type of parameters and arithmetic.
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
        """Run the layer on a batch.

        Args:
            x: Input rows [B, D].
            key: Random key of the dropout mask and of RReLU's slopes. None switches both off.
            dropout_rate: Share of inputs that are dropped, in [0, 1).
            update_stats: Whether batch normalisation uses the batch's statistics and updates the moving ones.
            mask: Booleans [B, 1]. Batch normalisation counts the rows with True. None counts all rows.
            perturbation: Zeros [units, B] whose gradient is that of the dense product, for `run_stack`.
            mask_bits: Random bits for each value of the dropout mask.

        Returns:
            The output [B, units] and the input of the dense product [B, D].
        """
        norm = partial(
            nn.BatchNorm,
            use_running_average=not update_stats,
            momentum=0.99,
            epsilon=1e-3,
            use_fast_variance=False,  # E[x^2] - E[x]^2 loses digits on raw 0..255 inputs
            force_float32_reductions=False,  # True would keep float64 statistics in float32
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
        """Set the rows outside the mask to 0 behind a normalisation if the block draws random numbers.

        Without random numbers such a row repeats a row of the mask exactly. With them it differs and the statistics do
        not cover it. It would grow from layer to layer until it overflows.
        """
        return jnp.where(mask, x, jnp.zeros((), x.dtype)) if mask is not None and self.is_random else x

    def _activate(self, x: jax.Array, key: jax.Array | None) -> jax.Array:
        """Apply the activation, with its weights or random numbers if it has any."""
        match self.activation:
            case "prelu":
                return PReLU(ALPHAS["prelu"] if self.alpha is None else self.alpha, self.dtype, name="prelu")(x)
            case "rrelu":
                return rrelu(x, None if key is None else jax.random.fold_in(key, RRELU_DRAW))
        return activation(self.activation, self.alpha)(x)

    @property
    def is_random(self) -> bool:
        """Return whether a key changes the output."""
        return self.dropout is not None or self.activation == "rrelu"


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
) -> Network:
    """Return the deep dense network of a configuration.

    `init(key)` draws each layer l by itself from `fold_in(key, l)`.

    `apply(params, batch_stats, x)` runs layers start to stop - 1 on rows x [B, D]. It returns their output and the
    batch statistics. Over all layers the output is the logits [B, C]. It has these keyword arguments:

    - `key` switches dropout on. Layer l draws its mask from `fold_in(key, l)`. MC dropout is a `vmap` over keys.
    - `dropout_rate` is the share of a layer's inputs that are dropped. It may be traced.
    - `update_stats` lets batch normalisation use the batch's statistics and update the moving ones. It does not depend
      on `key`.
    - `mask` holds booleans [B]. Batch normalisation then counts only the rows with True.
    - `start` and `stop` are the range of layers. By default all layers from `trained.first` on run.
    - `mask_bits` is the number of random bits for each value of a dropout mask.

    Args:
        model: Architecture of the network.
        inputs: Number D of features in an input row.
        classes: Number C of units in the output layer.
        dtype: Type of parameters and arithmetic.
        trained: Frozen layers, which batch normalisation never updates, and the first layer that the network has.

    Returns:
        The network's stacks and its two functions. Equal arguments return the same object.
    """
    stacks = _stacks(model, inputs, classes, dtype, trained)
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
        dropout_rate: jax.Array | float = 0.0,
        update_stats: bool = False,
        mask: jax.Array | None = None,
        start: int = begin,
        stop: int | None = None,
        mask_bits: MaskBits = 32,
    ) -> tuple[jax.Array, BatchStats]:
        end = layers if stop is None else stop
        if not begin <= start <= end <= layers:
            raise ValueError(
                f"layers {start}..{end} of a network of {layers} layers are no range. "
                f"Give {begin} <= start <= stop <= {layers}."
            )
        mask = None if mask is None else mask[:, None]
        new_stats = dict(batch_stats)
        for name, block, _, first, length, frozen in stacks:
            low, high = max(start, first), min(end, first + length)
            if low >= high:
                continue

            part = slice(low - first, high - first)
            kernels, weights = _without_kernel(_part(params[name], part))
            rates = jnp.broadcast_to(jnp.asarray(dropout_rate, dtype), (high - low,))
            others = (weights, _part(batch_stats[name], part), rates)
            updates = update_stats and not frozen
            layer = partial(_layer, block, updates, mask_bits)
            x, stats = _run(layer, kernels, others, jnp.arange(low, high), (key, mask), x)
            if updates:
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
    """Run one layer in the form that `run_stack` takes."""
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
    """Run a stack of layers.

    A scan needs equal shapes of input and output. A single layer runs without a scan.
    """
    if len(indices) > 1:
        return run_stack(layer, kernels, others, indices, shared, x)
    kernel, other, index = jax.tree.map(lambda leaf: leaf[0], (kernels, others, indices))
    y, _, stats = layer(x, kernel, other, index, shared, None)
    return y, jax.tree.map(lambda leaf: leaf[None], stats)


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


def _stacks(model: config.Model, inputs: int, classes: int, dtype: DType, trained: config.Trained) -> tuple[Stack, ...]:
    """Group the layers of a network into stacks of equal blocks that are all trained or all frozen."""
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
    indices = range(trained.first, hidden + 1)
    layers = [(block(index), fan_ins[index], index in trained.frozen) for index in indices]
    stacks: list[Stack] = []
    for (equal, fan_in, frozen), group in groupby(layers):
        first, length = trained.first + sum(stack.length for stack in stacks), len(list(group))
        name = f"layer_{first}" if length == 1 else f"layers_{first}_{first + length - 1}"
        stacks.append(Stack(name, equal, fan_in, first, length, frozen))
    return tuple(stacks)


def _drops(sites: DropoutSites, index: int, is_head: bool) -> bool:
    """Return whether a layer's input has dropout."""
    return sites == "every" or (sites == "head" and is_head) or (sites == "after_hidden" and index > 0)
