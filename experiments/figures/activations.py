"""The activation functions: all that act on each element, the chapter's drawings of four, and the sigmoid's ends."""

from collections.abc import Callable
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from experiments.figures.figure import SMALL, Inputs, Picture, panels
from jaxdeep.nn.activations import ACTIVATIONS, SELU_ALPHA, SELU_SCALE, activation
from jaxdeep.nn.layers import RRELU_SLOPES, rrelu
from jaxdeep.report.style import BLUE, GREY, VERMILLION, lighter

OVER_UNITS: Final = ("softmax", "glu")
"""Activations that do not act on each element by itself."""
REACH: Final = 5.0
COLUMNS: Final = 4
LEAK: Final = 0.05
"""Slope below 0 with which the leaky ReLU is drawn, so that the leak can be seen."""
NEAR: Final = 0.5
"""Range around 0 in which the sigmoid is compared with its tangent."""


def draw_activations(inputs: Inputs) -> Picture:
    """Draw all activations that act on each element, each with its derivative.

    Args:
        inputs: Not used.
    """
    del inputs
    functions: dict[str, Callable[[jax.Array], jax.Array]] = {
        name: activation(name, None)  # pyright: ignore[reportArgumentType] of a name in the table
        for name in ACTIVATIONS
        if name not in OVER_UNITS
    }
    functions["rrelu"] = lambda x: rrelu(x, None)
    figure, grid = panels(-(-len(functions) // COLUMNS), COLUMNS, 9, sharex=True)
    for axes, (name, function) in zip(grid.flat, functions.items(), strict=False):
        x, y, slope = values_and_slopes(function)
        if name == "rrelu":
            low, high = (np.where(x < 0, rate * x, x) for rate in RRELU_SLOPES)
            axes.fill_between(x, low, high, color=lighter(BLUE, 0.6), linewidth=0)
        axes.plot(x, y, color=BLUE, linewidth=1.8, label="value")
        axes.plot(x, slope, "--", color=VERMILLION, linewidth=1.5, label="derivative")
        _cross(axes)
        axes.set(title=name, ylim=(-2.1, 3.1), xlim=(-REACH, REACH), xticks=(-4, 0, 4))
    for axes in grid.flat[len(functions) :]:
        axes.set_axis_off()
    for axes in grid[-1]:
        axes.set_xlabel("input")
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    low, high = (f"{rate:.3f}" for rate in RRELU_SLOPES)
    return Picture(figure, {"count": len(functions), "low": low, "high": high, "left_out": " and ".join(OVER_UNITS)})


def draw_rectifiers(inputs: Inputs) -> Picture:
    """Draw leaky ReLU, ELU and SELU as the chapter does.

    Args:
        inputs: Not used.
    """
    del inputs
    figure, grid = panels(1, 3, 3.4, sharey=True)
    ends = {"elu": -1.0, "selu": -SELU_SCALE * SELU_ALPHA}
    titles = {"leaky_relu": f"leaky ReLU (slope {LEAK:g})", "elu": "ELU (alpha 1)", "selu": "SELU"}
    for axes, (name, title) in zip(grid.flat, titles.items(), strict=True):
        function = activation(name, LEAK if name == "leaky_relu" else None)  # pyright: ignore[reportArgumentType]
        x, y, _ = values_and_slopes(function)
        axes.plot(x, y, color=BLUE, linewidth=2)
        _cross(axes)
        axes.set(title=title, xlim=(-REACH, REACH), ylim=(-2.2, 3.2), xlabel="input")
        if name in ends:
            axes.axhline(ends[name], color=VERMILLION, linestyle="--", linewidth=1.2)
            axes.annotate(f"{ends[name]:.3g}", (REACH - 0.2, ends[name]), (0, 3), **_words("right", "bottom"))
    arrow = {"arrowstyle": "->", "color": "black"}
    grid[0, 0].annotate(
        "leak", (-3.5, -3.5 * LEAK), (-3.5, -1.4), arrowprops=arrow, ha="center", fontsize=SMALL + 1, va="top"
    )
    grid[0, 0].set_ylabel("value")
    return Picture(figure, {"leak": f"{LEAK:g}", "alpha": f"{SELU_ALPHA:.4f}", "scale": f"{SELU_SCALE:.4f}"})


def draw_sigmoid(inputs: Inputs) -> Picture:
    """Draw where the sigmoid saturates and where it is nearly linear, as the chapter does.

    Args:
        inputs: Not used.
    """
    del inputs
    figure, grid = panels(1, 1, 4)
    axes = grid[0, 0]
    x, y, slope = values_and_slopes(jax.nn.sigmoid)
    tangent = 0.5 + x / 4
    axes.plot(x, y, color=BLUE, linewidth=2.2, label="sigmoid")
    axes.plot(x, slope, "--", color=VERMILLION, linewidth=1.6, label="its derivative")
    axes.plot(x, tangent, ":", color=GREY, linewidth=1.6, label="tangent at 0")
    for height in (0, 1):
        axes.axhline(height, color="black", linewidth=0.8)
    axes.axvline(0, color="black", linewidth=0.8)
    look: Any = {"arrowprops": {"arrowstyle": "->", "color": "black"}, "ha": "center", "fontsize": SMALL + 2}
    axes.annotate("saturating", (3.8, float(_sigmoid(3.8))), (3.8, 0.68), **look)
    axes.annotate("saturating", (-3.8, float(_sigmoid(-3.8))), (-3.8, 0.38), **look)
    axes.annotate("linear", (0.25, float(_sigmoid(0.25))), (1.7, 0.36), **look)
    axes.set(xlim=(-REACH, REACH), ylim=(-0.2, 1.2), xlabel="input", ylabel="value")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", fontsize=SMALL)
    error = float(np.abs(y - tangent)[np.abs(x) <= NEAR].max())
    share = float(slope[-1] / slope.max())
    return Picture(figure, {"near": f"{NEAR:g}", "error": f"{error:.4f}", "end": f"{REACH:g}", "share": f"{share:.1%}"})


def values_and_slopes(function: Callable[[jax.Array], jax.Array]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return inputs, values and derivatives of an activation.

    Args:
        function: Function that acts on each element.

    Returns:
        Three arrays [N]: inputs from -5 to 5, values, and derivatives. A derivative that jumps is joined by a line.
    """
    x = jnp.linspace(-REACH, REACH, 401, dtype=jnp.float32)
    y, slope = jax.jit(lambda of: jax.jvp(function, (of,), (jnp.ones_like(of),)))(x)
    return np.asarray(x), np.asarray(y), np.asarray(slope)


def _sigmoid(x: float) -> np.floating:
    return 1 / (1 + np.exp(-x))


def _cross(axes: Any) -> None:
    """Draw the two axes through 0."""
    axes.axhline(0, color="black", linewidth=0.8)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.grid(alpha=0.3)


def _words(across: str, up: str) -> dict[str, Any]:
    """Return the look of a value beside its line."""
    return {"textcoords": "offset points", "ha": across, "va": up, "fontsize": SMALL, "color": VERMILLION}
