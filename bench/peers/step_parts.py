"""Measure the parts of jaxdeep's step, each by the time that it adds to a scan over the same batches.

    python -m bench.peers.step_parts WORKLOAD.npz

Four programs scan the batches of an epoch. The first takes the rows and scales them. The second runs the network on
them too, and the third takes the gradients too. The fourth is the step. A fifth measurement calls a step at a time from
Python.
"""

import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from bench.peers.jax_device import platform, precision
from bench.peers.jaxdeep_trainer import begun
from bench.peers.serving import Answer, serve
from bench.peers.workload import load
from jaxdeep.optim.schedules import Rates
from jaxdeep.train import step
from jaxdeep.train.forward import Batch, batch_loss, scaled
from jaxdeep.train.xla_options import FAST, compile_with


def build(path: str) -> tuple[Mapping[str, Any], Answer]:
    """Compile the programs.

    Args:
        path: Path of the workload.

    Returns:
        JSON values of the machine, and the function that answers any request. It returns milliseconds a step of each
        part.
    """
    workload = load(Path(path))
    config, hyper, data, state = begun(workload)
    rows = jnp.asarray(workload.orders[0]).reshape(-1, config.train.batch_size)
    steps, key = len(rows), jax.random.key(0)
    rates = Rates(hyper.learning_rate, hyper.beta_1)

    def key_of(index: jax.Array) -> jax.Array:
        return jax.random.fold_in(key, index)

    def taken(state: Any, data: Any, rows: jax.Array) -> jax.Array:
        del state

        def body(_: Any, rows: jax.Array) -> tuple[jax.Array, None]:
            return scaled(config, data, data.train.images[rows]), None

        return jax.lax.scan(body, jnp.zeros((rows.shape[1], data.inputs), config.train.dtype), rows)[0]

    def forward(state: Any, data: Any, rows: jax.Array) -> Any:
        def body(total: jax.Array, indexed: Any) -> tuple[jax.Array, None]:
            index, rows = indexed
            loss, _ = batch_loss(state.params, config, state.batch_stats, hyper, data, Batch(rows), key_of(index))
            return total + loss, None

        return jax.lax.scan(body, jnp.zeros((), config.train.dtype), (jnp.arange(steps), rows))[0]

    def gradients(state: Any, data: Any, rows: jax.Array) -> Any:
        def body(_: Any, indexed: Any) -> tuple[Any, None]:
            index, rows = indexed
            loss_and_gradients = jax.value_and_grad(batch_loss, has_aux=True)
            (loss, _), grads = loss_and_gradients(
                state.params, config, state.batch_stats, hyper, data, Batch(rows), key_of(index)
            )
            return (loss, grads), None

        nothing = (jnp.zeros((), config.train.dtype), jax.tree.map(jnp.zeros_like, state.params))
        return jax.lax.scan(body, nothing, (jnp.arange(steps), rows))[0]

    def full_step(state: Any, data: Any, rows: jax.Array) -> Any:
        def body(state: Any, indexed: Any) -> tuple[Any, Any]:
            index, rows = indexed
            return step.train_step(config, state, hyper, rates, data, Batch(rows), key_of(index))

        return jax.lax.scan(body, state, (jnp.arange(steps), rows))

    def single_step(state: Any, data: Any, rows: jax.Array, index: jax.Array) -> Any:
        return step.train_step(config, state, hyper, rates, data, Batch(rows), key_of(index))

    programs = {
        name: compile_with(jax.jit(program).lower(state, data, rows), FAST)
        for name, program in {"data": taken, "forward": forward, "backward": gradients, "step": full_step}.items()
    }
    single = compile_with(jax.jit(single_step, donate_argnums=0).lower(state, data, rows[0], jnp.int32(0)), FAST)
    batches, indices = list(rows), list(jnp.arange(steps))

    def called_one_by_one() -> Any:
        current, metrics = jax.tree.map(jnp.copy, state), None
        for batch, index in zip(batches, indices, strict=True):
            current, metrics = single(current, data, batch, index)
        return current, metrics

    def answer(_: Mapping[str, Any]) -> Mapping[str, Any]:
        timings = {name: _seconds(partial(program, state, data, rows)) for name, program in programs.items()}
        timings["step_called"] = _seconds(called_one_by_one)
        return {name: seconds / steps * 1e3 for name, seconds in timings.items()}

    answer({})  # the warm-up
    return {"platform": platform(), "precision": precision(config.train.matmul_precision), "steps": steps}, answer


def _seconds(run: Callable[[], Any]) -> float:
    """Return the seconds of a call until its result is ready."""
    began = time.perf_counter()
    jax.block_until_ready(run())
    return time.perf_counter() - began


if __name__ == "__main__":
    serve(partial(build, *sys.argv[1:]))
