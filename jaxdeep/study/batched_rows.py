"""Trials as rows of arrays [S, ...]: placed on the devices, stacked, taken and put back."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np

from jaxdeep.train.programs import sharding
from jaxdeep.train.state import TrainState


def placed(tree: Any, *, shared: bool = False) -> Any:
    """Put arrays where the programs expect them.

    Args:
        tree: arrays [S, ...], which are divided among the devices by trials.
        shared: whether all trials share the arrays. They then stand on each device.
    """
    return jax.device_put(tree, sharding(shared))


def stacked(trees: Sequence[Any]) -> Any:
    """Stack one tree for each trial on the host: a program that stacks so many arrays takes long to compile."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *jax.device_get(list(trees)))


@jax.jit
def taken(tree: Any, rows: int | np.ndarray) -> Any:
    """Return one row of arrays [S, ...], or several."""
    return jax.tree.map(lambda leaf: leaf[rows], tree)


@partial(jax.jit, donate_argnums=0)
def with_row(tree: Any, row: int, values: Any) -> Any:
    """Return arrays [S, ...] with another row in place of one; the arrays are donated."""
    return jax.tree.map(lambda leaf, value: leaf.at[row].set(value), tree, values)


def on_host(states: TrainState, rows: Mapping[int, int]) -> dict[int, TrainState]:
    """Return some trials' states as NumPy arrays, by one transfer; their keys as the keys' data.

    Rows that are few are taken apart on the device first, in numbers that are powers of two, so that few programs are
    compiled for it. No more than half of the rows is copied there.

    Args:
        states: states of all rows, [S, ...].
        rows: the rows of the trials that are wanted, by trial.
    """
    states = states._replace(key=jax.random.key_data(states.key))
    wanted, size = list(rows.values()), 1 << (len(rows) - 1).bit_length()
    if 2 * size <= len(states.epoch):
        states = taken(states, np.asarray(wanted + wanted[:1] * (size - len(wanted))))
        wanted = list(range(len(rows)))
    host = jax.device_get(states)
    # copies: a view would keep all trials
    return {
        index: jax.tree.map(lambda leaf, row=row: np.array(leaf[row]), host)
        for index, row in zip(rows, wanted, strict=True)
    }
