"""Measure the cost of jaxdeep's step by XLA's own count, and its time.

python -m bench.peers.step_cost WORKLOAD.npz
"""

import sys
from collections.abc import Mapping
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
from jaxdeep.train.xla_options import FAST, compile_with

COUNTED = {"flops": "flops", "bytes": "bytes accessed"}
"""Name of a figure -> its name in XLA's cost analysis."""


def build(path: str) -> tuple[Mapping[str, Any], Answer]:
    """Count the cost of a step and build the trainer.

    Args:
        path: Path of the workload.

    Returns:
        JSON values of the step, and the function that answers a request for an epoch with microseconds a step.
    """
    workload = load(Path(path))
    trainer = jaxdeep_trainer.build(workload)
    steps = len(workload.labels) // workload.batch_size
    cost = step_cost(*jaxdeep_trainer.begun(workload)[:3])
    trainer.epoch(0)  # the warm-up

    def answer(request: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"step_us": trainer.epoch(request["epoch"]).seconds / steps * 1e6}

    return {"platform": trainer.platform, "precision": trainer.precision, "cost_analysis": cost}, answer


def step_cost(config: Config, hyper: Any, data: Any) -> dict[str, float]:
    """Return floating-point operations and bytes of a step, by the compiled program's cost analysis.

    XLA counts the body of a loop once, however often it runs. So the networks with one and with two hidden layers are
    counted, which have no loop over layers. The cost of the second layer is then added for every further layer.

    Args:
        config: Configuration with hidden layers of equal width.
        hyper: Hyperparameters of the configuration, as traced numbers.
        data: Data set that gives the shapes.

    Returns:
        `flops` and `bytes` of one step.
    """
    one_layer, two_layers = (_counted(config, hyper, data, layers) for layers in (1, 2))
    further = len(config.model.units) - 1
    return {name: one_layer[name] + further * (two_layers[name] - one_layer[name]) for name in COUNTED}


def _counted(config: Config, hyper: Any, data: Any, layers: int) -> dict[str, float]:
    """Return the counts of the network with the first hidden layers."""
    config = config.updated({"model.units": config.model.units[:layers]})
    state: Any = jax.eval_shape(partial(step.start, config), hyper, data, jax.random.key(0))
    batch = forward.Batch(jnp.zeros(config.train.batch_size, jnp.int32))
    rates = Rates(hyper.learning_rate, hyper.beta_1)
    jitted = jax.jit(step.train_step, static_argnums=0)
    lowered = jitted.lower(config, state, hyper, rates, data, batch, jax.random.key(0))
    analysis = compile_with(lowered, FAST).cost_analysis()
    return {name: float(analysis[xla_name]) for name, xla_name in COUNTED.items()}


if __name__ == "__main__":
    serve(partial(build, *sys.argv[1:]))
