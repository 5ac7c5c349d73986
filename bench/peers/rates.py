"""Measure how fast this machine multiplies matrices of given shapes and copies arrays of a given size, hot.

    python -m bench.peers.rates TASK one|all

TASK is JSON such as {"products": [[32, 3072, 100], ...], "precision": "highest", "copy_bytes": 2000840}.

Every product is measured in XLA with each operand stored plainly and transposed. On a CPU it is measured by NumPy's
BLAS too. The same operands are used again and again, so that they stay in the caches.
"""

import json
import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.peers.jax_device import platform, precision
from bench.peers.serving import Answer, serve
from jaxdeep.config.choices import MatmulPrecision
from jaxdeep.nn.layers import PRECISIONS

SECONDS = 0.05
"""Seconds of one measurement, about. They are long enough for every thread to be awake."""
FLOPS = 1e11
"""Floating-point operations a second, about, to choose the number of repetitions."""


def build(task: str, threads: str) -> tuple[Mapping[str, Any], Answer]:
    """Compile the measurements.

    Args:
        task: JSON text with `products`, a list of shapes [M, K, N] or [L, M, K, N], their `precision` as in
            `train.matmul_precision`, and `copy_bytes`.
        threads: "one" for one thread, or "all".

    Returns:
        JSON values of the machine, and the function that answers any request. It returns microseconds by name and way.
    """
    if threads == "one":  # JAX has as many threads as the process has cores when it first computes
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    parsed = json.loads(task)
    measurements: dict[str, dict[str, Callable[[], float]]] = {}
    for shape in map(tuple, parsed["products"]):
        ways = {f"xla {layout}": _product(shape, layout, parsed["precision"]) for layout in ("nn", "nt", "tn", "tt")}
        if platform() == "cpu":
            ways["numpy"] = _numpy_product(shape)
        measurements["x".join(map(str, shape))] = ways
    copies = {"xla": _copy(parsed["copy_bytes"])}
    if platform() == "cpu":
        copies["numpy"] = _numpy_copy(parsed["copy_bytes"])
    measurements["copy"] = copies

    def answer(_: Mapping[str, Any]) -> Mapping[str, Any]:
        return {name: {way: seconds() * 1e6 for way, seconds in ways.items()} for name, ways in measurements.items()}

    answer({})  # the warm-up
    return {
        "platform": platform(),
        "precision": precision(parsed["precision"]),
        "cores": len(os.sched_getaffinity(0)),
    }, answer


def _product(shape: tuple[int, ...], layout: str, chosen: MatmulPrecision) -> Callable[[], float]:
    """Return a measurement of [M, K] x [K, N] or [L, M, K] x [L, K, N]. The letter "t" marks a transposed operand."""
    *stack, m, k, n = shape
    sizes = ((m, k) if layout[0] == "n" else (k, m), (k, n) if layout[1] == "n" else (n, k))
    rng = np.random.default_rng(0)
    left, right = (jnp.asarray(rng.normal(size=(*stack, *size)), jnp.float32) for size in sizes)
    first = len(stack)
    contracted: Any = ((first + (layout[0] == "n"),), (first + (layout[1] == "t"),))
    batched: Any = (tuple(range(first)),) * 2
    repetitions = _repetitions(2 * math.prod(shape))

    def repeated(left: jax.Array, right: jax.Array) -> jax.Array:
        def body(left: jax.Array, _: None) -> tuple[jax.Array, None]:
            product = jax.lax.dot_general(left, right, (contracted, batched), PRECISIONS[chosen])
            corner = (0,) * left.ndim
            return left.at[corner].add(1e-30 * product[corner]), None  # the next product waits for this one

        return jax.lax.scan(body, left, length=repetitions)[0]

    return _of_program(repeated, (left, right), repetitions)


def _copy(size: int) -> Callable[[], float]:
    """Return a measurement of a copy in XLA."""
    repetitions = 200

    def repeated(x: jax.Array) -> jax.Array:
        return jax.lax.scan(lambda x, _: (x * 1.0000001, None), x, length=repetitions)[0]

    return _of_program(repeated, (jnp.ones(size // 4, jnp.float32),), repetitions)


def _of_program(function: Callable, arguments: tuple[jax.Array, ...], repetitions: int) -> Callable[[], float]:
    """Return a function that runs a compiled program and returns the seconds of one repetition."""
    program = jax.jit(function).lower(*arguments).compile()

    def seconds() -> float:
        began = time.perf_counter()
        jax.block_until_ready(program(*arguments))
        return (time.perf_counter() - began) / repetitions

    return seconds


def _numpy_product(shape: tuple[int, ...]) -> Callable[[], float]:
    """Return a measurement of a product by NumPy's BLAS."""
    *stack, m, k, n = shape
    rng = np.random.default_rng(0)
    left, right = (rng.normal(size=(*stack, *size)).astype(np.float32) for size in ((m, k), (k, n)))
    out = np.empty((*stack, m, n), np.float32)
    repetitions = _repetitions(2 * math.prod(shape))

    def seconds() -> float:
        began = time.perf_counter()
        for _ in range(repetitions):
            np.matmul(left, right, out=out)
        return (time.perf_counter() - began) / repetitions

    return seconds


def _numpy_copy(size: int) -> Callable[[], float]:
    """Return a measurement in which every core copies its share, again and again."""
    cores, repetitions = len(os.sched_getaffinity(0)), 200
    shares = [(np.ones(size // 4 // cores, np.float32), np.empty(size // 4 // cores, np.float32)) for _ in range(cores)]
    pool = ThreadPoolExecutor(cores)

    def copy(share: tuple[np.ndarray, np.ndarray]) -> None:
        source, target = share
        for _ in range(repetitions):
            np.copyto(target, source)

    def seconds() -> float:
        began = time.perf_counter()
        list(pool.map(copy, shares))
        return (time.perf_counter() - began) / repetitions

    return seconds


def _repetitions(flops: float) -> int:
    """Return the repetitions for a measurement of about SECONDS, from 20 to 2,000."""
    return int(min(max(SECONDS * FLOPS / flops, 20), 2_000))


if __name__ == "__main__":
    serve(partial(build, *sys.argv[1:]))
