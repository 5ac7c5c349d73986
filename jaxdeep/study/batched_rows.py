"""Trials as rows of arrays [S, ...]: placing them on devices, stacking them, taking rows and putting rows back."""

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
        tree: Arrays [S, ...], which are divided among the devices by trials.
        shared: Whether all trials share the arrays. Each device then holds them.

    Returns:
        The same tree on the devices.
    """
    return jax.device_put(tree, sharding(shared))


def stacked(trees: Sequence[Any]) -> Any:
    """Stack the trees of S trials on the host. A program that stacks many arrays would take long to compile.

    Args:
        trees: One tree of arrays [...] for each trial.

    Returns:
        A tree of NumPy arrays [S, ...].
    """
    return jax.tree.map(lambda *leaves: np.stack(leaves), *jax.device_get(list(trees)))


@jax.jit
def taken(tree: Any, rows: int | np.ndarray) -> Any:
    """Return one or several rows of arrays.

    Args:
        tree: Arrays [S, ...].
        rows: Index of a row, or indices [n].

    Returns:
        Arrays [...] for one index, or [n, ...] for n indices.
    """
    return jax.tree.map(lambda leaf: leaf[rows], tree)


@partial(jax.jit, donate_argnums=0)
def with_row(tree: Any, row: int, values: Any) -> Any:
    """Return arrays with one row replaced. The arrays are donated.

    Args:
        tree: Arrays [S, ...].
        row: Index of the row in 0 .. S - 1.
        values: Arrays [...] of the new row.

    Returns:
        Arrays [S, ...].
    """
    return jax.tree.map(lambda leaf, value: leaf.at[row].set(value), tree, values)


def on_host(states: TrainState, rows: Mapping[int, int]) -> dict[int, TrainState]:
    """Return the states of several trials as NumPy arrays by one transfer. Their keys become key data.

    The number of rows is rounded up to a power of two. If that is at most half of all rows, the rows are first taken on
    the device. Few programs are compiled for it.

    Args:
        states: States of all rows [S, ...].
        rows: Row of each wanted trial by the trial's index.

    Returns:
        State of each wanted trial by the trial's index.
    """
    states = states._replace(key=jax.random.key_data(states.key))
    wanted, size = list(rows.values()), 1 << (len(rows) - 1).bit_length()
    if 2 * size <= len(states.epoch):
        states = taken(states, np.asarray(wanted + wanted[:1] * (size - len(wanted))))
        wanted = list(range(len(rows)))
    host = jax.device_get(states)
    # copies, since a view would keep all trials
    return {
        index: jax.tree.map(lambda leaf, row=row: np.array(leaf[row]), host)
        for index, row in zip(rows, wanted, strict=True)
    }
