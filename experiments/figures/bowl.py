"""The optimizers on an elongated bowl, and the speed that momentum reaches on a constant slope."""

from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from experiments.figures.figure import SMALL, Inputs, Picture, panels
from jaxdeep.config import Optim
from jaxdeep.optim.optimizers import optimizer
from jaxdeep.optim.schedules import Rates
from jaxdeep.report.style import GREY, series

CURVATURES: Final = (1.0, 25.0)
"""Second derivatives of the bowl along and across it."""
START: Final = (-4.0, 1.2)
STEPS: Final = 150
FREE, FREE_STEPS = 0.99999, 60
"""Momentum that hardly loses speed, and the number of its steps that the path shows."""
GROUPS: Final[dict[str, dict[str, Optim]]] = {
    "one rate for all directions": {
        "SGD": Optim("sgd", 0.03),
        "momentum .9": Optim("momentum", 0.01),
        "Nesterov .9": Optim("nesterov", 0.01),
        "momentum .99999": Optim("momentum", 0.01, beta_1=FREE),
    },
    "a rate for each direction": {
        "AdaGrad": Optim("adagrad", 0.2),
        "RMSProp": Optim("rmsprop", 0.05),
        "Adam": Optim("adam", 0.2),
        "Nadam": Optim("nadam", 0.2),
    },
}
BETAS: Final = (0.0, 0.5, 0.9, 0.99)
SLOPE_STEPS: Final = 1_000


def bowl(point: jax.Array) -> jax.Array:
    """Return the height of the bowl, half the sum of curvature times squared coordinate.

    Args:
        point: Coordinates [2].
    """
    return 0.5 * jnp.sum(jnp.asarray(CURVATURES, point.dtype) * point**2)


def path(optim: Optim, steps: int = STEPS) -> np.ndarray:
    """Return the points that an optimizer visits.

    Args:
        optim: The optimizer, with its rate.
        steps: Number of steps.

    Returns:
        Points [steps + 1, 2], the start first.
    """
    rule = optimizer(optim, Rates(jnp.float32(optim.learning_rate), jnp.float32(optim.beta_1)))

    def step(carry: Any, _: None) -> tuple[Any, jax.Array]:
        point, state = carry
        updates, state = rule.update(jax.grad(bowl)(point), state, point)
        return (point + updates, state), point + updates

    start = jnp.asarray(START, jnp.float32)
    _, points = jax.lax.scan(step, (start, rule.init(start)), length=steps)
    return np.concatenate([np.asarray(start)[None], np.asarray(points)])


def draw_optimizer_paths(inputs: Inputs) -> Picture:
    """Draw the paths of eight optimizers on an elongated bowl, and their heights by step.

    Args:
        inputs: Not used.
    """
    del inputs
    figure, grid = panels(2, 2, 8, sharey="row")
    numbers: dict[str, Any] = {"steps": STEPS, "ratio": f"{CURVATURES[1] / CURVATURES[0]:g}"}
    x, y = np.meshgrid(np.linspace(-5, 5, 120), np.linspace(-1.7, 1.7, 80))
    heights = 0.5 * (CURVATURES[0] * x**2 + CURVATURES[1] * y**2)
    for (upper, lower), (title, group) in zip(grid.T, GROUPS.items(), strict=True):
        upper.contour(x, y, heights, levels=np.geomspace(0.05, 40, 10), colors="0.8", linewidths=0.8)
        for index, (name, optim) in enumerate(group.items()):
            found, look = path(optim), series(index, len(group))
            line: dict[str, Any] = {"color": look.color, "marker": look.marker, "label": name, "linewidth": 1.3}
            shown = found[: FREE_STEPS + 1] if optim.beta_1 == FREE else found
            upper.plot(*shown.T, **line, markersize=2.5, zorder=1.5 if optim.beta_1 == FREE else 2)
            look_of_end: dict[str, Any] = {"color": look.color, "markeredgecolor": "black", "zorder": 4}
            upper.plot(*shown[-1], look.marker, markersize=8, **look_of_end)
            after = 0.5 * (found**2 * np.asarray(CURVATURES)[None]).sum(1)
            lower.plot(np.arange(STEPS + 1), after, **line, markersize=4, markevery=(4 * index, 20))
            if name in ("AdaGrad", "Adam"):
                numbers[name] = f"{after[-1]:.1g}"
            if optim.beta_1 == FREE:
                numbers |= {"free_steps": FREE_STEPS, "free": f"{after[-1]:.2g}"}
                numbers["crossings"] = int(np.sum(np.diff(np.sign(found[:, 1])) != 0))
        upper.plot(0, 0, "*", color="black", markersize=11)
        upper.set(title=title, xlim=(-5, 5), ylim=(-1.7, 1.7), xlabel="along the bowl")
        lower.set(yscale="log", ylim=(1e-8, 100), xlabel="steps")
        lower.grid(alpha=0.3)
        lower.legend(fontsize=SMALL, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    grid[0, 0].set_ylabel("across the bowl")
    grid[1, 0].set_ylabel("height above the lowest point")
    return Picture(figure, numbers)


def speeds(beta: float, steps: int = SLOPE_STEPS) -> np.ndarray:
    """Return momentum's step on a constant slope, in multiples of gradient descent's step.

    Args:
        beta: Momentum, in [0, 1).
        steps: Number of steps.

    Returns:
        Multiples [steps], which approach 1 / (1 - beta).
    """
    rate = 0.01
    rule = optimizer(Optim("momentum", rate), Rates(jnp.float32(rate), jnp.float32(beta)))
    slope = jnp.ones(1, jnp.float32)

    def step(state: Any, _: None) -> tuple[Any, jax.Array]:
        updates: Any
        updates, state = rule.update(slope, state)
        return state, -updates / rate

    return np.asarray(jax.lax.scan(step, rule.init(slope), length=steps)[1])[:, 0]


def draw_terminal_velocity(inputs: Inputs) -> Picture:
    """Draw how fast momentum gets on a constant slope.

    Args:
        inputs: Not used.
    """
    del inputs
    figure, grid = panels(1, 1, 4)
    axes, numbers = grid[0, 0], {}
    steps = np.arange(1, SLOPE_STEPS + 1)
    shown = np.unique(np.geomspace(1, SLOPE_STEPS, 120).astype(int)) - 1
    for index, beta in enumerate(BETAS):
        look, found = series(index, len(BETAS)), speeds(beta)
        axes.axhline(1 / (1 - beta), color=GREY, linestyle=":", linewidth=1.2)
        axes.plot(steps[shown], found[shown], color=look.color, marker=look.marker, markevery=(4 * index, 20))
        axes.text(
            0.95 * SLOPE_STEPS, 1.08 / (1 - beta), f"momentum {beta:g}: {found[-1]:.3g} times", ha="right", va="bottom"
        )
        if beta == 0.9:
            reached = int(steps[found >= 0.99 / (1 - beta)][0])
            numbers = {"speed": f"{found[-1]:.4g}", "reached": reached, "beta": f"{beta:g}"}
    axes.set(xscale="log", yscale="log", xlabel="steps", ylim=(0.8, 220), xlim=(1, SLOPE_STEPS))
    axes.set_ylabel("step, in steps of gradient descent")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(alpha=0.3)
    return Picture(figure, numbers)
