"""Networks before training: how large values and gradients are in each layer, and how many units are dead."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.figures.figure import Inputs, Picture, panels
from jaxdeep.nn.activations import activation
from jaxdeep.nn.initializers import INITIALIZERS
from jaxdeep.report.style import DASHES, GREY, series

LAYERS, UNITS, ROWS, SEEDS = 20, 100, 500, 5
INITIALISERS: Final = {"glorot_normal": "Glorot", "he_normal": "He", "lecun_normal": "LeCun"}
ACTIVATIONS: Final = ("sigmoid", "tanh", "relu", "selu")
WITH_DEAD: Final = ("relu", "thresholded_relu", "leaky_relu")
TICKS: Final = (1, 5, 10, 15, 20)
LIMITS: Final = ((1e-4, 100.0), (1e-14, 1e3))
"""Ends of the axes of values and of gradients."""


class Signals(NamedTuple):
    """Figures of each layer of untrained networks, for each seed.

    Attributes:
        values: Standard deviations [S, L] of the layers' outputs.
        gradients: Standard deviations [S, L] of the loss's gradient with respect to the layers' outputs.
        dead: Shares [S, L] of units whose output is 0 for every row.
        zeros: Shares [S, L] of outputs that are 0.
    """

    values: np.ndarray
    gradients: np.ndarray
    dead: np.ndarray
    zeros: np.ndarray


@lru_cache
def signals(activation_name: str, initialiser: str) -> Signals:
    """Return the figures of untrained networks on standard-normal rows.

    The gradient is that of a random linear function of the last layer's outputs.

    Args:
        activation_name: Name of the activation.
        initialiser: Name of the initialiser.
    """
    return Signals(*map(np.asarray, _program(activation_name)(kernels(initialiser), *rows_and_heads())))


@lru_cache
def kernels(initialiser: str) -> jax.Array:
    """Return the weights [S, L, units, units] of all seeds.

    Args:
        initialiser: Name of the initialiser.
    """
    keys = jax.random.split(jax.random.key(0), SEEDS * LAYERS)
    drawn = jax.vmap(lambda key: INITIALIZERS[initialiser](key, (UNITS, UNITS), jnp.float32))(keys)
    return drawn.reshape(SEEDS, LAYERS, UNITS, UNITS)


@lru_cache
def rows_and_heads() -> tuple[jax.Array, jax.Array]:
    """Return the input rows and the gradients of the last layer's outputs, both [S, rows, units]."""
    rows, heads = jax.random.normal(jax.random.key(1), (2, SEEDS, ROWS, UNITS), jnp.float32)
    return rows, heads


@lru_cache
def _program(activation_name: str) -> Callable[..., tuple[jax.Array, ...]]:
    """Return the compiled function of weights, rows and heads that computes the signals of all seeds."""
    function: Any = activation(activation_name, None)  # pyright: ignore[reportArgumentType] of a name in the table

    def layer(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, jax.Array]:
        y = function(x @ kernel)
        return y, y

    def back(gradient: jax.Array, of_layer: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        x, kernel = of_layer
        (before,) = jax.vjp(lambda x: function(x @ kernel), x)[1](gradient)
        largest = jnp.abs(gradient).max() + jnp.finfo(gradient.dtype).tiny  # squares of small gradients would be 0
        return before, (gradient / largest).std() * largest

    def of_seed(arrays: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, ...]:
        weights, rows, head = arrays
        _, outputs = jax.lax.scan(layer, rows, weights)
        _, gradients = jax.lax.scan(back, head, (jnp.concatenate([rows[None], outputs[:-1]]), weights), reverse=True)
        is_zero = outputs == 0
        return outputs.std((1, 2)), gradients, is_zero.all(1).mean(1), is_zero.mean((1, 2))

    return jax.jit(lambda *arrays: jax.lax.map(of_seed, arrays))


def draw_signals(inputs: Inputs) -> Picture:
    """Draw the size of values and gradients by layer, a column for each activation and a line for each initialiser.

    Args:
        inputs: Not used.
    """
    del inputs
    figure, grid = panels(2, len(ACTIVATIONS), 5.6, sharex=True, sharey="row")
    layers = np.arange(1, LAYERS + 1)
    for column, name in zip(grid.T, ACTIVATIONS, strict=True):
        column[0].set_title(name)
        for index, (initialiser, label) in enumerate(INITIALISERS.items()):
            found, look = signals(name, initialiser), series(index, len(INITIALISERS))
            for axes, of_layer, ends in zip(column, (found.values, found.gradients), LIMITS, strict=True):
                line, band = _line(index), np.maximum(of_layer, ends[0] / 10)
                axes.fill_between(layers, band.min(0), band.max(0), color=look.color, alpha=0.2, linewidth=0)
                axes.plot(layers, np.exp(np.log(band).mean(0)), **line, label=label)
                axes.set(yscale="log", ylim=ends, xticks=TICKS)
                axes.axhline(1, color=GREY, linestyle=":", linewidth=1)
                axes.grid(alpha=0.3)
        column[1].set_xlabel("layer")
    grid[0, 0].set_ylabel("standard deviation\nof the values")
    grid[1, 0].set_ylabel("standard deviation\nof the gradients")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(INITIALISERS))
    ratio = np.log10(signals("sigmoid", "glorot_normal").gradients[:, 0]).mean()
    kept = signals("selu", "lecun_normal")
    size = {"layers": LAYERS, "units": UNITS, "rows": ROWS, "seeds": SEEDS}
    return Picture(
        figure, {**size, "sigmoid": f"{ratio:.0f}", "selu": f"{np.exp(np.log(kept.gradients[:, 0]).mean()):.2g}"}
    )


def draw_dead_units(inputs: Inputs) -> Picture:
    """Draw the share of dead units and of zeros by layer.

    Args:
        inputs: Not used.
    """
    del inputs
    figure, grid = panels(2, len(WITH_DEAD), 5.4, sharex=True, sharey=True)
    layers = np.arange(1, LAYERS + 1)
    for column, name in zip(grid.T, WITH_DEAD, strict=True):
        column[0].set_title(name)
        for index, (initialiser, label) in enumerate(INITIALISERS.items()):
            found = signals(name, initialiser)
            for axes, of_layer in zip(column, (found.dead, found.zeros), strict=True):
                axes.fill_between(
                    layers, of_layer.min(0), of_layer.max(0), color=_line(index)["color"], alpha=0.2, linewidth=0
                )
                axes.plot(layers, of_layer.mean(0), **_line(index), label=label)
                axes.set(ylim=(-0.03, 1.03), xticks=TICKS)
                axes.grid(alpha=0.3)
        column[1].set_xlabel("layer")
    grid[0, 0].set_ylabel("share of dead units")
    grid[1, 0].set_ylabel("share of zeros")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(INITIALISERS))
    he = signals("relu", "he_normal")
    size = {"layers": LAYERS, "units": UNITS, "rows": ROWS, "seeds": SEEDS}
    return Picture(figure, {**size, "dead": f"{he.dead[:, -1].mean():.0%}", "zeros": f"{he.zeros[:, 0].mean():.0%}"})


def _line(index: int) -> dict[str, Any]:
    """Return the look of an initialiser's line."""
    look = series(index, len(INITIALISERS))
    marks = {"marker": look.marker, "markersize": 4, "markevery": (2 * index, 6)}
    return {"color": look.color, "linestyle": DASHES[index], "linewidth": 1.6, **marks}
