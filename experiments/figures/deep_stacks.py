"""Values that pass through a thousand dense layers, as the chapter's notebook has them, and with one thing changed."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from jaxdeep.nn.activations import SELU_ALPHA, SELU_SCALE

LAYERS, ROWS, UNITS, SEED = 1_000, 500, 100, 42
LOST: Final = 1e-9, 1e9
"""Standard deviations below and above which a stack is lost, so that no more layers are computed."""
SKETCHED: Final = np.unique(np.geomspace(1, LAYERS, 80).astype(int)) - 1
"""Indices of the layers that a figure draws, closer at the start."""
SKETCHED_ROWS: Final = 100
BLOCK: Final = 25
"""Number of rows that are multiplied at once, a divisor of both numbers of rows."""

Function = Callable[[np.ndarray], np.ndarray]


class Moments(NamedTuple):
    """Mean and standard deviation behind each layer.

    Attributes:
        layers: [L], indices of the layers from 0 on.
        means: [L], means over rows and units.
        deviations: [L], means over units of the standard deviations over rows, as the chapter prints them.
    """

    layers: np.ndarray
    means: np.ndarray
    deviations: np.ndarray


def selu(x: np.ndarray) -> np.ndarray:
    """Return SELU in the type of its input.

    Args:
        x: Values of any shape.
    """
    return x.dtype.type(SELU_SCALE) * np.where(x > 0, x, x.dtype.type(SELU_ALPHA) * np.expm1(np.minimum(x, 0)))


@dataclass(frozen=True, eq=False)
class Stack:
    """A stack of layers. The defaults are the chapter's.

    Attributes:
        activation: Function that acts on each element.
        gain: Variance of a weight times the number of inputs, "glorot" for the gain 2 inputs / (inputs + units).
        widths: Numbers of units that the layers take by turns.
        is_uniform: Whether weights are drawn from a uniform distribution.
        prepare: Function of the input rows, which are standard normal.
        noise: Function (generator, values) of each layer's values, such as dropout. None leaves them as they are.
        constrain: Function of each kernel [inputs, units]. None leaves it as it is.
        is_skipping: Whether a layer's input is added to its output.
    """

    activation: Function = selu
    gain: float | str = 1.0
    widths: tuple[int, ...] = (UNITS,)
    is_uniform: bool = False
    prepare: Function | None = None
    noise: Callable[[np.random.RandomState, np.ndarray], np.ndarray] | None = None
    constrain: Function | None = None
    is_skipping: bool = False


def moments(stack: Stack, layers: int = LAYERS) -> Moments:
    """Return the moments behind each layer of a stack, in float64.

    Inputs are drawn first, then each layer's weights, by `np.random.RandomState(42)`. That is how the notebook's
    figures come out to the digit. Masks and other weights have a generator of their own.

    Args:
        stack: The stack of layers.
        layers: Number of layers, 1 or more. Fewer are computed if the values vanish or explode.
    """
    return _moments(stack, np.arange(layers), np.float64, ROWS)


@lru_cache
def sketch(stack: Stack) -> Moments:
    """Return the moments of the first 100 rows behind some of the layers of a stack, in float32, which is quick.

    Args:
        stack: The stack of layers.
    """
    return _moments(stack, SKETCHED, np.float32, SKETCHED_ROWS)


def _moments(stack: Stack, wanted: np.ndarray, dtype: type[np.floating], rows: int) -> Moments:
    """Return the moments behind the wanted layers, up to the first one whose values have vanished or exploded."""
    inputs, normals = _drawn()
    x = inputs[:rows].astype(dtype)
    x = x if stack.prepare is None else stack.prepare(x)
    random, asked, found = np.random.RandomState(SEED + 1), set(wanted.tolist()), []
    for layer in range(wanted[-1] + 1):
        kernel = _kernel(random, normals[layer], stack, x.shape[1], layer).astype(dtype)
        y = stack.activation(_product(x, kernel if stack.constrain is None else stack.constrain(kernel)))
        y = y if stack.noise is None else stack.noise(random, y)
        x = x + y if stack.is_skipping else y
        if layer in asked:
            found.append((layer, x.mean(axis=0).mean(), x.std(axis=0).mean()))
            if not LOST[0] < found[-1][2] < LOST[1]:
                break
    layers, means, deviations = zip(*found, strict=True)
    return Moments(np.asarray(layers), np.asarray(means), np.asarray(deviations))


def printed_lines(found: Moments, step: int = 100) -> list[str]:
    """Return the lines that the notebook prints, one for each hundredth layer.

    Args:
        found: Moments of all layers.
        step: Number of layers from a line to the next.

    >>> printed_lines(Moments(np.arange(1), np.asarray([-0.0018]), np.asarray([0.9993])))
    ['Layer 0: mean -0.00, std deviation 1.00']
    """
    rows = zip(found.layers[::step], found.means[::step], found.deviations[::step], strict=True)
    return [f"Layer {layer}: mean {mean:.2f}, std deviation {deviation:.2f}" for layer, mean, deviation in rows]


@lru_cache
def _drawn() -> tuple[np.ndarray, np.ndarray]:
    """Return the input rows [500, 100], and standard-normal numbers [1,000, 100, 100] that weights are made of."""
    random = np.random.RandomState(SEED)
    return random.normal(size=(ROWS, UNITS)), random.normal(size=(LAYERS, UNITS, UNITS))


def _product(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Return the matrix product of rows and a kernel, block by block.

    BLAS computes so small blocks in one thread. Threads that wait for each other are slower on a busy machine.
    """
    return (x.reshape(-1, BLOCK, x.shape[1]) @ kernel).reshape(len(x), -1)


def _kernel(random: np.random.RandomState, normals: np.ndarray, stack: Stack, inputs: int, layer: int) -> np.ndarray:
    """Return the weights [inputs, units] of a layer. Square layers of normal weights take the numbers drawn before."""
    units = stack.widths[layer % len(stack.widths)]
    gain = 2 * inputs / (inputs + units) if isinstance(stack.gain, str) else stack.gain
    deviation = math.sqrt(gain / inputs)
    if stack.is_uniform:
        return random.uniform(-math.sqrt(3) * deviation, math.sqrt(3) * deviation, (inputs, units))
    return deviation * (normals if normals.shape == (inputs, units) else random.normal(size=(inputs, units)))
