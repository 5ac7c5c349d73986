"""Contests of jaxdeep and its peers on small networks, in processes as in earnest. No test asserts a time."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_data import SMALL, small_arrays, small_dataset

import bench.workload
from bench import sanity
from bench.__main__ import main
from bench.contest import contest
from bench.peers import jaxdeep_trainer, study_trainer
from bench.peers.workload import Workload
from jaxdeep.config import Config
from jaxdeep.data.images import Images
from jaxdeep.train import step

INSTALLED = [
    name
    for name, package in {"keras-tf": "tensorflow", "keras-jax-50": "keras", "torch": "torch"}.items()
    if importlib.util.find_spec(package)
]


def test_the_orders_are_those_of_train_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """What peers are handed is what jaxdeep's steps take, batch by batch."""
    import jax

    data, taken = small_dataset(SMALL), []
    whole = step.train_step

    def spied(config: Config, state: Any, hyper: Any, rates: Any, data: Any, batch: Any, key: Any) -> Any:
        jax.debug.callback(lambda rows: taken.append(np.asarray(rows)), batch.rows, ordered=True)
        return whole(config, state, hyper, rates, data, batch, key)

    work = bench.workload.workload(SMALL, data, 1)
    rows = work.orders.shape[1]
    data = replace(data, train=type(data.train)(data.train.images[:rows], data.train.labels[:rows]))
    monkeypatch.setattr(step, "train_step", spied)
    state: Any = jax.jit(step.start, static_argnums=0)(SMALL, SMALL.hyper(), data, jax.random.key(work.seed))
    for epoch in range(2):
        state = state._replace(epoch=jax.numpy.int32(epoch))
        rates = step.epoch_rates(SMALL, state, SMALL.hyper(), data)
        state, _ = step.train_epoch(SMALL, state, SMALL.hyper(), rates, data)
        jax.effects_barrier()
        np.testing.assert_array_equal(np.concatenate(taken), work.orders[epoch])
        taken.clear()


def small_images() -> Images:
    """More than the 5,000 images that the chapter's configurations keep for validation."""
    names = tuple("abcd")
    arrays = (*small_arrays(5_400), *small_arrays(60, seed=1))
    return Images(*arrays, name="small", source="drawn", synthetic=True, class_names=names)


@pytest.mark.slow
def test_a_contest_of_jaxdeep_and_its_peers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole of `throughput`, in processes: from the same weights on the same batches come the same losses."""
    monkeypatch.setattr(bench.workload, "images", small_images)
    monkeypatch.setattr(bench.workload, "steps_of_epoch", lambda _: 10)
    argv = ["throughput", "--configs", "selu", "--layers", "2", "--batch-sizes", "32", "--rounds", "2"]
    assert main([*argv, "--contestants", "jaxdeep", *INSTALLED, "--records", str(tmp_path / "records")]) == 0
    (path,) = (tmp_path / "records").iterdir()
    text = path.read_text()
    assert str(tmp_path) not in text
    ((name, kept),) = json.loads(text)["questions"]["throughput"].items()
    assert name == "selu,batch=32,layers=2"
    assert kept["synthetic"]
    assert list(kept["contestants"]) == ["jaxdeep", *INSTALLED]
    printed = capsys.readouterr().out
    ours = kept["contestants"]["jaxdeep"]
    assert len(ours["epochs"]) == 2
    for peer in INSTALLED:
        theirs = kept["contestants"][peer]
        assert f"{peer}  " in printed
        assert theirs["other_work"] is None
        assert theirs["warm_up"]["loss"] == pytest.approx(ours["warm_up"]["loss"], rel=2e-5)
        assert theirs["warm_up"]["accuracy"] == pytest.approx(ours["warm_up"]["accuracy"])
        assert theirs["epochs"][0]["loss"] == pytest.approx(ours["epochs"][0]["loss"], rel=1e-3)
    assert main(["results", "--records", str(tmp_path / "records")]) == 0
    assert "SYNTHETIC" in (tmp_path / "RESULTS.md").read_text()


NORMED = replace(SMALL, model=replace(SMALL.model, activation="elu", batch_norm=True, batch_norm_input=True))


def small_workload(config: Config) -> Workload:
    """Four steps an epoch, one timed epoch."""
    return bench.workload.workload(config, small_dataset(config), 1)


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Any]:
    """A contest with batch normalisation."""
    return contest(
        ["jaxdeep", "keras-jax", *(name for name in INSTALLED if name == "torch")], small_workload(NORMED), 1
    )


@pytest.mark.slow
def test_batch_normalisation_is_the_same_work(outcomes: dict[str, Any]) -> None:
    ours = outcomes["jaxdeep"]["warm_up"]["loss"]
    for theirs in sanity.checked_outcomes(outcomes, "bn").values():
        assert theirs["other_work"] is None
        assert theirs["warm_up"]["loss"] == pytest.approx(ours, rel=2e-5)


@pytest.mark.slow
def test_another_learning_rate_is_other_work(outcomes: dict[str, Any]) -> None:
    slow = replace(NORMED, optim=replace(NORMED.optim, learning_rate=1e-5))
    judged = sanity.checked_outcomes({**outcomes, **contest(["keras-jax"], small_workload(slow), 1)}, "bn")
    assert "first epoch" in judged["keras-jax"]["other_work"]


@pytest.mark.slow
def test_a_failure_leaves_the_others() -> None:
    """jaxdeep's own weights go to peers layer by layer: one layer too few stops the peer, and not jaxdeep."""
    work = small_workload(NORMED)
    broken = contest(["keras-jax", "jaxdeep"], work._replace(kernels=work.kernels[1:], biases=work.biases[1:]), 1)
    assert "ValueError" in broken["keras-jax"]["failed"]
    assert len(broken["jaxdeep"]["epochs"]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("way", ["_on_cores", "_batched"])
def test_a_study_does_the_work_of_the_run_alone(way: str) -> None:
    work = small_workload(NORMED)
    alone, study = jaxdeep_trainer.build(work), getattr(study_trainer, way)(work, 3)
    study.compiled()
    for index in range(2):
        assert study.epoch() == index
        expected = alone.epoch(index)
        assert study.train() == pytest.approx((expected.loss, expected.accuracy), rel=1e-5)
