"""The compiled programs of a run."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp

from jaxdeep.config import Config, Hyper
from jaxdeep.config.arguments import check_type
from jaxdeep.data.augmentation import check_augmentation
from jaxdeep.data.dataset import Dataset
from jaxdeep.errors import UserError
from jaxdeep.nn.dnn import BatchStats, Params
from jaxdeep.optim.schedules import check_length
from jaxdeep.train import evaluation, step
from jaxdeep.train.functions import check_functions
from jaxdeep.train.memory import check_memory, program_bytes, refuse_more_than, total_memory, tree_bytes
from jaxdeep.train.state import TrainState

FAST: Final = {"xla_cpu_prefer_vector_width": "512"}
"""For a CPU with AVX-512: element-wise loops take a third less time. Other CPUs use the width that they have."""

QUICK_TO_COMPILE: Final = {"xla_backend_optimization_level": "0", "xla_cpu_use_fusion_emitters": "False"}
"""For what runs once: a quarter of the compilation, the same bits."""


class Program(NamedTuple):
    """All that a run needs, compiled for a configuration and for data of one shape.

    Attributes:
        start: (hyper, data, key) -> state.
        epoch: (state, hyper, data) -> (state, metrics); the state is donated.
        examine: (params, batch_stats, hyper, data) -> evaluations of the validation and the test rows.
        compile_seconds: what tracing and compiling took.
        epoch_bytes: that the epoch's program holds while it runs, its arguments included.
        kept_bytes: of the weights and moving statistics that a finished run keeps.
    """

    start: Callable[[Hyper, Dataset, jax.Array], TrainState]
    epoch: Callable[[TrainState, Hyper, Dataset], tuple[TrainState, step.Metrics]]
    examine: Callable[[Params, BatchStats, Hyper, Dataset], tuple[evaluation.Evaluation, evaluation.Evaluation]]
    compile_seconds: float
    epoch_bytes: int
    kept_bytes: int


def compile_program(config: Config, data: Dataset) -> Program:
    """Compile the programs of a run; once in a process for each static configuration and shape of data.

    Args:
        config: of the run.
        data: of the run; only its shapes and types count.

    Raises:
        UserError: they do not fit each other, or the memory.
    """
    check_fits(config, data)
    leaves, structure = jax.tree.flatten(data)
    program = _compile(
        config.static(), tuple(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in leaves), structure
    )
    refuse_more_than(total_memory(), program.epoch_bytes)
    return program


def traced(config: Config) -> Hyper:
    """The numbers of a run that its programs take as arguments, on the device, in the run's type."""
    return jax.tree.map(lambda value: jnp.asarray(value, config.train.dtype), config.hyper())


def check_fits(config: Config, data: Dataset) -> None:
    """Refuse a configuration that cannot be run on these images.

    Raises:
        UserError: an argument has another type, or JAX does not have the numbers of this type. The data set was made
            with another `Data`, the schedule has another length, or the augmentation needs images of another shape.
            The network is larger than the memory, or a function of the user's own cannot be traced.
    """
    check_type("config", config, Config, "a Config")
    check_type("data", data, Dataset, "a Dataset, as Dataset.from_arrays makes it")
    check_dtype(config)
    data.check_prepared_as(config.data)
    check_memory(config, data)
    check_length(config.schedule, step.length_of(config, data))
    check_augmentation(config.data, data.image_shape)
    check_functions(config, data)


def check_dtype(config: Config) -> None:
    """Refuse float64 where JAX would make float32 of it.

    Raises:
        UserError: it is not enabled.
    """
    if config.train.dtype == "float64" and jnp.zeros(()).dtype != "float64":
        raise UserError('train.dtype is float64, which needs jax.config.update("jax_enable_x64", True) first')


@lru_cache(maxsize=32)
def _compile(config: Config, shapes: tuple[jax.ShapeDtypeStruct, ...], structure: Any) -> Program:
    began = time.perf_counter()
    data = structure.unflatten(shapes)
    hyper = traced(config)
    key = jax.eval_shape(jax.random.key, 0)

    with ThreadPoolExecutor() as pool:  # one program is compiled while the next is traced
        # a partial, whose trace goes with it: JAX keeps those of a function that stays, 16 MB each
        lowered = jax.jit(partial(step.start, config)).lower(hyper, data, key)
        state: Any = lowered.out_info
        start = pool.submit(compile_with, lowered, QUICK_TO_COMPILE)
        lowered = jax.jit(partial(step.run_epoch, config), donate_argnums=0).lower(state, hyper, data)
        epoch = pool.submit(compile_with, lowered, FAST)
        lowered = jax.jit(partial(evaluation.examine, config)).lower(state.params, state.batch_stats, hyper, data)
        examine = pool.submit(compile_with, lowered, FAST)
    programs = (start.result(), epoch.result(), examine.result())
    seconds = time.perf_counter() - began
    kept_bytes = tree_bytes((state.params, state.batch_stats))
    return Program(*programs, seconds, program_bytes(epoch.result()), kept_bytes)


def compile_with(lowered: Any, options: Mapping[str, str]) -> Any:
    """Compile for the CPU with these options of XLA, elsewhere and where XLA does not know them without."""
    if jax.default_backend() == "cpu":
        try:
            return lowered.compile(dict(options))
        except jax.errors.JaxRuntimeError:
            pass
    return lowered.compile()
