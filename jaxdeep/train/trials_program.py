"""The compiled programs of several trials together."""

import time
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxdeep.config import Config, Hyper
from jaxdeep.data.dataset import Dataset
from jaxdeep.nn.dnn import BatchStats, Params
from jaxdeep.train import evaluation, program, step
from jaxdeep.train.evaluation import Evaluation
from jaxdeep.train.program import compile_with, traced
from jaxdeep.train.state import TrainState

AXIS: Final = "trials"
"""Of the mesh of devices, among which the trials are divided."""


class Task(NamedTuple):
    """One trial: the arguments of `fit`."""

    config: Config
    data: Dataset
    seed: int
    checkpoints: Path | None = None


def sizes_of(trials: int, devices: int = 1) -> list[int]:
    """The numbers of trials that programs are compiled for: all, half of them, ..., each a multiple of the devices.

    >>> sizes_of(20), sizes_of(20, devices=8)
    ([20, 10, 5, 2, 1], [24, 8])
    """
    shares = -(-trials // devices)
    return [devices * (shares >> halved) for halved in range(shares.bit_length())]


class Study(NamedTuple):
    """What the programs of some trials are compiled for.

    Attributes:
        config: their static configuration.
        shapes: of the leaves of a trial's data set.
        structure: of the data set.
        is_own: for each leaf, whether trials have leaves of their own; else all share one.
    """

    config: Config
    shapes: tuple[jax.ShapeDtypeStruct, ...]
    structure: Any
    is_own: tuple[bool, ...]


def study_of(tasks: Sequence[Task]) -> Study:
    leaves = [jax.tree.leaves(task.data) for task in tasks]
    is_own = tuple(any(leaf is not of[0] for leaf in of) for of in zip(*leaves, strict=True))
    return Study(tasks[0].config.static(), shapes_of(leaves[0]), jax.tree.structure(tasks[0].data), is_own)


def shapes_of(leaves: Sequence[jax.Array]) -> tuple[jax.ShapeDtypeStruct, ...]:
    return tuple(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves)


def state_of(study: Study) -> TrainState:
    """The shapes and types of one trial's state."""
    hyper, key = jax.eval_shape(lambda: traced(study.config)), jax.eval_shape(jax.random.key, 0)
    data = study.structure.unflatten(study.shapes)
    return jax.eval_shape(partial(step.start, study.config), hyper, data, key)


class Compiled(NamedTuple):
    """A compiled program.

    Attributes:
        call: what is called with its arguments.
        compile_seconds: what tracing and compiling took.
    """

    call: Any
    compile_seconds: float


@lru_cache(maxsize=64)
def compiled(name: str, study: Study, size: int) -> Compiled:
    """The program `start`, `epoch` or `examine` for so many trials.

    start: (hyper, leaves, keys) -> states. epoch: (states, hyper, leaves) -> (states, metrics); the states are donated.
    examine: (params, batch_stats, hyper, leaves) -> evaluations of the validation and the test rows.
    """
    began = time.perf_counter()
    config, structure = study.config, study.structure

    def start(hyper: Hyper, leaves: Any, key: jax.Array) -> TrainState:
        return step.start(config, hyper, structure.unflatten(leaves), key)

    def epoch(state: TrainState, hyper: Hyper, leaves: Any) -> tuple[TrainState, step.Metrics]:
        return step.run_epoch(config, state, hyper, structure.unflatten(leaves))

    def examine(params: Params, stats: BatchStats, hyper: Hyper, leaves: Any) -> tuple[Evaluation, Evaluation]:
        return evaluation.examine(config, params, stats, hyper, structure.unflatten(leaves))

    def of_trials(tree: Any) -> Any:
        return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((size, *leaf.shape), leaf.dtype), tree)

    hyper, key = jax.eval_shape(lambda: traced(config)), jax.eval_shape(jax.random.key, 0)
    state = state_of(study)
    leaves = [of_trials(shape) if own else shape for own, shape in zip(study.is_own, study.shapes, strict=True)]
    own = [0 if own else None for own in study.is_own]
    function, given, mapped = {
        "start": (start, (hyper, leaves, key), (0, own, 0)),
        "epoch": (epoch, (state, hyper, leaves), (0, 0, own)),
        "examine": (examine, (state.params, state.batch_stats, hyper, leaves), (0, 0, 0, own)),
    }[name]
    given = [argument if argument is leaves else of_trials(argument) for argument in given]
    together, places = jax.vmap(function, in_axes=mapped), None
    if jax.local_device_count() > 1:
        mesh = _mesh()
        specs = jax.tree.map(lambda axis: _spec(axis is None), mapped, is_leaf=lambda axis: axis is None)
        together = jax.shard_map(together, mesh=mesh, in_specs=specs, out_specs=_spec(False), check_vma=False)
        places = jax.tree.map(partial(NamedSharding, mesh), specs, is_leaf=lambda spec: isinstance(spec, PartitionSpec))
    jitted = jax.jit(together, in_shardings=places, donate_argnums=(0,) if name == "epoch" else ())
    call = compile_with(jitted.lower(*given), program.QUICK_TO_COMPILE if name == "start" else program.FAST)
    return Compiled(call, time.perf_counter() - began)


def _mesh() -> Mesh:
    return Mesh(np.asarray(jax.local_devices()), (AXIS,))


def _spec(shared: bool) -> PartitionSpec:
    return PartitionSpec() if shared else PartitionSpec(AXIS)


def sharding(shared: bool) -> NamedSharding | None:
    return NamedSharding(_mesh(), _spec(shared)) if jax.local_device_count() > 1 else None
