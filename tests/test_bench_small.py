"""Small processes on scikit-learn's digits, for one epoch and one round. No test asserts a time."""

from pathlib import Path
from typing import Any

import pytest

from bench import contestants, networks, record, results, small, targets
from bench.options import parse
from bench.peers import digits
from bench.questions import QUESTIONS
from bench.rounds import Spread

MACHINE = {
    "name": "Some CPU, 2 cores",
    "processor": "Some CPU",
    "cores": 2,
    "memory_gib": 16.0,
    "system": "Linux",
    "device": {"platform": "cpu", "kind": "cpu", "count": 1},
}


def outcome(*seconds: float, **rest: Any) -> dict[str, Any]:
    return {"seconds": list(seconds), "milliseconds": [], "answer": {"accuracy": [0.9, 0.92]}, **rest}


def entry(name: str, **outcomes: Any) -> dict[str, Any]:
    by_name = {f"{contestant}-digits": value for contestant, value in outcomes.items()}
    return {"task": name, "words": small.TASKS[name].words, "command": "", "rounds": 2, "contestants": by_name}


def test_every_task_has_a_name_and_a_function() -> None:
    assert tuple(small.TASKS) == networks.SMALL
    for task in small.TASKS.values():
        assert all(f"{name.partition('-')[0]}-{task.name}" in digits.TASKS for name in task.contestants)
        assert set(task.contestants) <= contestants.DIGITS.keys()


def test_a_study_has_as_many_rates_and_seeds_as_runs() -> None:
    assert len(digits.rates(25)) * digits.SEEDS == 25
    assert digits.rates(25)[2] == digits.RATE
    assert len(digits.SHAPES["model.units"]) * len(digits.SHAPES["train.batch_size"]) == small.TASKS["shapes"].runs


def test_processes_take_turns_and_keep_a_record(monkeypatch, tmp_path, capsys) -> None:
    fits = small.TASKS["fits"]._replace(runs=1, epochs=1, words="a fit")
    monkeypatch.setattr(small, "TASKS", {"fits": fits, "predict": small.TASKS["predict"]._replace(runs=2, epochs=1)})
    words = ["small", "--configs", "fits", "predict", "--rounds", "1", "--records", str(tmp_path)]
    small.run(parse(list(QUESTIONS), words, lambda: MACHINE))
    entries = results.devices(tmp_path)[0]["small"]
    assert entries["fits"]["command"] == "python -m bench small --configs fits --rounds 1"
    found = entries["fits"]["contestants"]
    assert list(found) == ["jaxdeep-digits", "sklearn-digits"]
    assert all(len(own["seconds"]) == len(own["answer"]["accuracy"]) == 1 for own in found.values()), found
    (own,) = entries["predict"]["contestants"].values()
    assert own["milliseconds"] == [max(own["answer"]["milliseconds"])]
    assert "slowest prediction" in capsys.readouterr().out


def test_a_process_that_fails_has_a_remark(monkeypatch) -> None:
    failing = small.TASKS["fits"]._replace(name="nothing")
    rows = small.table(entry("fits") | {"contestants": small.timed(failing, ("sklearn-digits",), 2)})
    assert rows[1] == ("sklearn-digits", "-", "-", "-", "failed: KeyError: 'sklearn-nothing'")


def test_targets_are_computed_from_the_record(tmp_path: Path) -> None:
    entries = {
        "fits": entry("fits", jaxdeep=outcome(4.0, 5.0), sklearn=outcome(5.0, 6.0)),
        "study": entry("study", jaxdeep=outcome(8.0, 8.0), sklearn=outcome(12.0, 12.0)),
        "shapes": entry("shapes", jaxdeep=outcome(11.0, 13.0)),
        "predict": entry("predict", jaxdeep=outcome(3.0, 3.0, milliseconds=[1.0, 3.0])),
    }
    for name, own in entries.items():
        record.add_record(tmp_path, MACHINE, "small", name, own)
    (device,) = results.devices(tmp_path)
    text = results.results([device], {"small-study": "The reason.", "small-fits": "Not missed."})
    rows = {cells[1].strip(): cells[3:5] for line in text.splitlines() if len(cells := line.split("|")) > 5}
    verdicts = {target.name: rows.get(target.description) for target in targets.TARGETS}
    assert verdicts["small-fits"] == [" 1.22 (1.20 - 1.25) ", " met "]
    assert verdicts["small-study"] == [" 1.50 (1.50 - 1.50) ", " **missed** "]
    assert verdicts["small-shapes"] == [" 12.00 (11.00 - 13.00) ", " **missed** "]
    assert verdicts["small-predict"] == [" 2.00 (1.00 - 3.00) ", " met "]
    assert verdicts["small-import"] == [" - ", " not measured "]
    assert "The reason." in text
    assert "Not missed." not in text
    assert "digits: a study of 25 runs of 200 epochs" in text
    assert small.gain(entry("fits", jaxdeep=outcome(1.0))) is None
    assert small.gain(entries["fits"]) == Spread(5.5 / 4.5, 1.2, 1.25)
    with pytest.raises(KeyError):
        small.title({})
