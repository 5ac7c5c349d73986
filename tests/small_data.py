"""A small data set that can be learnt: noisy copies of one pattern a class."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import jax
import numpy as np

from jaxdeep.config import Config, Data, Model, Optim, Train
from jaxdeep.data.dataset import Dataset
from jaxdeep.train import programs, xla_options
from jaxdeep.train.xla_options import QUICK_TO_COMPILE, known_options

CLASSES, SHAPE = 4, (6, 6, 1)


def small_arrays(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images [N, 6, 6, 1] uint8 and labels [N]."""
    patterns = np.random.default_rng(99).integers(0, 256, (CLASSES, *SHAPE))
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(rows) % CLASSES)
    noise = rng.normal(0, 60, (rows, *SHAPE))
    return np.clip(patterns[labels] + noise, 0, 255).astype(np.uint8), labels.astype(np.uint8)


def small_dataset(config: Config) -> Dataset:
    """150 training rows, so that batches of 32 leave 22; 50 validation rows, 60 test rows."""
    return Dataset.from_arrays(*small_arrays(200), *small_arrays(60, seed=1), data=config.data)


SMALL = Config(
    Data(valid_size=50),
    Model(units=(12, 12, 12)),
    Optim(learning_rate=3e-3),
    Train(batch_size=32, epochs=4, patience=4),
)

QUICK = known_options(QUICK_TO_COMPILE)
"""For what a test compiles itself: options of XLA, of those that it knows."""
LEAN = {
    **QUICK_TO_COMPILE,
    "xla_llvm_disable_expensive_passes": "True",
    "xla_cpu_parallel_codegen_split_count": "1",
}


@contextmanager
def lean_compilation() -> Iterator[None]:
    """Let runs be compiled with little optimisation: a quarter of the time."""
    programs.compiled.cache_clear()
    with mock.patch.object(programs, "QUICK_TO_COMPILE", LEAN), mock.patch.object(xla_options, "FAST", LEAN):
        yield
    programs.compiled.cache_clear()


@contextmanager
def compilations() -> Iterator[list[str]]:
    """What is compiled within."""
    heard: list[str] = []

    def listen(event: str, _: float, **__: object) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            heard.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield heard
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
