"""The benchmark's harness: who takes part, in which order, what is kept, who is no peer. No test asserts a time."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench import contestants, record, results, rounds, sanity, targets, throughput, time_to_target
from bench.__main__ import main
from bench.commands import LINE, EpochEvent

MACHINE = {
    "name": "Some CPU, 2 cores",
    "processor": "Some CPU",
    "cores": 2,
    "memory_gib": 16.0,
    "system": "Linux",
    "device": {"platform": "cpu", "kind": "cpu", "count": 1},
}


def outcome(losses: list[float | None], seconds: float = 0.3, **rest: Any) -> dict[str, Any]:
    """What a contestant with these losses leaves, the warm-up first."""
    epochs = [{"seconds": seconds, "call_seconds": seconds, "loss": loss, "accuracy": 0.1} for loss in losses]
    warm_up = {**epochs[0], "call_seconds": seconds + 1}
    return {"platform": "cpu", "precision": "float32", "warm_up": warm_up, "epochs": epochs[1:], **rest}


def entry(config: str = "selu", **outcomes: Any) -> dict[str, Any]:
    """A throughput entry."""
    judged = sanity.checked_outcomes({name.replace("_", "-"): value for name, value in outcomes.items()}, config)
    return {
        "config": config,
        "layers": 20,
        "batch_size": 32,
        "steps": 300,
        "data": "cifar10",
        "synthetic": False,
        "command": "python -m bench throughput",
        "rounds": 2,
        "contestants": judged,
        "left_out": {},
    }


def test_everyone_has_a_turn_in_each_round() -> None:
    assert [name for _, name in rounds.turns("ABC", 2)] == list("ABCABC")


def test_a_ratio_is_of_medians_and_spreads_over_rounds() -> None:
    assert rounds.ratio([4.0, 6.0, 20.0], [2.0, 2.0, 4.0]) == (3.0, 2.0, 5.0)
    assert rounds.spread([3.0, 1.0, 2.0, 10.0]) == (2.5, 1.0, 10.0)


def test_a_record_is_continued_and_its_entries_replaced(tmp_path: Path) -> None:
    for workload, value in (("one", 1), ("two", 2), ("one", 3)):
        path = record.add_record(tmp_path, MACHINE, "throughput", workload, {"value": value})
    record.add_record(tmp_path, MACHINE, "memory", "one", {"value": 4})
    assert path.name.endswith("-some-cpu-2-cores.json")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    questions = json.loads(path.read_text())["questions"]
    assert questions["throughput"]["one"]["value"] == 3
    assert questions["throughput"]["two"]["value"] == 2
    assert questions["memory"]["one"]["value"] == 4
    assert questions["memory"]["one"]["versions"]["jax"]
    assert questions["memory"]["one"]["matmul_precision"] == "highest"


def test_nan_is_refused_and_the_record_stays(tmp_path: Path) -> None:
    path = record.add_record(tmp_path, MACHINE, "throughput", "one", {"value": 1})
    before = path.read_text()
    with pytest.raises(ValueError, match="not JSON compliant"):
        record.add_record(tmp_path, MACHINE, "throughput", "one", {"value": float("nan")})
    assert path.read_text() == before


def test_a_peer_that_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    here: Callable[[str], Any] = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name in ("torch", "tensorflow") else here(name)
    )
    field = contestants.field(["jaxdeep", "keras-tf", "torch", "jaxdeep-tf32"], "cpu")
    assert field.present == ("jaxdeep",)
    assert field.left_out["torch"] == "torch is not installed"
    assert field.left_out["keras-tf"] == "tensorflow is not installed"
    assert "float32" in field.left_out["jaxdeep-tf32"]
    assert contestants.field(["jaxdeep-tf32"], "gpu").present == ("jaxdeep-tf32",)


def test_each_contestant_of_float32_has_a_row_of_tf32_on_a_gpu_only() -> None:
    given = {name: contestant for name, contestant in contestants.CONTESTANTS.items() if name.endswith("-tf32")}
    assert {"jaxdeep-tf32", "keras-tf-50-tf32", "keras-jax-50-tf32", "torch-compile-tf32", "torch-mc-tf32"} <= set(
        given
    )
    for name, contestant in given.items():
        plain = contestants.CONTESTANTS[name.removesuffix("-tf32")]
        assert contestant == plain._replace(options={**plain.options, "tf32": True}, gpu_only=True)
        assert not plain.gpu_only
        assert not any("PRECISION" in variable for variable in contestant.environment)


@pytest.mark.parametrize(
    ("losses", "reason"),
    [
        ([2.01, 1.8, 1.6], None),
        ([2.6, 1.8, 1.6], "first epoch"),
        ([2.0, None, 1.6], "not finite"),
        ([2.0, 2.1, 2.2], "does not fall"),
    ],
)
def test_a_peer_that_does_other_work_is_none(losses: list[float | None], reason: str | None) -> None:
    judged = entry(jaxdeep=outcome([2.0, 1.8, 1.6]), torch=outcome(losses))
    found = judged["contestants"]["torch"]["other_work"]
    assert (found is None) if reason is None else (reason in found)
    assert (throughput.ratios(judged, "torch") is None) == (reason is not None)
    assert judged["contestants"]["jaxdeep"]["other_work"] is None


@pytest.mark.parametrize(
    ("argv", "allowed"),
    [
        (["throughputs"], "throughput, startup"),
        (["throughput", "--configs", "silu"], "selu"),
        (["throughput", "--configs", "dropout"], "selu"),
        (["mc_dropout", "--configs", "selu"], "alpha_dropout, dropout"),
        (["throughput", "--contestants", "theano"], "keras-tf"),
        (["throughput", "--rounds", "0"], "1 or more"),
        (["results", "--records", "nowhere"], "Give a folder of records"),
    ],
)
def test_a_wrong_name_is_one_line(argv: list[str], allowed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2
    message = capsys.readouterr().err
    assert allowed in message
    assert message.count("\n") == 1


def test_results_say_what_was_missed_and_why(tmp_path: Path) -> None:
    peers = {
        "keras_tf": outcome([2.0, 1.8, 1.6], seconds=1.5),
        "torch": outcome([2.6, 1.8, 1.6], seconds=0.1),
        "torch_compile": {"failed": "no compiler"},
        "keras_jax_50": outcome([2.0, 1.8, 1.6], seconds=0.36),
    }
    measured = entry(jaxdeep=outcome([2.0, 1.8, 1.6]), **peers)
    record.add_record(tmp_path, MACHINE, "throughput", targets_workload(), measured)
    (device,) = results.devices(tmp_path)
    text = results.results([device], {"selu-keras-jax-50": "The reason.", "bn-keras-tf": "Not measured."})
    rows = {cells[1].strip(): cells[2:5] for line in text.splitlines() if len(cells := line.split("|")) > 5}
    assert rows["`selu`: times Keras on TensorFlow's `fit`"] == [" >= 4 ", " 5.00 (5.00 - 5.00) ", " met "]
    assert rows["`selu`: times Keras on JAX, `steps_per_execution=50`"][2] == " **missed** "
    assert rows["`selu`: times PyTorch at its best"][2] == " not measured "
    assert "The reason." in text
    assert "Not measured." not in text
    assert "failed: no compiler" in text
    assert "OTHER WORK" in text
    assert results.headline_table(device).count("\n") == 6
    assert results.startup_table(device) == ""


def targets_workload() -> str:
    """The workload that the targets are about."""
    assert targets.TARGETS[0].measured({"throughput": {}}) is None
    return "selu,batch=32,layers=20"


def test_the_latest_entry_of_a_workload_counts(tmp_path: Path) -> None:
    path = record.add_record(tmp_path, MACHINE, "memory", "one", {"value": 2})
    old = json.loads(path.read_text())
    old["date"] = "2020-01-01"
    old["questions"]["memory"] = {"one": {"value": 1}, "two": {"value": 1}}
    (tmp_path / "2020-01-01-some-cpu-2-cores.json").write_text(json.dumps(old))
    (device,) = results.devices(tmp_path)
    assert device["memory"]["one"]["value"] == 2
    assert device["memory"]["two"]["value"] == 1


def test_notes_are_read_by_name(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("# Notes\n\n## one\n\nBecause.\n\n## two\nOf it.\n")
    assert results.notes(tmp_path / "notes.md") == {"one": "Because.", "two": "Of it."}
    assert results.notes(tmp_path / "none.md") == {}


def test_goals_are_the_chapters() -> None:
    loss, *accuracies = time_to_target.goals("selu")
    assert loss.is_reached(EpochEvent(1, 1.0, loss.value, 0.1))
    assert not loss.is_reached(EpochEvent(1, 1.0, float("nan"), 0.1))
    assert [goal.source for goal in accuracies] == ["000", "004"]
    line = "seed 42 epoch 3/100: loss 1.9000, val_loss 1.8000, val_accuracy 0.3000, 29,000 images/s"
    found = LINE.search(line)
    assert found is not None
    assert found.groups() == ("3", "1.8000", "0.3000")


def test_the_cost_of_diagnostics_is_timed_in_turn(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from small_data import SMALL, lean_compilation, small_dataset

    from bench import diagnostics

    calls: list[str] = []
    epochs = diagnostics._epochs

    def followed(config: Any, data: Any, folder: Path) -> Any:
        for number in epochs(config, data, folder):
            calls.append(folder.name)
            yield number

    monkeypatch.setattr(diagnostics, "_epochs", followed)
    with lean_compilation():
        seconds = diagnostics.timed(SMALL, small_dataset(SMALL), 2)
    assert calls == ["off", "on"] * 3
    assert [len(of) for of in seconds.values()] == [2, 2]
    kept = {"config": "selu", "data": "d", "synthetic": True, "rows": 150, "layers": 4}
    kept["seconds"] = {"off": [1.0, 2.0], "on": [1.1, 2.0]}
    assert diagnostics.title(kept) == "selu, 4 layers, 150 training rows of d, synthetic"
    assert [row[0] for row in diagnostics.table(kept)] == ["diagnostics", "off", "on"]


def test_fused_layers_are_timed_in_turn_with_xlas_kernels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from small_data import SMALL, lean_compilation, small_dataset

    from bench import fused
    from bench.options import parse
    from bench.questions import QUESTIONS

    config = SMALL.updated({"model.units": (8,) * 3, "train.patience": 1})
    with lean_compilation():
        rows = [row for trials in (1, 2) for row in fused.timed(config, small_dataset(config), trials, 1)]
    assert [(row["trials"], row["kernels"]) for row in rows] == [(1, "xla"), (1, "fused"), (2, "xla"), (2, "fused")]
    assert all(len(row["seconds"]) == 1 and row["compile_seconds"] > 0 for row in rows)
    assert all(row["gradients_apart"] < 1e-5 for row in rows)
    header, *found = fused.table({"rows": rows})
    assert [row[5] for row in found][::2] == ["1.00 (1.00 - 1.00)"] * 2
    assert len({len(row) for row in (header, *found)}) == 1
    entry = {"config": "elu", "trials": 140, "epochs": 10, "study_seconds": 50.0, "rows": []}
    assert fused.title(entry) == "140 trials of elu, 10 epochs: 50.0 s with compilation"
    words = fused.study_command(tmp_path)
    assert words[words.index("--grid") + 1].count(",") == 6
    options = parse(list(QUESTIONS), ["fused"], lambda: {"device": {"platform": "cpu"}})
    fused.run(options)
    assert "there is no accelerator" in capsys.readouterr().err
