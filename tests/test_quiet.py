"""A library logs and warns: it does not print, and it leaves loggers, warnings and hooks that are not its own alone."""

import ast
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from jaxdeep.train import quiet
from jaxdeep.train.quiet import quiet_orbax

LIBRARY = Path(__file__).parent.parent / "jaxdeep"
FILES = [path for path in sorted(LIBRARY.rglob("*.py")) if path.parent.name != "cli"]
CHANGES = {"addFilter", "addHandler", "setLevel", "basicConfig", "filterwarnings", "simplefilter", "disable"}
MAY_CHANGE = {"quiet.py": {"addFilter", "addHandler"}}
"""Within a context that changes it back."""


def called(path: Path) -> set[str]:
    calls = (node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    return {found.attr if isinstance(found, ast.Attribute) else getattr(found, "id", "") for found in calls}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_no_file_of_the_library_prints_or_changes_what_is_global(path) -> None:
    assert called(path) & ({"print"} | CHANGES) <= MAY_CHANGE.get(path.name, set())


def test_importing_changes_no_setting() -> None:
    """What JAX, Flax and Orbax set themselves is there in both."""
    code = """
import logging, sys, warnings, jax, jax.export, flax.linen, optax
def state():
    loggers = {name: (log.level, len(log.handlers), len(log.filters)) for name, log in
               [("", logging.getLogger()), *logging.root.manager.loggerDict.items()] if isinstance(log, logging.Logger)}
    return loggers, list(warnings.filters), dict(jax.config.values), sys.unraisablehook
before = state()
import jaxdeep
loggers, *others = state()
assert {name: loggers[name] for name in before[0]} == before[0]
assert others == list(before[1:])
assert logging.getLogger("jaxdeep").handlers == [] and logging.getLogger("jaxdeep").level == 0
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_a_run_with_checkpoints_gives_the_root_logger_no_handler(tmp_path: Path) -> None:
    """Orbax logs by absl, which configures a root logger without handlers, so that every message is printed."""
    code = f"""
import logging, numpy as np
from jaxdeep import Config, Dataset, fit
x = np.random.default_rng(0).random((100, 3))
config = Config().updated({{"model.units": (4,), "train.epochs": 2}})
fit(config, Dataset.from_arrays(x, np.arange(100) % 2), checkpoints={str(tmp_path / "kept")!r})
assert logging.root.handlers == [], logging.root.handlers
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stderr == ""


def test_what_is_quiet_for_a_while_speaks_afterwards() -> None:
    def state() -> tuple[object, ...]:
        return sys.unraisablehook, *(list(logging.getLogger(name).filters) for name in ("absl", "asyncio"))

    before = state()
    with quiet_orbax():
        within = state()
        with quiet_orbax():
            assert state() == within
        assert state() == within != before
    assert state() == before


def test_after_a_failure_it_stays_quiet() -> None:
    """Threads of Orbax's own may complain later."""
    before = sys.unraisablehook, quiet._has_failed
    with pytest.raises(OSError, match="full"), quiet_orbax():
        raise OSError("full")
    try:
        assert quiet._has_failed
        assert sys.unraisablehook is not before[0] or before[1]
    finally:
        if not before[1]:  # only this test failed
            quiet._leave()
            quiet._has_failed = False
    assert sys.unraisablehook is before[0]
