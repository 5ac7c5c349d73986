"""The abuse bench: what counts as a refusal, and a sample of its attempts."""

import json
from pathlib import Path
from typing import Any

import pytest
from test_bench import MACHINE

from bench import abuse, attempts, record, results
from bench.attempts import Attempt, call, fault_of_refusal, outcome
from bench.bad_values import fields
from bench.options import Options
from jaxdeep.config import Config
from jaxdeep.config.parts import PARTS
from jaxdeep.errors import UserError

CHEAP = ("call: a field's value", "call: Config", "call: Config.from_dict", "call: fields that exclude each other")
OF_SEEDS = ("call: Trial", "command: --seed", "command: --seeds", "command: --folds", "command: --grid")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Attempt]:
    return abuse.attempts(tmp_path_factory.mktemp("inputs"))


def refuse(text: str) -> Any:
    raise UserError(text)


def write_and_refuse() -> Any:
    Path("left_over").write_text("text")
    refuse("too late")


def hang() -> Any:
    while True:
        pass


def exit_with_1() -> Any:
    return 1 / 0


@pytest.mark.parametrize(
    ("function", "happened"),
    [
        (lambda: refuse("one line"), ""),
        (lambda: refuse("two\nlines"), "several lines"),
        (lambda: Config(), "accepted: Config"),
        (exit_with_1, "ZeroDivisionError: division by zero"),
        (write_and_refuse, "refused, but written: left_over"),
        (hang, "still running after 1 s"),
    ],
)
def test_a_call_is_refused_by_one_line_with_nothing_written(monkeypatch, function, happened) -> None:
    monkeypatch.setattr(attempts, "SECONDS", 1)
    assert outcome(call("kind", "name", function)) == happened


@pytest.mark.parametrize(
    ("status", "errors", "by_tyro", "happened"),
    [
        (2, "error: one line\n", False, ""),
        (2, "warning: odd\nerror: one line\n", False, ""),
        (2, "╭─ Parsing error ─╮\n│ Invalid │\n", True, ""),
        (2, "", True, "nothing on stderr"),
        (0, "", False, "exit status 0: nothing on stderr"),
        (1, "Traceback (most recent call last):\nValueError: x\n", False, "a traceback: ValueError: x"),
        (2, "error: two\nlines\n", False, "2 lines on stderr: error: two lines"),
        (2, "something\n", False, "no line of its own for the error: something"),
    ],
)
def test_a_command_is_refused_by_status_2_and_one_line(status, errors, by_tyro, happened) -> None:
    assert fault_of_refusal(status, errors, by_tyro) == happened


def test_there_are_more_than_300_attempts_each_with_a_name_of_its_own(made) -> None:
    assert len(made) > 300
    assert len({(attempt.kind, attempt.name) for attempt in made}) == len(made)


def test_every_field_is_attempted_from_python_and_on_the_command_line(made) -> None:
    calls = {attempt.name.split(":")[0] for attempt in made if attempt.kind == "call: a field's value"}
    flags = {attempt.name.split()[2] for attempt in made if attempt.kind == "command: a field's value"}
    assert calls == {field.dotted for field in fields()}
    assert flags == {f"--{name}" for name in calls}
    assert {field.part for field in fields()} == set(PARTS)


def test_no_field_takes_a_value_of_another_type(made) -> None:
    assert abuse.count_outcomes(attempt for attempt in made if attempt.kind in CHEAP)["not_refused"] == []


def test_a_sample_of_bad_words_for_fields_is_refused(made) -> None:
    of_fields = [attempt for attempt in made if attempt.kind == "command: a field's value"]
    assert abuse.count_outcomes(of_fields[::12])["not_refused"] == []


def test_bad_seeds_members_folds_and_grids_are_refused(made) -> None:
    chosen = [attempt for attempt in made if attempt.kind in OF_SEEDS[:4]][::2]
    chosen += [attempt for attempt in made if attempt.kind == OF_SEEDS[4]][::9]
    assert abuse.count_outcomes(chosen)["not_refused"] == []


def test_what_is_not_refused_is_recorded_and_counted(tmp_path, monkeypatch, capsys) -> None:
    one, other = call("kind", "one", lambda: refuse("no")), call("kind", "other", lambda: Config())
    monkeypatch.setattr(abuse, "attempts", lambda _: [one, other])
    options = Options(("abuse",), 5, None, None, None, None, tmp_path, MACHINE)
    abuse.run(options)
    (path,) = tmp_path.iterdir()
    entry = json.loads(path.read_text())["questions"]["abuse"]["all"]
    assert entry["not_refused"] == [{"kind": "kind", "name": "other", "happened": "accepted: Config"}]
    assert abuse.table(entry)[1:] == [("kind", "2", "1", "1"), ("all", "2", "1", "1")]
    assert "not refused: kind: other: accepted: Config" in capsys.readouterr().out
    (device,) = results.devices(tmp_path)
    text = results.results([device], {})
    assert "**2 bad command lines and calls, 1 of them refused**" in text
    assert "`python -m bench abuse`" in text
    assert record.records(tmp_path)


@pytest.mark.slow
def test_a_command_is_refused_as_a_process(made) -> None:
    processes = [attempt for attempt in made if attempt.kind == "command: as a process"]
    assert abuse.count_outcomes(processes[:3])["not_refused"] == []
