"""The compiled programs of a run, or of S trials side by side: its start, an epoch, the evaluation of its weights.

All are compiled for a static configuration and for data of one shape. S trials are the same functions under `vmap`.
Over several devices each has its share of the trials, by `shard_map`, and they do not communicate.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache, partial
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxdeep.config import Config, Hyper, Static
from jaxdeep.data.dataset import Dataset
from jaxdeep.nn.dnn import BatchStats, Params
from jaxdeep.train import step
from jaxdeep.train.checks import check_fits
from jaxdeep.train.devices import use_compilation_cache
from jaxdeep.train.evaluate import Evaluation, evaluate_splits
from jaxdeep.train.memory import program_bytes, refuse_more_than, total_memory, tree_bytes
from jaxdeep.train.state import TrainState

FAST: Final = {"xla_cpu_prefer_vector_width": "512"}
"""For a CPU with AVX-512: element-wise loops take a third less time. Other CPUs use the width that they have."""

QUICK_TO_COMPILE: Final = {"xla_backend_optimization_level": "0", "xla_cpu_use_fusion_emitters": "False"}
"""For what runs once: a quarter of the compilation, the same bits."""

NAMES: Final = ("start", "epoch", "evaluate")
AXIS: Final = "trials"
"""Of the mesh of devices, among which the trials are divided."""


class Program(NamedTuple):
    """All programs of one run, compiled for a configuration and for data of one shape.

    Attributes:
        start: (hyper, data, key) -> state.
        epoch: (state, hyper, data) -> (state, metrics); the state is donated.
        evaluate: (params, batch_stats, hyper, data) -> evaluations of the validation and the test rows.
        compile_seconds: seconds that tracing and compiling took.
        epoch_bytes: bytes that the epoch's program holds while it runs, its arguments included.
        kept_bytes: bytes of the weights and moving statistics that a finished run keeps.
    """

    start: Callable[[Hyper, Dataset, jax.Array], TrainState]
    epoch: Callable[[TrainState, Hyper, Dataset], tuple[TrainState, step.Metrics]]
    evaluate: Callable[[Params, BatchStats, Hyper, Dataset], tuple[Evaluation, Evaluation]]
    compile_seconds: float
    epoch_bytes: int
    kept_bytes: int


class ProgramSpec(NamedTuple):
    """What programs are compiled for.

    Attributes:
        config: static configuration of all trials.
        shapes: shapes and types of the leaves of a trial's data set.
        structure: tree structure of the data set.
        is_own: for each leaf, whether each trial has one of its own. All trials share the others.
    """

    config: Static
    shapes: tuple[jax.ShapeDtypeStruct, ...]
    structure: Any
    is_own: tuple[bool, ...]

    @property
    def data(self) -> Dataset:
        """One trial's data set, with shapes for leaves."""
        return self.structure.unflatten(self.shapes)

    @property
    def hyper(self) -> Hyper:
        """One trial's traced numbers, as shapes."""
        return Hyper(*[jax.ShapeDtypeStruct((), self.config.train.dtype)] * len(Hyper._fields))

    @property
    def state(self) -> TrainState:
        """One trial's state, with shapes for leaves."""
        return jax.eval_shape(partial(step.start, self.config), self.hyper, self.data, _key())


class Compiled(NamedTuple):
    """Programs that were compiled in one go.

    Attributes:
        calls: the compiled programs by name, each called with its arguments.
        compile_seconds: seconds that tracing and compiling took.
    """

    calls: Mapping[str, Any]
    compile_seconds: float


def compile_program(config: Config, data: Dataset) -> Program:
    """Compile the programs of a run; once in a process for each static configuration and shape of data.

    Args:
        config: configuration of the run.
        data: data set of the run, of which only shapes and types count.

    Raises:
        UserError: the configuration does not fit the data set, or the programs do not fit the memory.
    """
    check_fits(config, data)
    found = compiled(NAMES, spec_of(config, [data]), None)
    epoch_bytes = program_bytes(found.calls["epoch"])
    refuse_more_than(total_memory(), epoch_bytes)
    state = found.calls["start"].out_info
    kept_bytes = tree_bytes((state.params, state.batch_stats))
    return Program(**found.calls, compile_seconds=found.compile_seconds, epoch_bytes=epoch_bytes, kept_bytes=kept_bytes)


def traced(config: Config) -> Hyper:
    """Return the numbers that programs take as arguments, on the device, in the type of `train.dtype`."""
    return jax.tree.map(lambda value: jnp.asarray(value, config.train.dtype), config.hyper())


def spec_of(config: Config, datasets: Sequence[Dataset]) -> ProgramSpec:
    """Return what the programs of some trials are compiled for.

    Args:
        config: configuration of one of them. All have the same static one.
        datasets: data set of each trial, of equal shapes. A leaf that all hold as one object is shared.
    """
    leaves = [jax.tree.leaves(data) for data in datasets]
    is_own = tuple(any(leaf is not of[0] for leaf in of) for of in zip(*leaves, strict=True))
    shapes = tuple(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves[0])
    return ProgramSpec(config.static(), shapes, jax.tree.structure(datasets[0]), is_own)


@lru_cache(maxsize=48)
def compiled(names: tuple[str, ...], spec: ProgramSpec, size: int | None) -> Compiled:
    """Compile programs, each while the next one is traced.

    The programs and their arguments are those of `Program`. For S trials all leaves have a leading axis of trials, but
    for the leaves of the data set that they share.

    Args:
        names: some of NAMES, in this order.
        spec: what they are compiled for.
        size: number of trials, S. None: one trial, without that axis.
    """
    began = time.perf_counter()
    compiling, state = {}, None
    with ThreadPoolExecutor() as pool:
        for name in names:
            lowered = _lowered(name, spec, size, state)
            if name == "start":
                state = lowered.out_info
            options = QUICK_TO_COMPILE if name == "start" else FAST
            compiling[name] = pool.submit(compile_with, lowered, options)
    calls = {name: future.result() for name, future in compiling.items()}
    return Compiled(calls, time.perf_counter() - began)


def _lowered(name: str, spec: ProgramSpec, size: int | None, state: Any) -> Any:
    """Trace a program.

    Args:
        name: one of NAMES.
        spec: what it is compiled for.
        size: number of trials. None: one, without an axis of trials.
        state: shapes of the state, of all trials. None: not known yet.
    """

    def of_trials(tree: Any) -> Any:
        if size is None:
            return tree
        return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((size, *leaf.shape), leaf.dtype), tree)

    own = [0 if is_own else None for is_own in spec.is_own]
    leaves = [of_trials(shape) if is_own else shape for is_own, shape in zip(spec.is_own, spec.shapes, strict=True)]
    hyper, data, axes = of_trials(spec.hyper), spec.structure.unflatten(leaves), spec.structure.unflatten(own)
    if name == "start":
        function, given, mapped = step.start, (hyper, data, of_trials(_key())), (0, axes, 0)
    else:
        state = of_trials(spec.state) if state is None else state
        function, given, mapped = step.run_epoch, (state, hyper, data), (0, 0, axes)
    if name == "evaluate":
        function, given, mapped = evaluate_splits, (state.params, state.batch_stats, hyper, data), (0, 0, 0, axes)
    # a partial, whose trace goes with it: JAX keeps those of a function that stays, 16 MB each
    function, places = partial(function, spec.config), None
    if size is not None:
        function = jax.vmap(function, in_axes=mapped)
    if size is not None and jax.local_device_count() > 1:
        specs = jax.tree.map(lambda axis: _partition(axis is None), mapped, is_leaf=lambda axis: axis is None)
        function = jax.shard_map(function, mesh=_mesh(), in_specs=specs, out_specs=_partition(False), check_vma=False)
        places = jax.tree.map(
            partial(NamedSharding, _mesh()), specs, is_leaf=lambda spec: isinstance(spec, PartitionSpec)
        )
    jitted = jax.jit(function, in_shardings=places, donate_argnums=(0,) if name == "epoch" else ())
    return jitted.lower(*given)


def _key() -> Any:
    """Return a random key's shape."""
    return jax.eval_shape(jax.random.key, 0)


def compile_with(lowered: Any, options: Mapping[str, str]) -> Any:
    """Compile a traced program, for the CPU with those of the options that XLA knows.

    All programs of jaxdeep's own are compiled here, with the compilation cache on.

    Args:
        lowered: a program, as `jax.jit(...).lower(...)` returns it.
        options: options of XLA, such as FAST.
    """
    use_compilation_cache()
    return lowered.compile(known_options(options))


def known_options(options: Mapping[str, str]) -> dict[str, str]:
    """Return the options that this version of XLA knows. None of them is meant for an accelerator.

    Args:
        options: options of XLA, such as QUICK_TO_COMPILE.
    """
    if jax.default_backend() != "cpu":
        return {}
    return {name: value for name, value in options.items() if _is_known(name, value)}


@cache
def _is_known(name: str, value: str) -> bool:
    """Compile almost nothing to find whether XLA takes an option: 10 ms, once in a process."""
    try:
        jax.jit(lambda: 0).lower().compile({name: value})
    except jax.errors.JaxRuntimeError:
        return False
    return True


def sharding(shared: bool) -> NamedSharding | None:
    """Return where an array stands: on each device, or divided among them by trials. None: there is one device."""
    return NamedSharding(_mesh(), _partition(shared)) if jax.local_device_count() > 1 else None


def _mesh() -> Mesh:
    return Mesh(np.asarray(jax.local_devices()), (AXIS,))


def _partition(shared: bool) -> PartitionSpec:
    return PartitionSpec() if shared else PartitionSpec(AXIS)
