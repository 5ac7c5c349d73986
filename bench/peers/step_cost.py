"""What jaxdeep's step costs by XLA's own count, and what it takes.

python -m bench.peers.step_cost WORKLOAD.npz
"""

import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from bench.peers import jaxdeep_trainer
from bench.peers.serving import Answer, serve
from bench.peers.workload import load
from jaxdeep.config import Config
from jaxdeep.optim.schedules import Rates
from jaxdeep.train import forward, step
from jaxdeep.train.programs import FAST, compile_with

COUNTED = {"flops": "flops", "bytes": "bytes accessed"}


def build(path: str) -> tuple[Mapping[str, Any], Answer]:
    """Count, and build; a request for an epoch is answered with seconds a step."""
    workload = load(Path(path))
    trainer = jaxdeep_trainer.build(workload)
    steps = len(workload.labels) // workload.batch_size
    cost = step_cost(*jaxdeep_trainer.begun(workload)[:3])
    trainer.epoch(0)  # the warm-up

    def answer(request: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"step_us": trainer.epoch(request["epoch"]).seconds / steps * 1e6}

    return {"platform": trainer.platform, "precision": trainer.precision, "cost_analysis": cost}, answer


def step_cost(config: Config, hyper: Any, data: Any) -> dict[str, float]:
    """Floating-point operations and bytes of a step, by the compiled program's cost analysis.

    XLA counts the body of a loop once, however often it runs. So the networks with one and with two hidden layers are
    counted, which have no loop over layers, and what the second layer adds is added for every further one.

    Args:
        config: whose hidden layers are all of one width.
        hyper: its traced numbers.
        data: whose shapes are used.
    """
    one, two = (_counted(config, hyper, data, layers) for layers in (1, 2))
    further = len(config.model.units) - 1
    return {name: one[name] + further * (two[name] - one[name]) for name in COUNTED}


def _counted(config: Config, hyper: Any, data: Any, layers: int) -> dict[str, float]:
    config = replace(config, model=replace(config.model, units=config.model.units[:layers]))
    state: Any = jax.eval_shape(partial(step.start, config), hyper, data, jax.random.key(0))
    batch = forward.Batch(jnp.zeros(config.train.batch_size, jnp.int32))
    rates = Rates(hyper.learning_rate, hyper.beta_1)
    jitted = jax.jit(step.train_step, static_argnums=0)
    lowered = jitted.lower(config, state, hyper, rates, data, batch, jax.random.key(0))
    analysis = compile_with(lowered, FAST).cost_analysis()
    return {name: float(analysis[theirs]) for name, theirs in COUNTED.items()}


if __name__ == "__main__":
    serve(partial(build, *sys.argv[1:]))
