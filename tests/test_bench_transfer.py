"""Training on top of frozen layers, with outputs computed once and without. No test asserts a time."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import bench.contest
from bench import networks, results, targets, transfer, transfer_workload
from bench.__main__ import main
from bench.networks import TRANSFER
from bench.options import Options
from bench.peers import jaxdeep_transfer, keras_transfer
from bench.peers.transfer import chosen_rows
from jaxdeep.data.images import Images
from jaxdeep.errors import UserError
from jaxdeep.train import features, phases

VALID = 200
CONFIG = TRANSFER["mnist_500"].updated(
    {
        "model.units": (12, 8),
        "transfer.layers": 2,
        "data.valid_size": VALID,
        "data.per_class": 25,
        "data.valid_per_class": 6,
        "train.epochs": 3,
        "train.patience": 3,
    }
)
NAMES = ["jaxdeep-cached", "jaxdeep-frozen", "keras-jax-cached"]


def small_images() -> Images:
    """Ten classes of 5 x 5 pixels, each brighter in a pixel of its own. There are VALID test images."""
    rng = np.random.default_rng(0)

    def drawn(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.arange(count) % 10
        rows = rng.integers(0, 100, (count, 25))
        rows[np.arange(count), labels] += 120
        return rows.astype(np.uint8).reshape(count, 5, 5, 1), labels.astype(np.uint8)

    names = tuple("0123456789")
    return Images(*drawn(1_000), *drawn(VALID), name="small", source="drawn", synthetic=True, class_names=names)


def made_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a small network and small images in the place of the real ones."""
    monkeypatch.setattr(networks, "TRANSFER", {"mnist_500": CONFIG})
    monkeypatch.setattr(transfer, "TRANSFER", {"mnist_500": CONFIG})
    monkeypatch.setattr(transfer_workload, "TRANSFER", {"mnist_500": CONFIG})
    monkeypatch.setattr(transfer_workload, "mnist", small_images)
    monkeypatch.setattr(bench.contest, "SECONDS_BETWEEN_TURNS", 0)


@pytest.mark.slow
def test_a_contest_of_trainings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole of `transfer`, in processes: cached outputs give the losses of layers that are run in every step."""
    made_small(monkeypatch)
    argv = ["transfer", "--configs", "mnist_500", "--rounds", "1", "--contestants", *NAMES]
    assert main([*argv, "--records", str(tmp_path / "records")]) == 0
    (path,) = (tmp_path / "records").iterdir()
    ((name, kept),) = json.loads(path.read_text())["questions"]["transfer"].items()
    assert name == "mnist_500"
    assert (kept["rows"], kept["steps"]) == (125, 3 * 7)
    outcomes = kept["contestants"]
    assert list(outcomes) == NAMES
    for outcome in outcomes.values():
        assert outcome["other_work"] is None
        assert [sorted(training) for training in outcome["trainings"]] == [
            ["call_seconds", "feature_seconds", "seconds"]
        ]
    assert outcomes["jaxdeep-frozen"]["losses_differ"] < 1e-6
    (cached,), (frozen,) = (outcomes[name]["trainings"] for name in NAMES[:2])
    assert 0 < cached["feature_seconds"] < cached["seconds"] < cached["call_seconds"]
    assert frozen["feature_seconds"] == 0 < frozen["seconds"] < frozen["call_seconds"]
    assert "125 rows, 3 epochs of batches of 20 (SYNTHETIC images)" in capsys.readouterr().out
    assert main(["results", "--records", str(tmp_path / "records")]) == 0
    assert "| jaxdeep-frozen |" in (tmp_path / "RESULTS.md").read_text()
    (device,) = results.devices(tmp_path / "records")
    assert results.question_table("transfer", device).count("`mnist_500`") == len(NAMES)


def test_peers_are_handed_the_rows_that_jaxdeep_chooses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_small(monkeypatch)
    images, path = small_images(), tmp_path / "source.npz"
    source = transfer_workload.trained_source(images, path)
    work = transfer_workload.workload(CONFIG, images, source, path)
    (x, y), (x_valid, y_valid) = chosen_rows(work)
    assert [np.bincount(labels).tolist() for labels in (y, y_valid)] == [[25] * 5, [6] * 5]
    raw = x / work.scale + work.mean
    assert (raw.reshape(len(y), 25)[np.arange(len(y)), y + 5] >= 119).all()
    assert len(np.unique(np.concatenate([x, x_valid]), axis=0)) == 155
    assert [kernel.shape for kernel in work.kernels] == [(25, 12), (12, 8), (8, 5)]
    assert source.history[-1].train_loss < source.history[0].train_loss


@pytest.mark.slow
def test_the_other_ways_train_on_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras's output layer learns the same by both ways. All layers that are trained learn more than one."""
    made_small(monkeypatch)
    for module, name in ((phases, "with_features"), (features, "_features"), (phases, "computed_once")):
        monkeypatch.setattr(module, name, getattr(module, name))  # `build` wraps them
    images, path = small_images(), tmp_path / "source.npz"
    work = transfer_workload.workload(CONFIG, images, transfer_workload.trained_source(images, path), path)
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        cached, frozen = (keras_transfer.build(work, way).training() for way in ("cached", "frozen"))
    assert frozen.losses[-1] == pytest.approx(cached.losses[-1], rel=0.02)
    assert frozen.feature_seconds == 0 < cached.feature_seconds < cached.seconds
    head, every = (jaxdeep_transfer.build(work, way).training() for way in ("cached", "all"))
    assert every.losses[-1][0] < head.losses[-1][0]
    assert every.feature_seconds == 0
    assert cached.losses[-1] == pytest.approx(head.losses[-1], rel=0.1)


def outcome(losses: Any, *seconds: float) -> dict[str, Any]:
    """What a contestant with these losses and times of trainings leaves."""
    trainings = [{"seconds": of, "feature_seconds": 0.1, "call_seconds": of + 1, "losses": losses} for of in seconds]
    return {"precision": "float32", "warm_up": trainings[0], "trainings": trainings}


def entry(**outcomes: dict[str, Any]) -> dict[str, Any]:
    """An entry of these outcomes, as `run` keeps it."""
    judged = transfer.checked({name.replace("_", "-"): of for name, of in outcomes.items()})
    return {"config": "mnist_500", "steps": 2_500, "contestants": judged}


def test_the_table_and_the_target_are_of_medians() -> None:
    same = [(1.0, 1.0), (0.5, 0.6)]
    found = entry(
        jaxdeep_cached=outcome(same, 0.1, 0.2, 0.1),
        jaxdeep_frozen=outcome([(1.0, 1.0), (0.5, 0.6 + 2e-6)], 0.6, 0.9, 0.5),
        keras_jax_cached={"failed": "no memory"},
    )
    rows = {row[0]: row for row in transfer.table(found)}
    assert rows["jaxdeep-frozen"][3:5] == ("0.2400", "6.00 (4.50 - 6.00)")
    assert rows["jaxdeep-frozen"][8] == "2e-06"
    assert rows["keras-jax-cached"][-1] == "failed: no memory"
    said = {row[0]: row[2:] for row in targets.table({"transfer": {"mnist_500": found}}, "cpu")}
    (target,) = (target for target in targets.TARGETS if target.name == "transfer-cache")
    assert said[target.description] == ("6.00 (4.50 - 6.00)", "met")
    assert target.measured({}) is None


@pytest.mark.parametrize(
    ("name", "losses", "reason"),
    [
        ("jaxdeep-frozen", [(1.0, 1.0), (0.5, 0.6002)], "losses differ"),
        ("jaxdeep-frozen", [(1.0, 1.0), (None, 0.6)], "not finite"),
        ("keras-jax-frozen", [(1.2, 1.0), (0.56, 0.6)], "last loss differs by +12.0%"),
        ("keras-jax-frozen", [(1.2, 1.0), (0.54, 0.6)], None),
        ("jaxdeep-all", [(1.0, 1.0), (0.01, 0.1)], None),
    ],
)
def test_other_losses_are_other_work(name: str, losses: Any, reason: str | None) -> None:
    judged = transfer.checked({"jaxdeep-cached": outcome([(1.0, 1.0), (0.5, 0.6)], 0.1), name: outcome(losses, 0.5)})
    said = judged[name]["other_work"]
    assert (said is None) if reason is None else (reason in said)


def test_without_mnist_the_question_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def absent() -> Images:
        raise UserError("mnist cannot be had. Give a folder.")

    monkeypatch.setattr(transfer_workload, "mnist", absent)
    options = Options(("transfer",), 1, None, None, None, None, tmp_path, {"device": {"platform": "cpu"}})
    assert options.of("transfer") is options
    assert replace(options, configs=("selu",)).of("transfer") is None
    transfer.run(options)
    assert "transfer is left out: mnist cannot be had" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
