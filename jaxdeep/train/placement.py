"""Where the rows of a batch stand while a program of several devices is traced.

One run on several devices is the plain program with annotations: each device gets a part of a batch's rows, and XLA
finds from that what else is divided and what is summed over the devices. Without a mesh nothing is annotated.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec

ROWS: Final = "rows"
"""Name of the axis of devices among which the rows of a batch are divided."""
_MESH: Final[ContextVar[Mesh | None]] = ContextVar("mesh", default=None)


@contextmanager
def divided_over(mesh: Mesh) -> Iterator[None]:
    """Divide the batches of programs that are traced in this context.

    Args:
        mesh: Devices as one axis with the name ROWS.
    """
    token = _MESH.set(mesh)
    try:
        yield
    finally:
        _MESH.reset(token)


def by_rows(tree: Any) -> Any:
    """Divide batches among the devices of the present mesh.

    Args:
        tree: Arrays [steps, B, ...], which hold the batches of an epoch.

    Returns:
        The same arrays, with their rows divided if there is a mesh.
    """
    mesh = _MESH.get()
    if mesh is None:
        return tree
    placed = NamedSharding(mesh, PartitionSpec(None, ROWS))
    return jax.tree.map(lambda leaf: jax.lax.with_sharding_constraint(leaf, placed), tree)


def map_rows(function: Callable[[Any], Any], rows: Any, batch_size: int) -> Any:
    """Apply a function to each row, a batch of rows at a time.

    Args:
        function: Function of one row.
        rows: Arrays [N, ...] of the rows.
        batch_size: Number of rows at a time. With a mesh the rows of each such batch are divided among its devices.

    Returns:
        Arrays [N, ...] of the function's values.
    """
    mesh = _MESH.get()
    if mesh is None:
        return jax.lax.map(function, rows, batch_size=batch_size)
    count = len(jax.tree.leaves(rows)[0])
    size = min(batch_size, count)
    size = -(-size // mesh.size) * mesh.size
    batches = -(-count // size)

    def in_batches(leaf: jax.Array) -> jax.Array:
        filling = [(0, batches * size - count), *((0, 0) for _ in leaf.shape[1:])]
        return jnp.pad(leaf, filling).reshape(batches, size, *leaf.shape[1:])

    def take(_: None, batch: Any) -> tuple[None, Any]:
        return None, jax.vmap(function)(batch)

    _, found = jax.lax.scan(take, None, by_rows(jax.tree.map(in_batches, rows)))
    return jax.tree.map(lambda leaf: leaf.reshape(batches * size, *leaf.shape[2:])[:count], found)
