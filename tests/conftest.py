"""JAX as strict as it goes, on the CPU; warnings are errors (pyproject.toml).

All processes of a test run share a folder of compiled programs, so that equal ones are compiled once. The folder stays
for the next run: a program's key covers all that it was compiled from and with.
"""

import gc
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["KERAS_BACKEND"] = "jax"
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:  # the processes that this one starts find it there
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(Path(__file__).parent.parent / ".pytest_cache" / f"xla-{version}")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.05"
# A test runs a program a few times, so most of what LLVM could do for it takes longer than it saves. A lower level of
# optimisation would round otherwise from one program to the next.
os.environ.setdefault("XLA_FLAGS", "--xla_llvm_disable_expensive_passes=true")
os.environ.setdefault("JAX_TRACEBACK_IN_LOCATIONS_LIMIT", "0")  # with 10 frames of each operation tests take 9% longer

import hypothesis
import jax
import pytest

SLOW = Path(__file__).with_name("slow.txt")
"""The tests that take 2 s or more on two slow cores, as `--durations=0` shows them. `make test` leaves them out."""
SECONDS_KEPT = 7 * 24 * 3600
"""Of a compiled program that no run has written again."""

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

hypothesis.settings.register_profile(  # an example may compile, and nothing here times
    "jaxdeep",
    deadline=None,
    max_examples=100 if os.environ.get("HYPOTHESIS_PROFILE") == "full" else 25,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("jaxdeep")


def pytest_configure(config: pytest.Config) -> None:
    """Let a compiled program that cannot be read, or kept on a full disk, be compiled anew without an error.

    Programs that are old are removed.
    """
    for verb in ("reading", "writing"):
        said = f"default:Error {verb} persistent compilation cache entry:UserWarning"
        config.addinivalue_line("filterwarnings", said)
    for program in Path(os.environ["JAX_COMPILATION_CACHE_DIR"]).glob("*"):
        with suppress(OSError):  # another process may remove it too
            if program.stat().st_mtime < time.time() - SECONDS_KEPT:
                program.unlink()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests of slow.txt as slow, and refuse a name there that no test of a collected file has."""
    slow = set(SLOW.read_text().splitlines())
    for item in items:
        if item.nodeid in slow:
            item.add_marker("slow")
    names, files = {item.nodeid for item in items}, {item.nodeid.partition("::")[0] for item in items}
    is_part = any("::" in argument for argument in config.args)
    if unknown := sorted(name for name in slow - names if name.partition("::")[0] in files and not is_part):
        raise pytest.UsageError(f"{SLOW.name} names tests that there are not: {', '.join(unknown[:5])}. Remove them.")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let the garbage collector pass over what was imported, which would be a twentieth of a run's time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module")
def x64() -> Iterator[None]:
    """float64, in JAX and in Keras, for the tests of a module."""
    import keras

    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    with jax.enable_x64(True):
        keras.config.set_floatx("float64")
        keras.config.set_dtype_policy("float64")
        yield
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)


@pytest.fixture
def command(monkeypatch, tmp_path) -> Callable[..., int]:
    """Run a command in an empty folder, on small images."""
    from small_commands import images

    import jaxdeep.cli.main
    import jaxdeep.cli.run
    import jaxdeep.run.uncertainty
    from experiments.cifar import CONFIGS

    for module in (jaxdeep.cli.run, jaxdeep.run.uncertainty):
        monkeypatch.setattr(module, "load_images", images)
    monkeypatch.setattr(jaxdeep.cli.run, "use_compilation_cache", lambda: None)
    monkeypatch.chdir(tmp_path)
    return lambda *argv: jaxdeep.cli.main.main("cifar", "cifar10", CONFIGS, argv)
