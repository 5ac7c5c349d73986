"""The compiled programs of one run or of S trials side by side.

They are its start, an epoch, and the evaluation of its weights. Each is compiled for a static configuration and for
data of one shape. S trials are the same functions under `vmap`. `shard_map` divides the trials among several devices,
which do not communicate.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from threading import Lock
from typing import Any, Final, NamedTuple
from weakref import WeakValueDictionary

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxdeep.config import Config, Hyper, Static, Trained
from jaxdeep.config.static import unread
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.device import on_device
from jaxdeep.nn.dnn import BatchStats, Params
from jaxdeep.train import step
from jaxdeep.train.checks import check_fits
from jaxdeep.train.evaluate import Evaluations, evaluate_splits
from jaxdeep.train.forward import model_of
from jaxdeep.train.memory import program_bytes, refuse_more_than, total_memory, tree_bytes
from jaxdeep.train.program_cache import ProgramCache
from jaxdeep.train.state import TrainState, initial_weights
from jaxdeep.train.xla_options import QUICK_TO_COMPILE, compile_with, step_options

NAMES: Final = ("start", "epoch", "evaluate")
"""Names of the programs in the order in which they are compiled."""
AXIS: Final = "trials"
"""Name of the axis of devices among which the trials are divided."""


class Program(NamedTuple):
    """All programs of one run. They are compiled for a configuration and for data of one shape.

    Attributes:
        start: Function (hyper, data, key) -> state.
        epoch: Function (state, hyper, data) -> (state, metrics). The state is donated.
        evaluate: Function (params, batch_stats, hyper, data) -> evaluations of all rows.
        compile_seconds: Seconds that tracing and compiling took.
        epoch_bytes: Bytes that the epoch's program holds while it runs. Its arguments are included.
        kept_bytes: Bytes of the weights and moving statistics that a finished run keeps.
    """

    start: Callable[[Hyper, Dataset, jax.Array], TrainState]
    epoch: Callable[[TrainState, Hyper, Dataset], tuple[TrainState, step.Metrics]]
    evaluate: Callable[[Params, BatchStats, Hyper, Dataset], Evaluations]
    compile_seconds: float
    epoch_bytes: int
    kept_bytes: int


class ProgramSpec(NamedTuple):
    """Everything that determines the compiled programs.

    Attributes:
        config: Static configuration of all trials.
        shapes: Shapes and types of the leaves of a trial's data set.
        structure: Tree structure of the data set.
        is_own: Booleans that say for each leaf whether each trial has its own. All trials share the other leaves.
    """

    config: Static
    shapes: tuple[jax.ShapeDtypeStruct, ...]
    structure: Any
    is_own: tuple[bool, ...]

    @property
    def data(self) -> Dataset:
        """Return one trial's data set with shapes for leaves."""
        return self.structure.unflatten(self.shapes)

    @property
    def hyper(self) -> Hyper:
        """Return one trial's traced numbers as shapes."""
        number, rate = jax.ShapeDtypeStruct((), self.config.train.dtype), self.config.model.dropout_rate
        hyper = Hyper(*[number] * len(Hyper._fields))
        return hyper._replace(dropout_rate=(number,) * len(rate)) if isinstance(rate, tuple) else hyper

    @property
    def weights(self) -> tuple[Params, BatchStats]:
        """Return one trial's weights and moving statistics with shapes for leaves."""
        return jax.eval_shape(partial(initial_weights, model_of(self.config, self.data)), _key())

    @property
    def state(self) -> TrainState:
        """Return one trial's state with shapes for leaves."""
        return jax.eval_shape(partial(step.start, self.config), self.hyper, self.data, _key())


class Compiled(NamedTuple):
    """Programs that were compiled in one call.

    Attributes:
        calls: Compiled programs by name. Each is called with its arguments.
        compile_seconds: Seconds that tracing and compiling took.
        begun: The same programs as other sets find them, while this one is kept.
    """

    calls: Mapping[str, Any]
    compile_seconds: float
    begun: tuple["Begun", ...] = ()


def compile_program(
    config: Config,
    data: Dataset,
    trained: Trained = Trained(),  # noqa: B008 (immutable)
) -> Program:
    """Compile the programs of a run.

    They are compiled once in a process for each static configuration and shape of data.

    Args:
        config: Configuration to train.
        data: Data set whose shapes and types are used. With `trained.first`, its rows are the outputs of the layers
            before.
        trained: Layers that the programs train.

    Returns:
        The compiled programs with their sizes and the seconds that compiling took.

    Raises:
        UserError: The configuration does not fit the data set, or the programs do not fit the memory.
    """
    if not trained.first:
        check_fits(config, data)
    programs = compiled(NAMES, spec_of(config, [data], trained), None)
    epoch_bytes = program_bytes(programs.calls["epoch"])
    refuse_more_than(total_memory(), epoch_bytes)
    state = programs.calls["start"].out_info
    kept_bytes = tree_bytes((state.params, state.batch_stats))
    return Program(
        **programs.calls, compile_seconds=programs.compile_seconds, epoch_bytes=epoch_bytes, kept_bytes=kept_bytes
    )


def traced(config: Config) -> Hyper:
    """Return the numbers that programs take as arguments.

    Args:
        config: Configuration that holds the numbers and `train.dtype`.

    Returns:
        Scalars on the device in the type `train.dtype`. With a dropout rate for each layer that field is a tuple of
        scalars.
    """
    return jax.tree.map(lambda value: on_device(value, config.train.dtype), config.hyper())


def spec_of(
    config: Config,
    datasets: Sequence[Dataset],
    trained: Trained = Trained(),  # noqa: B008 (immutable)
) -> ProgramSpec:
    """Return everything that determines the programs of some trials.

    Args:
        config: Configuration of one trial. All trials have the same static configuration.
        datasets: Data set of each trial. Their shapes are equal. A leaf that all hold as one object is shared.
        trained: Layers that the programs train.

    Returns:
        The static configuration, the shapes and the shared leaves.
    """
    leaves = [jax.tree.leaves(data) for data in datasets]
    is_own = tuple(any(leaf is not copies[0] for leaf in copies) for copies in zip(*leaves, strict=True))
    shapes = tuple(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves[0])
    return ProgramSpec(config.static(trained), shapes, jax.tree.structure(datasets[0]), is_own)


@ProgramCache
def compiled(names: tuple[str, ...], spec: ProgramSpec, size: int | None) -> Compiled:
    """Compile programs, each while the next one is traced.

    The programs and their arguments have the form that `Program` describes. For S trials all leaves have a leading axis
    of trials. Leaves of the data set that the trials share have no such axis.

    Args:
        names: Names of programs from NAMES in that order.
        spec: Configuration and shapes to compile for.
        size: Number S of trials. None compiles for one trial without that axis.

    Returns:
        The compiled programs. Equal arguments return the same object, in all threads, while there is room for it.
    """
    began = time.perf_counter()
    begun, state = {}, None
    with ThreadPoolExecutor() as pool:
        for name in names:
            begun[name] = _begin(name, reduced(name, spec), size, state, pool)
            if name == "start":
                state = begun[name].out_info.result()
    calls = {name: program.compiled.result() for name, program in begun.items()}
    return Compiled(calls, time.perf_counter() - began, tuple(begun.values()))


class Begun:
    """A program that a thread has begun to compile.

    Attributes:
        out_info: Shapes that the program returns, known once it is traced.
        compiled: The compiled program.
    """

    def __init__(self) -> None:
        self.out_info: Future[Any] = Future()
        self.compiled: Future[Any] = Future()

    def fail(self, error: BaseException) -> None:
        """Give an error to all threads that wait for the program."""
        for future in (self.out_info, self.compiled):
            if not future.done():
                future.set_exception(error)


_BEGUN: Final[WeakValueDictionary[tuple[str, ProgramSpec, int | None], Begun]] = WeakValueDictionary()
"""Programs that a kept set holds, by name, reduced specification and number of trials."""
_BEGINNING: Final = Lock()
"""Lock of _BEGUN."""


def reduced(name: str, spec: ProgramSpec) -> ProgramSpec:
    """Return a specification without what a program does not read.

    Sets that differ in it alone, such as in the batch size, then share the program. A mark in its place refuses to be
    read.

    Args:
        name: Name of the program from NAMES.
        spec: Configuration and shapes of a set of programs.
    """
    if name == "epoch":
        return spec
    config = spec.config
    always = {"dtype": config.train.dtype, "matmul_precision": config.train.matmul_precision}
    if name == "evaluate":
        train, optim, schedule = unread(config.train, loss=config.train.loss, **always), unread(config.optim), None
    else:
        train, optim = unread(config.train, **always), config.optim
        schedule = config.schedule if config.schedule.kind == "plateau" else unread(config.schedule, kind="constant")
    parts = {"train": train, "optim": optim, "schedule": schedule or unread(config.schedule)}
    return spec._replace(config=replace(config, **parts))


def _begin(name: str, spec: ProgramSpec, size: int | None, state: Any, pool: ThreadPoolExecutor) -> Begun:
    """Trace a program and begin to compile it, unless a thread has begun before.

    Args:
        name: Name of the program from NAMES.
        spec: Configuration and shapes to compile for, reduced to what the program reads.
        size: Number of trials. None compiles for one trial without an axis of trials.
        state: Shapes of the state of all trials. None if they are not known yet.
        pool: Threads that compile.
    """
    key, own = (name, spec, size), Begun()
    with _BEGINNING:
        begun = _BEGUN.setdefault(key, own)
    if begun is not own:
        return begun

    def fail(error: BaseException) -> None:
        with _BEGINNING:
            if _BEGUN.get(key) is own:
                del _BEGUN[key]
        own.fail(error)

    def compile_it(lowered: Any) -> None:
        try:
            own.compiled.set_result(compile_with(lowered, options_of(name, spec)))
        except BaseException as error:
            fail(error)

    try:
        lowered = _lowered(name, spec, size, state)
    except BaseException as error:
        fail(error)
        raise
    own.out_info.set_result(lowered.out_info)
    pool.submit(compile_it, lowered)
    return own


class Traceable(NamedTuple):
    """A program before it is traced, with the shapes that it is traced for.

    Attributes:
        function: Function of one trial, or of S trials with a leading axis.
        arguments: Arguments with shapes for leaves.
        donated: Positions of the arguments whose memory the program takes.
        shardings: Placement of each argument on a mesh. None without a mesh.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    donated: tuple[int, ...]
    shardings: Any


def traceable(
    name: str, spec: ProgramSpec, size: int | None = None, state: Any = None, mesh: Mesh | None = None
) -> Traceable:
    """Return a program and the shapes of its arguments.

    Args:
        name: Name of the program from NAMES.
        spec: Configuration and shapes to compile for.
        size: Number of trials. None means one trial without an axis of trials.
        state: Shapes of the state of all trials. None finds them.
        mesh: Devices among which the trials are divided, from `mesh_of`. The size is a multiple of their number.

    Returns:
        The function and its arguments.
    """

    def with_trials_axis(tree: Any) -> Any:
        if size is None:
            return tree
        return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((size, *leaf.shape), leaf.dtype), tree)

    own = [0 if is_own else None for is_own in spec.is_own]
    leaves = [
        with_trials_axis(shape) if is_own else shape for is_own, shape in zip(spec.is_own, spec.shapes, strict=True)
    ]
    hyper, data, axes = with_trials_axis(spec.hyper), spec.structure.unflatten(leaves), spec.structure.unflatten(own)
    if name == "start":
        function, arguments, mapped = step.start, (hyper, data, with_trials_axis(_key())), (0, axes, 0)
    elif name == "evaluate":
        weights = with_trials_axis(spec.weights) if state is None else (state.params, state.batch_stats)
        function, arguments, mapped = evaluate_splits, (*weights, hyper, data), (0, 0, 0, axes)
    else:
        state = with_trials_axis(spec.state) if state is None else state
        function, arguments, mapped = step.run_epoch, (state, hyper, data), (0, 0, axes)
    # JAX drops a trace with its partial. It would keep one of 16 MB for a function that stays.
    function = partial(function, spec.config)
    if size is not None:
        function = jax.vmap(function, in_axes=mapped)
    shardings = None
    if mesh is not None:
        specs = jax.tree.map(lambda axis: _partition(axis is None), mapped, is_leaf=lambda axis: axis is None)
        function = jax.shard_map(function, mesh=mesh, in_specs=specs, out_specs=_partition(False), check_vma=False)
        shardings = jax.tree.map(
            partial(NamedSharding, mesh), specs, is_leaf=lambda spec: isinstance(spec, PartitionSpec)
        )
    return Traceable(function, arguments, (0,) if name == "epoch" else (), shardings)


def _lowered(name: str, spec: ProgramSpec, size: int | None, state: Any) -> Any:
    """Trace a program.

    Args:
        name: Name of the program from NAMES.
        spec: Configuration and shapes to compile for.
        size: Number of trials. None traces one trial without an axis of trials.
        state: Shapes of the state of all trials. None if they are not known yet.

    Returns:
        A traced program that can be compiled.
    """
    is_divided = size is not None and jax.local_device_count() > 1
    found = traceable(name, spec, size, state, mesh_of(jax.local_devices()) if is_divided else None)
    jitted = jax.jit(found.function, in_shardings=found.shardings, donate_argnums=found.donated)
    return jitted.lower(*found.arguments)


def _key() -> Any:
    """Return a random key's shape."""
    return jax.eval_shape(jax.random.key, 0)


def options_of(name: str, spec: ProgramSpec) -> Mapping[str, str]:
    """Return XLA's options for a program, on the platform that it is traced for.

    Args:
        name: Name of the program from NAMES.
        spec: Configuration and shapes to compile for.
    """
    return QUICK_TO_COMPILE if name == "start" else step_options(max(spec.data.inputs, *spec.config.network.units))


def sharding(shared: bool) -> NamedSharding | None:
    """Return how an array is placed on several devices.

    Args:
        shared: Whether each device holds the whole array. Otherwise the array is divided by trials.

    Returns:
        The placement. None if there is one device.
    """
    devices = jax.local_devices()
    return NamedSharding(mesh_of(devices), _partition(shared)) if len(devices) > 1 else None


def mesh_of(devices: Sequence[Any]) -> Mesh:
    """Return devices as one axis of trials.

    Args:
        devices: Devices of one kind. They may be described and not there.
    """
    return Mesh(np.asarray(devices), (AXIS,))


def _partition(shared: bool) -> PartitionSpec:
    """Return the partition of an array that is whole on each device or divided by trials."""
    return PartitionSpec() if shared else PartitionSpec(AXIS)
