"""How fast this machine multiplies and copies: matrix products of given shapes, and arrays of a given size, hot.

    python -m bench.peers.rates '{"products": [[32, 3072, 100], ...], "copy_bytes": 2000840}' one|all

Every product is measured in XLA with each operand stored as it is and transposed, and on a CPU by NumPy's BLAS too; the
same operands again and again, so that they stay in the caches.
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

SECONDS = 0.05  # of one measurement, about: long enough for every thread to be awake
FLOPS = 1e11  # a second, about, to choose the number of repetitions


def build(task: str, threads: str) -> tuple[Mapping[str, Any], Answer]:
    """Compile; a request, whatever it holds, is answered with microseconds of everything, by name and way."""
    if threads == "one":  # JAX has as many threads as the process has cores when it first computes
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    wanted = json.loads(task)
    measurements: dict[str, dict[str, Callable[[], float]]] = {}
    for shape in map(tuple, wanted["products"]):
        found = {f"xla {layout}": _product(shape, layout) for layout in ("nn", "nt", "tn", "tt")}
        if platform() == "cpu":
            found["numpy"] = _numpy_product(shape)
        measurements["x".join(map(str, shape))] = found
    copies = {"xla": _copy(wanted["copy_bytes"])}
    if platform() == "cpu":
        copies["numpy"] = _numpy_copy(wanted["copy_bytes"])
    measurements["copy"] = copies

    def answer(_: Mapping[str, Any]) -> Mapping[str, Any]:
        return {name: {how: seconds() * 1e6 for how, seconds in found.items()} for name, found in measurements.items()}

    answer({})  # the warm-up
    return {"platform": platform(), "precision": precision(), "cores": len(os.sched_getaffinity(0))}, answer


def _product(shape: tuple[int, ...], layout: str) -> Callable[[], float]:
    """[M, K] x [K, N], or [L, M, K] x [L, K, N]; "t" stands for an operand that is stored transposed."""
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
            product = jax.lax.dot_general(left, right, (contracted, batched))
            corner = (0,) * left.ndim
            return left.at[corner].add(1e-30 * product[corner]), None  # the next product waits for this one

        return jax.lax.scan(body, left, length=repetitions)[0]

    return _of_program(repeated, (left, right), repetitions)


def _copy(size: int) -> Callable[[], float]:
    repetitions = 200

    def repeated(x: jax.Array) -> jax.Array:
        return jax.lax.scan(lambda x, _: (x * 1.0000001, None), x, length=repetitions)[0]

    return _of_program(repeated, (jnp.ones(size // 4, jnp.float32),), repetitions)


def _of_program(function: Callable, arguments: tuple[jax.Array, ...], repetitions: int) -> Callable[[], float]:
    program = jax.jit(function).lower(*arguments).compile()

    def seconds() -> float:
        began = time.perf_counter()
        jax.block_until_ready(program(*arguments))
        return (time.perf_counter() - began) / repetitions

    return seconds


def _numpy_product(shape: tuple[int, ...]) -> Callable[[], float]:
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
    """Every core copies its share, again and again."""
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
    return int(min(max(SECONDS * FLOPS / flops, 20), 2_000))


if __name__ == "__main__":
    serve(partial(build, *sys.argv[1:]))
