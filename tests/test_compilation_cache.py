"""Programs are kept on disk from Python too, unless the user wants it otherwise."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import pytest
from small_data import LEAN

from jaxdeep.train.xla_options import FAST, QUICK_TO_COMPILE, compile_with, known_options

COMPILES = """
import jax, jax.numpy as jnp
jnp.linalg.qr(jnp.eye(3))  # JAX has compiled something before, and looked for a cache in vain
from jaxdeep.train.xla_options import FAST, compile_with
heard = []
jax.monitoring.register_event_listener(lambda event, **_: heard.append(event))
def slow(x):
    for index in range(60):
        x = jnp.sort(jnp.sin(index * x[:-1]))
    return x
compile_with(jax.jit(slow).lower(jnp.ones(100)), FAST)
print(heard.count("/jax/compilation_cache/cache_hits"))
"""


def found(folder: Path, **environment: str) -> int:
    """Compile in a process of its own; how many programs it found on disk."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_COMP", "JAX_PERS"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", COMPILES],
        cwd=Path(__file__).parent.parent,
        env=inherited | {"JAXDEEP_CACHE": str(folder)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_a_second_process_finds_the_programs_of_the_first(tmp_path) -> None:
    assert found(tmp_path) == 0
    assert list((tmp_path / "xla").glob("*-cache"))
    assert found(tmp_path) == 1


@pytest.mark.slow
def test_a_users_own_folder_or_none_is_left_as_it_is(tmp_path) -> None:
    assert found(tmp_path, JAX_ENABLE_COMPILATION_CACHE="0") == 0
    assert list(tmp_path.iterdir()) == []
    own = tmp_path / "own"
    found(tmp_path, JAX_COMPILATION_CACHE_DIR=str(own), JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0")
    assert list(own.glob("*-cache"))
    assert [path.name for path in tmp_path.iterdir()] == ["own"]


@pytest.mark.slow
def test_a_folder_that_cannot_be_made_changes_nothing(tmp_path) -> None:
    (tmp_path / "file").write_text("mine")
    assert found(tmp_path / "file") == 0


def test_options_that_xla_does_not_know_are_left_out_one_by_one() -> None:
    for options in (FAST, QUICK_TO_COMPILE, LEAN):
        assert known_options({"xla_of_tomorrow": "1", **options}) == known_options(options)
    doubled = jax.jit(lambda x: 2 * x).lower(jax.ShapeDtypeStruct((3,), "float32"))
    compiled = compile_with(doubled, {"xla_of_tomorrow": "1", **QUICK_TO_COMPILE})
    assert compiled(jax.numpy.ones(3)).tolist() == [2, 2, 2]


def test_an_option_is_tried_once(monkeypatch) -> None:
    assert known_options(FAST) == FAST
    monkeypatch.setattr(jax, "jit", None)
    assert known_options(FAST) == FAST
