"""What TensorBoard reads: both curves in one chart, the hyperparameters, the layers, and all earlier tags."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorboardX.crc32c import crc32c
from tensorboardX.proto import plugin_hparams_pb2
from tensorboardX.proto.event_pb2 import Event
from test_run_folder import HISTORY, IDENTITY, ONE, finish, finished, lines

from jaxdeep.config import Config
from jaxdeep.study.files import read_metrics
from jaxdeep.study.folder import RunFolder
from jaxdeep.study.stored import read_study
from jaxdeep.study.tensorboard import hyperparameters_of
from jaxdeep.train.diagnostics import Diagnostics
from jaxdeep.train.history import diagnosed

LAYERS = Diagnostics((0.0, 0.5), (1.0, 2.0), (0.25, 0.0), (0.1, -0.1), (0.2, 0.3), (float("nan"), 1e-3))
DIAGNOSED = [diagnosed(record, LAYERS) for record in HISTORY]


def events_in(run: Path) -> Iterator[Any]:
    """The events of a run, whose checksums are right: length, crc, event, crc."""
    (file,) = run.glob("events*tfevents*")
    content = file.read_bytes()
    while content:
        length = int.from_bytes(content[:8], "little")
        body, crc = content[12 : 12 + length], int.from_bytes(content[12 + length : 16 + length], "little")
        plain = crc32c(body)
        assert crc == ((plain >> 15 | plain << 17) + 0xA282EAD8) & 0xFFFFFFFF
        yield Event.FromString(body)
        content = content[16 + length :]


def scalars(run: Path) -> dict[str, list[tuple[int, float]]]:
    """Epoch and value of each scalar, by tag."""
    found: dict[str, list[tuple[int, float]]] = {}
    for event in events_in(run):
        for value in event.summary.value:
            if value.HasField("simple_value"):
                found.setdefault(value.tag, []).append((event.step, pytest.approx(value.simple_value, rel=1e-6)))
    return found


def hyperparameters(run: Path) -> dict[str, Any]:
    """What the tab HPARAMS shows of a run. The file says it once, after its version and before all scalars."""
    events = list(events_in(run))
    assert events[0].file_version == "brain.Event:2"
    tags = [value.tag for event in events for value in event.summary.value]
    assert tags.count("_hparams_/session_start_info") == 1
    (value,) = events[1].summary.value
    assert value.metadata.plugin_data.plugin_name == "hparams"
    protocol: Any = plugin_hparams_pb2
    session = protocol.HParamsPluginData.FromString(value.metadata.plugin_data.content).session_start_info
    return {name: getattr(of, of.WhichOneof("kind")) for name, of in session.hparams.items()}


def test_training_and_validation_have_equal_tags_in_two_runs(tmp_path: Path) -> None:
    with RunFolder(tmp_path, IDENTITY) as folder:
        folder.follow(ONE, HISTORY[:1])
        folder.follow(ONE, HISTORY)
    run = tmp_path / "tensorboard" / "seed_1"
    for name, prefix in (("train", "train"), ("validation", "val")):
        figures = {tag: [(of.epoch, getattr(of, f"{prefix}_{tag}")) for of in HISTORY] for tag in ("loss", "accuracy")}
        assert scalars(run / name) == figures
    assert set(scalars(run)) == set(HISTORY[0]._fields) - {"epoch"}
    assert scalars(run)["val_loss"] == [(of.epoch, of.val_loss) for of in HISTORY]


def test_each_run_states_its_hyperparameters_once(tmp_path: Path) -> None:
    with RunFolder(tmp_path, IDENTITY) as folder:
        folder.follow(ONE, HISTORY)
    found = hyperparameters(tmp_path / "tensorboard" / "seed_1")
    assert found["seed"] == 1
    assert found["optim.learning_rate"] == 3e-3
    assert found["model.units"] == "3 x 12"
    assert found["data.valid_size"] == 50
    assert "optim.rho" not in found


def test_a_varied_field_has_the_value_of_its_trial() -> None:
    config = Config().updated({"regularize.keep_zeros": True}).to_dict()
    found = hyperparameters_of(config, {"seed": 3, "optim.learning_rate": 0.5, "model.units": [8, 6]})
    assert list(found)[:3] == ["seed", "optim.learning_rate", "model.units"]
    assert (found["seed"], found["optim.learning_rate"], found["model.units"]) == (3, 0.5, "8-6")
    assert found["regularize.keep_zeros"] is True
    assert hyperparameters_of({}, {"seed": 3})["optim.optimizer"] == Config().optim.optimizer


def test_layers_are_in_every_file_and_come_back(tmp_path: Path) -> None:
    with RunFolder(tmp_path, IDENTITY) as folder:
        folder.follow(ONE, DIAGNOSED)
        finish(folder, finished_with_layers())
    found = scalars(tmp_path / "tensorboard" / "seed_1")
    assert found["activation_std/layer_1"] == [(1, 2.0), (2, 2.0), (3, 2.0)]
    assert found["dead_units/layer_0"][0] == (1, 0.25)
    assert "update_ratio/layer_0" not in found
    assert lines(tmp_path)[0] == {"seed": 1, **HISTORY[0]._asdict(), "diagnostics": LAYERS.to_json()}
    assert lines(tmp_path)[0]["diagnostics"]["update_ratio"] == [None, 1e-3]
    (_, record), *_ = read_metrics(tmp_path / "metrics.jsonl")
    assert record.diagnostics is not None
    assert record.diagnostics.to_json() == LAYERS.to_json()
    study = read_study(tmp_path / "summary.json", tmp_path / "metrics.jsonl")
    assert [of.diagnostics is not None for of in study.histories[0]] == [True] * 3
    for kind in ("png", "svg"):
        assert (tmp_path / f"diagnostics.{kind}").stat().st_size > 1000
        assert f"diagnostics.{kind}" in study.files


def finished_with_layers() -> Any:
    from dataclasses import replace

    return replace(finished(), histories=(tuple(DIAGNOSED),))


def test_without_diagnostics_no_file_has_a_word_of_them(tmp_path: Path) -> None:
    with RunFolder(tmp_path, IDENTITY) as folder:
        folder.follow(ONE, HISTORY)
        finish(folder, finished())
    assert not list(tmp_path.glob("diagnostics.*"))
    assert all("diagnostics" not in line for line in lines(tmp_path))
