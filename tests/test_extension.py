"""More epochs for a run that has stopped: to the bits of a run that had them from the first, or a refusal in words."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from small_commands import QUICK, summary
from small_data import SMALL, lean_compilation, small_dataset

from jaxdeep.config import Config, Optim, Schedule
from jaxdeep.config.extension import check_continues, is_extension
from jaxdeep.errors import UserError
from jaxdeep.study.batched import fit_batched
from jaxdeep.study.runner import fit_all
from jaxdeep.study.trial import Trial
from jaxdeep.train.fit import Run, fit, run_identity

pytestmark = pytest.mark.filterwarnings("ignore:.* diverged:jaxdeep.errors.JaxdeepWarning")
"""One of the runs diverges on purpose."""


@pytest.fixture(scope="module", autouse=True)
def little_optimisation() -> Iterator[None]:
    with lean_compilation():
        yield


def with_train(config: Config = SMALL, **changes: Any) -> Config:
    return replace(config, train=replace(config.train, **changes))


def assert_same_run(one: Run, other: Run) -> None:
    """All but the seconds, to the bit."""
    for left, right in zip(*(jax.tree.leaves((run.params, run.batch_stats)) for run in (one, other)), strict=True):
        np.testing.assert_array_equal(left, right)
    np.testing.assert_equal(*([record[:-1] for record in run.history] for run in (one, other)))  # NaN equals NaN
    for name in ("best_epoch", "val_loss", "val_accuracy", "test_loss", "test_accuracy", "diverged"):
        np.testing.assert_equal(getattr(one, name), getattr(other, name))
    np.testing.assert_array_equal(one.test_correct, other.test_correct)


def recorded(folder: Path) -> dict[str, Any]:
    """What the latest checkpoint says that its run is."""
    latest = max((path for path in folder.iterdir() if path.name.isdigit()), key=lambda path: int(path.name))
    return json.loads((latest / "record" / "metadata").read_text())["run"]


GOING_ON = {
    "constant": SMALL,
    "plateau": replace(SMALL, schedule=Schedule("plateau", patience_epochs=1, min_delta=0.1)),
    "exponential": replace(SMALL, schedule=Schedule("exponential", decay_epochs=2.0, warmup_steps=7)),
    "power": replace(SMALL, schedule=Schedule("power", decay_steps=9)),
    "piecewise": replace(SMALL, schedule=Schedule("piecewise", boundaries_epochs=(2,), factors=(1.0, 0.1))),
    "the last weights": with_train(SMALL, keep="last"),
    "stopped early": with_train(SMALL, patience=1),
    "diverged": replace(
        SMALL,
        model=replace(SMALL.model, activation="relu"),
        optim=Optim("sgd", learning_rate=0.01),
        schedule=Schedule("piecewise", boundaries_epochs=(2,), factors=(1.0, 1e30)),
    ),
}


@pytest.mark.parametrize("kind", GOING_ON)
@pytest.mark.parametrize("until", [None, 2])
def test_a_longer_run_goes_on_to_the_bits_that_it_would_have_had(tmp_path, kind, until) -> None:
    short, long = (with_train(GOING_ON[kind], epochs=epochs) for epochs in (4, 7))
    data, seen = small_dataset(short), []
    kept = fit(short, data, 5, checkpoints=tmp_path, until=until)
    run = fit(long, data, 5, checkpoints=tmp_path, on_epoch=lambda history: seen.append(len(history)))
    assert seen[0] == len(kept.history)
    assert_same_run(run, fit(long, data, 5))
    if len(run.history) > len(kept.history):
        assert recorded(tmp_path)["config"]["train"]["epochs"] == 7
    assert_same_run(fit(long, data, 5, checkpoints=tmp_path), run)


def test_a_run_may_be_raised_again_and_again(tmp_path) -> None:
    data = small_dataset(SMALL)
    for epochs in (1, 2, 3, 6):
        run = fit(with_train(epochs=epochs, patience=9), data, checkpoints=tmp_path)
    assert_same_run(run, fit(with_train(epochs=6, patience=9), data))


REFUSED = {
    "lowered": ((7, SMALL), (4, SMALL), "Epochs can be raised, not lowered"),
    "onecycle": (*((n, replace(SMALL, schedule=Schedule("onecycle"))) for n in (4, 7)), "schedule onecycle depend"),
    "cosine": (*((n, replace(SMALL, schedule=Schedule("cosine"))) for n in (4, 7)), "schedule cosine depend"),
    "more than the epochs": (
        (4, SMALL),
        (7, with_train(SMALL, patience=3)),
        r"config.train.patience \(there 4, here 3\)",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_not_be_the_same_run_is_refused_with_the_fields_and_the_reason(tmp_path, case) -> None:
    (before, one), (after, other), message = REFUSED[case]
    data = small_dataset(SMALL)
    kept = fit(with_train(one, epochs=before), data, checkpoints=tmp_path)
    with pytest.raises(UserError, match=message) as caught:
        fit(with_train(other, epochs=after), data, checkpoints=tmp_path)
    assert f"config.train.epochs (there {before}, here {after})" in str(caught.value)
    assert_same_run(fit(with_train(one, epochs=before), data, checkpoints=tmp_path), kept)


@pytest.mark.slow
def test_members_of_a_study_go_on_alone_and_batched(tmp_path) -> None:
    data = small_dataset(SMALL)
    short, long = (with_train(epochs=epochs) for epochs in (2, 4))

    def folder(trial: Trial) -> Path:
        return tmp_path / trial.name

    fit_all([Trial(short, seed) for seed in (1, 2)], data, checkpoints=folder)
    alone = fit_all([Trial(long, seed) for seed in (1, 2)], data, checkpoints=folder)
    for run in alone:
        assert_same_run(run, fit(long, data, run.seed))
    for config in (short, long):
        folders = [tmp_path / f"batched_{seed}" for seed in (1, 2)]
        batched = fit_batched([Trial(config, seed) for seed in (1, 2)], [data] * 2, folders)
    fresh = fit_batched([Trial(long, seed) for seed in (1, 2)], [data] * 2, [None] * 2)
    for one, other in zip(batched, fresh, strict=True):
        assert_same_run(one, other)
    assert recorded(tmp_path / "batched_1")["config"]["train"]["epochs"] == 4


def study(epochs: int, kind: str = "constant", **more: Any) -> dict[str, Any]:
    """What a run folder says of a study."""
    config = replace(with_train(epochs=epochs), schedule=Schedule(kind))  # pyright: ignore[reportArgumentType]
    return {"experiment": "e", "config": config.to_dict(), "seeds": [1], "data": {"synthetic": False}, **more}


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({}, None),
        ({"grid": {"optim.learning_rate": [0.1, 0.2]}, "folds": 3}, None),
        ({"kind": "cosine"}, "schedule cosine"),
        ({"kind": "cosine", "grid": {"schedule.kind": ["constant", "power"]}}, None),
        ({"grid": {"schedule.kind": ["constant", "onecycle"]}}, "schedule onecycle"),
        ({"grid": {"optim.learning_rate": [0.1, 0.2]}, "halving": "successive"}, "rounds of --halving successive"),
        ({"space": {"optim.learning_rate": "log:1:2"}, "halving": "hyperband"}, "rounds of --halving hyperband"),
    ],
)
def test_which_studies_go_on(more, reason) -> None:
    found, wanted = study(3, **more), study(5, **more)
    assert is_extension(found, wanted) == (reason is None)
    assert not is_extension(found, found)
    assert not is_extension(found, {**wanted, "seeds": [1, 2]})
    if reason is None:
        check_continues("folder", found, wanted)
    else:
        with pytest.raises(UserError, match=f"folder holds another run: config.train.epochs .*{reason}"):
            check_continues("folder", found, wanted)


def test_a_runs_own_identity_is_compared_by_the_same_rule() -> None:
    data = small_dataset(SMALL)
    short, long = (run_identity(with_train(epochs=epochs), data, 3) for epochs in (4, 5))
    assert is_extension(short, long)
    assert not is_extension(short, run_identity(with_train(epochs=5), data, 4))


ASKED = ("--mc-samples", "3")


@pytest.mark.slow
def test_the_same_command_with_more_epochs_goes_on_and_its_results_follow(command: Callable[..., int], capsys) -> None:
    dropout = ("--model.dropout-sites", "every", "--model.dropout", "dropout", "--model.dropout-rate", "0.1")
    argv = (*QUICK, *dropout, "--data", "cifar10")
    assert command(*argv, "--workdir", "w", *ASKED) == 0
    before = summary("w")
    assert "uncertainty" in before
    assert Path("w/reliability.png").exists()
    more = ("--train.epochs", "5")
    capsys.readouterr()
    assert command(*argv, *more, "--workdir", "w") == 0
    assert " epoch 2/5" not in capsys.readouterr().err  # it is not trained again
    assert command(*argv, *more, "--workdir", "whole") == 0
    found, whole = summary("w"), summary("whole")
    assert [run["epochs"] for run in found["runs"]] == [5]
    for name in ("best_epoch", "val_loss", "test_loss", "test_accuracy", "highest_val_accuracy"):
        assert [run[name] for run in found["runs"]] == [run[name] for run in whole["runs"]]
    assert found["config"]["train"]["epochs"] == 5
    assert found["command"] == whole["command"]
    assert found["wall_seconds"] > before["wall_seconds"]
    assert "uncertainty" not in found
    assert not Path("w/reliability.png").exists()
    assert json.loads(Path("w/config.json").read_text())["config"]["train"]["epochs"] == 5
    epochs = [json.loads(line)["epoch"] for line in Path("w/metrics.jsonl").read_text().splitlines()]
    assert epochs == [1, 2, 3, 4, 5]
    assert command(*argv, *more, "--workdir", "w", *ASKED) == 0
    assert "uncertainty" in summary("w")
    assert command(*argv, "--workdir", "w") == 2
    assert "config.train.epochs (there 5, here 3). Epochs can be raised, not lowered" in capsys.readouterr().err


@pytest.mark.slow
def test_the_results_of_the_shorter_run_stay_until_the_new_ones_are_there(command, capsys, monkeypatch) -> None:
    from jaxdeep.study.folder import RunFolder

    argv = (*QUICK, "--data", "cifar10", "--workdir", "w")
    assert command(*argv) == 0
    before = summary("w")
    follow = RunFolder.follow

    def interrupted(self: RunFolder, trial: Trial, history: Any) -> None:
        follow(self, trial, history)
        if len(history) == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(RunFolder, "follow", interrupted)
        assert command(*argv, "--train.epochs", "6") == 130
    assert summary("w") == before
    capsys.readouterr()
    assert command(*argv, "--train.epochs", "6") == 0
    assert " epoch 3/6" not in capsys.readouterr().err
    assert summary("w")["runs"][0]["epochs"] == 6


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (("--schedule.kind", "cosine"), "The rates of schedule cosine depend on the epochs"),
        (("--grid", "optim.learning_rate=1e-3,1e-2,1e-1", "--halving", "successive"), "rounds of --halving successive"),
    ],
)
def test_a_command_whose_epochs_decide_more_is_refused_and_nothing_is_touched(command, capsys, more, reason) -> None:
    argv = (*QUICK, *more, "--data", "cifar10", "--workdir", "w")
    assert command(*argv) == 0
    before = {path: path.read_bytes() for path in Path("w").rglob("*") if path.is_file()}
    capsys.readouterr()
    assert command(*argv, "--train.epochs", "5") == 2
    assert reason in capsys.readouterr().err
    assert before == {path: path.read_bytes() for path in Path("w").rglob("*") if path.is_file()}
