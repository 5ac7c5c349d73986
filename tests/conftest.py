"""JAX as strict as it goes, on the CPU; warnings are errors (pyproject.toml).

All processes of a test run share a folder of compiled programs, so that equal ones are compiled once.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["KERAS_BACKEND"] = "jax"
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:  # the processes that this one starts find it there
    folder = tempfile.mkdtemp(prefix="jaxdeep-tests-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.05"

import hypothesis
import jax
import pytest

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
    """Let a compiled program that another process has half written be compiled anew without an error."""
    config.addinivalue_line("filterwarnings", "default:Error reading persistent compilation cache entry:UserWarning")


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
