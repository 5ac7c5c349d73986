"""Equal hidden layers as one kernel forward and one backward.

An accelerator waits for each kernel of a small layer longer than it computes. Here Pallas makes one kernel of the
forward pass through all layers of a stack, and one of the backward pass. Both run `Block` itself. The forward kernel
keeps each layer's input. The backward kernel runs each layer again and differentiates it by JAX's own rules. All
kernels' gradients are one batched product behind them, as in `stack`.

Random numbers are drawn before the kernel, bit for bit as in the plain path. Widths are padded with units whose weights
are 0. Batches are divided into tiles of rows, each its own instance of the kernel. Batch normalisation by the batch's
statistics needs all rows in one tile.

A GPU takes the kernels through Triton, a TPU through Mosaic. A CPU runs them interpreted, which shows that they are
right and is slow.
"""

from functools import partial
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton as plgpu

from jaxdeep.nn.block import Block
from jaxdeep.nn.layers import PRECISIONS, Draws

LANES: Final = 128
"""Width of a padded layer. A TPU's registers hold rows of 128 values, and Triton takes powers of two."""
SMALLEST_TILE: Final = 16
"""Fewest rows that Triton multiplies."""
LARGEST_TILE: Final = 64
"""Most rows of a tile, which an instance of the kernel holds in registers."""
LARGEST_BATCH: Final = 128
"""Most rows of a batch whose statistics are taken in one tile."""
MOST_LAYERS: Final = 50
"""Most layers of a kernel, which a TPU holds in its memory of 16 MB at once. A deeper stack takes several kernels."""
NOT_COVERED: Final = {
    "softmax": "softmax is not element-wise",
    "glu": "glu is not element-wise",
    "gelu": "Pallas lowers no erfc, which gelu needs",
}
"""Why the kernels do not cover an activation, by its name."""


class Fused(NamedTuple):
    """What a pair of kernels is made for.

    Attributes:
        block: Block that every layer runs, with the padded width.
        update_stats: Whether batch normalisation uses the batch's statistics.
        length: Number L of layers.
        tile: Rows of a tile.
        tiles: Number of tiles.
    """

    block: Block
    update_stats: bool
    length: int
    tile: int
    tiles: int

    @property
    def moves(self) -> bool:
        """Return whether the layers update moving statistics."""
        return self.update_stats and self.block.norm_place is not None

    @property
    def has_other_input(self) -> bool:
        """Return whether the dense product's input differs from the layer's input."""
        return self.block.dropout is not None or self.block.norm_place == "input"


def why_not(block: Block, rows: int, update_stats: bool) -> str | None:
    """Return why a stack of layers cannot be fused.

    Args:
        block: Block that every layer runs.
        rows: Number of rows of a batch.
        update_stats: Whether batch normalisation uses the batch's statistics.

    Returns:
        The reason, or None if the kernels cover the stack.
    """
    if callable(block.activation):
        return "its activation is a function of its own"
    if block.activation in NOT_COVERED:
        return NOT_COVERED[block.activation]
    if block.precision == "bfloat16":
        return "its products are bfloat16, which the kernel of a TPU does not take"
    if block.units > LANES:
        return f"its {block.units} units are more than the {LANES} that a kernel holds"
    if block.norm_place is not None and update_stats and rows > LARGEST_BATCH:
        return f"batch normalisation needs its {rows} rows in one tile, which holds {LARGEST_BATCH}"
    return None


def run_fused(
    block: Block,
    update_stats: bool,
    kernels: jax.Array,
    weights: Any,
    stats: Any,
    draws: Draws,
    mask: jax.Array | None,
    x: jax.Array,
) -> tuple[jax.Array, Any]:
    """Run L equal layers. `why_not` must have returned None.

    Args:
        block: Block that every layer runs.
        update_stats: Whether batch normalisation uses the batch's statistics and updates the moving ones.
        kernels: Kernels [L, U, U].
        weights: Pytree of the other parameters [L, U].
        stats: Pytree of moving statistics [L, U].
        draws: Random numbers with a leading axis of layers: mask [L, B, U], rates [L] and slopes [L, B, U].
        mask: Booleans [B, 1]. Batch normalisation counts the rows with True. None counts all rows.
        x: Input rows [B, U].

    Returns:
        The last layer's output [B, U] and the moving statistics [L, U].
    """
    (length, units, _), (rows, _) = kernels.shape, x.shape
    needs_all = block.norm_place is not None and update_stats
    most = max(SMALLEST_TILE, pl.next_power_of_2(rows))
    tile = most if needs_all else min(most, LARGEST_TILE)
    tiles = -(-rows // tile)
    of_units, of_rows = (0, LANES - units), (0, tile * tiles - rows)
    block = block.clone(units=LANES)
    if needs_all and (of_rows[1] or mask is not None):
        counts = jnp.ones((rows, 1), x.dtype) if mask is None else mask.astype(x.dtype)
        mask = jnp.pad(counts, (of_rows, (0, 0)))
        block = block.clone(settles=True)
    else:
        mask = None

    def wide(leaf: jax.Array) -> jax.Array:
        return jnp.pad(leaf, ((0, 0), of_units))

    def of_batch(leaf: jax.Array | None) -> jax.Array | None:
        return None if leaf is None else jnp.pad(leaf.astype(x.dtype), ((0, 0), of_rows, of_units))

    rate = None
    if draws.kept is not None:
        rate = jnp.broadcast_to(jnp.asarray(draws.rate, x.dtype)[:, None], (length, LANES))
    fixed = ((jax.tree.map(wide, stats), rate), of_batch(draws.kept), of_batch(draws.slopes))
    layers: Any = (jnp.pad(kernels, ((0, 0), of_units, of_units)), jax.tree.map(wide, weights), fixed)
    y, moved = jnp.pad(x, (of_rows, of_units)), list[Any]()
    for first in range(0, length, MOST_LAYERS):
        part: Any = jax.tree.map(lambda leaf, first=first: leaf[first : first + MOST_LAYERS], layers)
        found: Any = _stack(Fused(block, update_stats, len(part[0]), tile, tiles), y, *part, mask)
        y, new = found
        moved.append(new)
    new = moved[0] if len(moved) == 1 else jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *moved)
    return y[:rows, :units], jax.tree.map(lambda leaf: leaf[:, :units], new)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _stack(of: Fused, x: jax.Array, kernels: jax.Array, weights: Any, fixed: Any, mask: jax.Array | None) -> tuple:
    """Run the layers on padded arrays."""
    return _forward(of, x, kernels, weights, fixed, mask)[0]


def _forward(of: Fused, x: jax.Array, kernels: jax.Array, weights: Any, fixed: Any, mask: jax.Array | None) -> tuple:
    """Run the layers and keep each one's input."""
    stats = fixed[0][0]
    given = (Rows(x), Whole(kernels), Whole(weights), _fixed(fixed), Rows(mask))
    kept = jax.ShapeDtypeStruct((of.length, *x.shape), x.dtype)
    made = (Rows(x), LayerRows(kept), Whole(stats if of.moves else None))
    y, inputs, new = _call(of, _forward_kernel, given, made)
    return (y, new if of.moves else stats), (inputs, kernels, weights, fixed, mask)


def _backward(of: Fused, residuals: tuple, cotangents: tuple) -> tuple:
    """Return the gradients by the input, the kernels and the other weights."""
    inputs, kernels, weights, fixed, mask = residuals
    dy = cotangents[0]
    given = (Rows(dy), LayerRows(inputs), Whole(kernels), Whole(weights), _fixed(fixed), Rows(mask))
    of_tiles = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((of.tiles, *leaf.shape), leaf.dtype), weights)
    dense = inputs if of.has_other_input else None
    made = (Rows(dy), LayerRows(inputs), LayerRows(dense), Tiles(of_tiles))
    dx, products, dense, dweights = _call(of, _backward_kernel, given, made)
    dense = inputs if dense is None else dense
    dimensions = (((1,), (1,)), ((0,), (0,)))  # [L, B, U] and [L, B, D]
    dkernels = jax.lax.dot_general(products, dense, dimensions, PRECISIONS[of.block.precision])
    dweights = jax.tree.map(lambda leaf: leaf[0] if of.tiles == 1 else leaf.sum(0), dweights)
    return dx, dkernels, dweights, None, None


_stack.defvjp(_forward, _backward)


def _fixed(fixed: Any) -> Any:
    """Say what a tile sees of the arrays that have no gradient."""
    of_layers, kept, slopes = fixed
    return Whole(of_layers), LayerRows(kept), LayerRows(slopes)


def _layer(of: Fused, x: jax.Array, kernel: jax.Array, weights: Any, fixed: Any, mask: Any, zeros: Any) -> Any:
    """Run one layer inside a kernel."""
    (stats, rate), kept, slopes = fixed
    draws = Draws() if kept is None else Draws(kept > 0, rate[None])
    variables = {"params": {**weights, "dense": {**weights["dense"], "kernel": kernel}}, "batch_stats": stats}
    perturb = None if zeros is None else lambda product: product + zeros
    mutable = ["batch_stats"] if of.moves else []
    arguments = (x, draws._replace(slopes=slopes), of.update_stats, mask, perturb)
    (y, dense), new = of.block.apply(variables, *arguments, mutable=mutable)
    return y, (dense, new.get("batch_stats", {}))


def _loop(of: Fused, layer: Any, first: jax.Array) -> jax.Array:
    """Run a function of (index, value) for each layer. The index has 32 bits also where JAX's integers have 64."""

    def body(carry: tuple[Any, jax.Array], _: None) -> tuple[tuple[Any, jax.Array], None]:
        index, value = carry
        return (index + np.int32(1), layer(index, value)), None

    return jax.lax.scan(body, (np.int32(0), first), None, length=of.length)[0][1]


def _at(refs: Any, index: Any) -> Any:
    """Read one layer's values from arrays with an axis of layers."""
    return jax.tree.map(lambda ref: ref[index], refs)


def _put(refs: Any, index: Any, values: Any) -> None:
    """Write one layer's values."""

    def put(ref: Any, value: jax.Array) -> None:
        ref[index] = value

    jax.tree.map(put, refs, values)


def _forward_kernel(of: Fused, given: Any, made: Any) -> None:
    """Run all layers on a tile of rows."""
    (x, kernels, weights, fixed, mask), (y, inputs, new) = given, made
    rows = None if mask is None else mask[...] > 0

    def layer(index: Any, x: jax.Array) -> jax.Array:
        inputs[index] = x
        y, (_, stats) = _layer(of, x, kernels[index], _at(weights, index), _at(fixed, index), rows, None)
        _put(new, index, stats if of.moves else None)
        return y

    y[...] = _loop(of, layer, x[...])


def _backward_kernel(of: Fused, given: Any, made: Any) -> None:
    """Run each layer again, from the last to the first, and pull the gradient back through it."""
    (dy, inputs, kernels, weights, fixed, mask), (dx, products, dense, dweights) = given, made
    rows = None if mask is None else mask[...] > 0

    def layer(step: Any, dy: jax.Array) -> jax.Array:
        index = np.int32(of.length - 1) - step
        own, kernel = _at(fixed, index), kernels[index]

        def run(x: jax.Array, weights: Any, zeros: jax.Array) -> Any:
            return _layer(of, x, kernel, weights, own, rows, zeros)

        x = inputs[index]
        _, pull_back, (dense_input, _) = jax.vjp(run, x, _at(weights, index), jnp.zeros_like(x), has_aux=True)
        dx, of_weights, of_product = pull_back(dy)
        products[index] = of_product
        if dense is not None:
            dense[index] = dense_input
        _put(dweights, (0, index), of_weights)
        return dx

    dx[...] = _loop(of, layer, dy[...])


class Rows(NamedTuple):
    """Arrays [B, ...]. A tile sees its rows."""

    tree: Any

    def spec(self, of: Fused, shape: tuple[int, ...]) -> pl.BlockSpec:
        """Return what a tile sees of an array."""
        return pl.BlockSpec((of.tile, *shape[1:]), lambda tile: (tile, 0))


class LayerRows(NamedTuple):
    """Arrays [L, B, U]. A tile sees its rows."""

    tree: Any

    def spec(self, of: Fused, shape: tuple[int, ...]) -> pl.BlockSpec:
        """Return what a tile sees of an array."""
        return pl.BlockSpec((of.length, of.tile, *shape[2:]), lambda tile: (0, tile, 0))


class Whole(NamedTuple):
    """Arrays that all tiles see."""

    tree: Any

    def spec(self, of: Fused, shape: tuple[int, ...]) -> pl.BlockSpec:
        """Return what a tile sees of an array."""
        del of
        return pl.BlockSpec(shape, lambda tile: (0,) * len(shape))


class Tiles(NamedTuple):
    """Arrays with a leading axis of tiles. Each tile writes its own part."""

    tree: Any

    def spec(self, of: Fused, shape: tuple[int, ...]) -> pl.BlockSpec:
        """Return what a tile sees of an array."""
        del of
        return pl.BlockSpec((1, *shape[1:]), lambda tile: (tile, *(0,) * (len(shape) - 1)))


PARTS: Final = (Rows, LayerRows, Whole, Tiles)


def _call(of: Fused, kernel: Any, given: Any, made: Any) -> Any:
    """Call a kernel with trees of arrays on the platform that the program is compiled for."""

    def flat(parts: Any) -> tuple[list[Any], list[pl.BlockSpec], Any]:
        """Return the arrays, what a tile sees of each, and the tree without its parts."""
        bare = jax.tree.map(lambda part: part.tree, parts, is_leaf=lambda part: isinstance(part, PARTS))
        specs = jax.tree.map(
            lambda part: [part.spec(of, leaf.shape) for leaf in jax.tree.leaves(part.tree)],
            parts,
            is_leaf=lambda part: isinstance(part, PARTS),
        )
        arrays, structure = jax.tree.flatten(bare)
        return arrays, jax.tree.leaves(specs, is_leaf=lambda spec: isinstance(spec, pl.BlockSpec)), structure

    arrays, in_specs, in_structure = flat(given)
    shapes, out_specs, out_structure = flat(made)

    def body(*refs: Any) -> None:
        kernel(of, in_structure.unflatten(refs[: len(arrays)]), out_structure.unflatten(refs[len(arrays) :]))

    def called(**options: Any) -> Any:
        out_shape = [jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in shapes]
        return pl.pallas_call(
            body, out_shape, grid=(of.tiles,), in_specs=in_specs, out_specs=out_specs, name="hidden_layers", **options
        )

    triton = called(compiler_params=plgpu.CompilerParams(num_warps=8, num_stages=1))
    results = jax.lax.platform_dependent(*arrays, cpu=called(interpret=True), tpu=called(), cuda=triton, rocm=triton)
    return out_structure.unflatten(results)
