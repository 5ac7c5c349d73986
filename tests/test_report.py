"""What the README says is what the records hold, and its code runs."""

import json
import re
from pathlib import Path

import pytest

from experiments import report
from experiments.cifar import CONFIGS
from jaxdeep.errors import UserError

README = (Path(__file__).parent.parent / "README.md").read_text()


def finished_run(folder: Path, **changes) -> Path:
    """A run folder as far as the report reads it."""
    config = CONFIGS["selu"].config.to_dict()
    summary = {"experiment": "cifar", "name": "selu", "config": config, "data": {"synthetic": False}, **changes}
    folder.mkdir()
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "curves.png").write_bytes(b"png")
    return folder


def test_the_tables_are_those_of_the_records() -> None:
    assert report.with_tables(README) == README


def test_every_record_is_of_real_images_and_at_least_three_seeds() -> None:
    records = [json.loads(path.read_text()) for path in (report.RESULTS / "cifar").glob("*.json")]
    assert {record["name"] for record in records} == set(CONFIGS) - {"sanity"}
    for record in records:
        assert record["data"]["synthetic"] is False
        assert len(record["runs"]) >= 3
        assert [run["seed"] for run in record["runs"]] == list(range(42, 42 + len(record["runs"])))


def test_a_run_is_taken_under_its_configuration_and_what_was_changed(tmp_path) -> None:
    changed = CONFIGS["selu"].config.to_dict()
    changed["optim"]["momentum_decay"] = 0.004
    report.take(finished_run(tmp_path / "a"), tmp_path / "results")
    report.take(finished_run(tmp_path / "b", config=changed), tmp_path / "results")
    names = sorted(path.name for path in (tmp_path / "results" / "cifar").glob("*.json"))
    assert names == ["selu,optim.momentum_decay=0.004.json", "selu.json"]


def test_synthetic_and_unfinished_runs_are_no_results(tmp_path) -> None:
    with pytest.raises(UserError, match="synthetic"):
        report.take(finished_run(tmp_path / "a", data={"synthetic": True}), tmp_path / "results")
    with pytest.raises(UserError, match="not a finished run"):
        report.take(tmp_path, tmp_path / "results")


def test_the_quickstart_runs_and_learns(capsys) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict = {}
    exec(code, names)
    assert names["probabilities"].shape == (5, 4)
    assert names["run"].test_accuracy > 0.6  # chance is 0.25
    assert capsys.readouterr().out
