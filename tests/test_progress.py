"""Who sees a progress bar: whoever looks at a terminal or a notebook, or asks for it."""

import subprocess
import sys
import types
import warnings

import pytest
from small_data import SMALL, lean_compilation, small_dataset
from test_terminal import in_terminal

from jaxdeep import Trial, fit, fit_all, fit_by_halving, run_study, successive_halving
from jaxdeep.errors import UserError
from jaxdeep.study.brackets import Bracket
from jaxdeep.terminal import is_watched

CONFIG = SMALL.updated({"train.epochs": 3})
RATE = "optim.learning_rate"
TRIALS = [Trial(CONFIG.updated({RATE: rate}), 0, {RATE: rate}) for rate in (3e-3, 1e-3, 1e-2)]
BRACKETS = [Bracket(tuple(trial.candidate for trial in TRIALS), successive_halving(3, 3))]
CALLS = {
    "fit": lambda **given: fit(CONFIG, small_dataset(CONFIG), 0, **given),
    "fit_all": lambda **given: fit_all(TRIALS, small_dataset(CONFIG), **given),
    "fit_by_halving": lambda **given: fit_by_halving(TRIALS, small_dataset(CONFIG), BRACKETS, **given),
    "run_study": lambda **given: run_study(CONFIG, small_dataset(CONFIG), seeds=2, **given),
}
TITLES = {"fit": "seed 0", "fit_all": "3/3 runs", "fit_by_halving": "0/3 runs", "run_study": "2/2 runs"}


@pytest.mark.parametrize("call", CALLS)
def test_a_bar_is_shown_on_demand_and_not_in_a_pipe(call, capsys) -> None:
    with lean_compilation():
        quiet, silent, shown = (CALLS[call](**given) for given in ({}, {"verbose": False}, {"verbose": True}))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("|") == 2 * err.count("\r") > 0  # bars alone
    assert f"{TITLES[call]} 100%|" in err.split("\r")[-1] or call == "fit_by_halving"
    assert len({str(found) for found in (quiet, silent, shown)}) == 1


def test_nothing_is_shown_in_a_pipe(capsys) -> None:
    with lean_compilation():
        fit(CONFIG, small_dataset(CONFIG), 0)
    assert capsys.readouterr() == ("", "")


def test_a_wrong_call_shows_no_bar(capsys) -> None:
    with pytest.raises(UserError):
        fit(CONFIG.updated({"data.valid_size": 9}), small_dataset(CONFIG), verbose=True)
    with pytest.raises(UserError, match=r"verbose is 'no'\. Allowed: True, False, or None"):
        fit(CONFIG, small_dataset(CONFIG), verbose="no")  # pyright: ignore[reportArgumentType]
    assert capsys.readouterr() == ("", "")


FIT = """
from small_data import SMALL, small_dataset
from jaxdeep import fit
fit(SMALL, small_dataset(SMALL), 3)
"""


def test_a_terminal_shows_a_bar_by_default() -> None:
    assert "seed 3 100%|" in in_terminal(100, FIT)


def test_a_notebook_without_widgets_shows_a_bar_and_no_warning(monkeypatch, capsys) -> None:
    """A kernel's shell has the kernel as an attribute, and IPython is imported."""
    shell = types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    assert is_watched(None)
    with lean_compilation(), warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(CONFIG, small_dataset(CONFIG), 0)
    assert "seed 0 100%|" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: None))
    assert not is_watched(None)


def test_a_process_without_stderr_is_not_watched() -> None:
    code = "import sys; sys.stderr = None; from jaxdeep.terminal import is_watched; sys.exit(is_watched(None))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
