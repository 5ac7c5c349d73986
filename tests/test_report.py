"""What the README says is what the records hold, and its code runs."""

import json
import re
import sys
import types
from pathlib import Path

import jax
import numpy as np
import pytest

from docs import publish as report
from docs.pages import records, studies
from docs.pages import uncertainty as uncertainty_page
from docs.pages.records import RECIPES
from docs.pages.schedules import draw_schedules, panels
from jaxdeep.errors import UserError
from jaxdeep.study.compare import read_study

README = (Path(__file__).parent.parent / "README.md").read_text()
FILES = ("metrics.jsonl", "hits.npz", "curves.png")


def finished_run(folder: Path, **changes) -> Path:
    """A run folder as far as the report reads it."""
    config = RECIPES["cifar"]["selu"].config.to_dict()
    summary = {"experiment": "cifar", "name": "selu", "config": config, "data": {"synthetic": False}, **changes}
    summary |= {"points": []} if "grid" in changes or "space" in changes else {"mean": {}}
    folder.mkdir()
    (folder / "summary.json").write_text(json.dumps(summary))
    for name in FILES:
        (folder / name).write_text(name)
    return folder


def test_the_tables_are_those_of_the_records() -> None:
    assert report.with_tables(README) == README


def test_the_page_of_the_studies_is_that_of_the_records() -> None:
    assert studies.studies_page() == (records.RESULTS / "STUDIES.md").read_text()


def test_the_page_of_the_uncertainty_is_that_of_the_records() -> None:
    assert uncertainty_page.uncertainty_page() == (records.RESULTS / "UNCERTAINTY.md").read_text()


@pytest.mark.parametrize(("experiment", "name"), [("fashion_mnist", "dropout"), ("cifar", "alpha_dropout")])
def test_uncertainty_is_recorded_of_the_same_networks_with_the_chapters_numbers_of_samples(experiment, name) -> None:
    record = records.read_json(records.RESULTS / experiment / f"{name}.json")
    found, (chapter,) = record["uncertainty"], RECIPES[experiment][name].reported_mc
    assert found["seeds"] == record["seeds"]
    assert len(found["seeds"]) >= 5
    assert not found["left_out"]
    for figure, of_run in (("accuracy", "test_accuracy"), ("val_accuracy", "val_accuracy")):
        expected = record["mean"][of_run]
        for end in ("mean", "low", "high"):
            assert found["predictors"]["plain"][figure][end] == pytest.approx(expected[end], abs=1e-6)
    assert chapter.samples in [row["samples"] for row in found["by_samples"]]
    last = found["by_samples"][-1]
    assert last["samples"] == found["mc_samples"]
    assert last["nll"]["mean"] == pytest.approx(found["predictors"]["mc_dropout"]["nll"]["mean"], rel=1e-5)


@pytest.mark.parametrize("name", studies.EXERCISE)
def test_the_exercise_has_ten_seeds_and_the_hits_are_those_of_its_accuracies(name) -> None:
    folder = records.RESULTS / "cifar"
    study = read_study(name, folder / f"{name}.json", folder / f"{name}.npz")
    assert len(study.summary["runs"]) >= 10
    assert study.hits["test"].shape == (len(study.summary["runs"]), 10_000)
    for split, figure in (("valid", "val_accuracy"), ("test", "test_accuracy")):
        accuracies = [run[figure] for run in study.summary["runs"]]
        np.testing.assert_allclose(study.hits[split].mean(1), accuracies, rtol=1e-6)
    epochs = records.histories("cifar", name)
    for run in study.summary["runs"]:
        assert epochs[run["seed"]][run["best_epoch"] - 1].val_loss == run["val_loss"]
        assert len(epochs[run["seed"]]) == run["epochs"]


@pytest.mark.parametrize("experiment", RECIPES)
def test_every_configuration_has_a_record_of_real_images_and_at_least_three_seeds(experiment) -> None:
    found = records.summaries(experiment)
    assert {record["name"] for record in found} == set(RECIPES[experiment]) - {"sanity"}
    for record in found:
        assert record["data"]["synthetic"] is False
        assert len(record["runs"]) >= 3
        assert [run["seed"] for run in record["runs"]] == list(range(42, 42 + len(record["runs"])))


def test_the_rate_of_1cycle_on_cifar_is_the_finders() -> None:
    record = records.read_json(records.RESULTS / "cifar" / "onecycle.find-lr.json")
    assert f"{record['suggestion']:.1e}" == f"{RECIPES['cifar']['onecycle'].config.optim.learning_rate:.1e}"


def test_a_run_is_taken_under_its_configuration_and_what_was_changed(tmp_path) -> None:
    changed = RECIPES["cifar"]["selu"].config.to_dict()
    changed["optim"]["momentum_decay"] = 0.004
    earlier = RECIPES["cifar"]["bn"].config.to_dict()
    del earlier["schedule"], earlier["model"]["alpha"]  # of a version without them
    records.take(finished_run(tmp_path / "a"), tmp_path / "results")
    records.take(finished_run(tmp_path / "b", config=changed), tmp_path / "results")
    records.take(finished_run(tmp_path / "c", config=earlier, name="bn"), tmp_path / "results")
    expected = {
        f"{name}{ending}"
        for name in ("selu", "selu,optim.momentum_decay=0.004", "bn")
        for ending in (".json", ".jsonl", ".npz", ".png")
    }
    assert {path.name for path in (tmp_path / "results" / "cifar").iterdir()} == expected


def test_a_study_over_a_grid_is_taken_apart_from_single_configurations(tmp_path) -> None:
    records.take(finished_run(tmp_path / "a"), tmp_path / "results")
    records.take(finished_run(tmp_path / "b", grid={"optim.learning_rate": [1e-3, 1e-4]}), tmp_path / "results")
    span = {"optim.learning_rate": "0.001:0.1:log"}
    records.take(finished_run(tmp_path / "c", space=span, halving="hyperband"), tmp_path / "results")
    records.take(finished_run(tmp_path / "d", folds=5), tmp_path / "results")
    names = {path.stem for path in (tmp_path / "results" / "cifar").glob("*.json")}
    varied = "selu,optim.learning_rate=all"
    assert names == {"selu", varied, f"{varied},halving=hyperband", "selu,folds=5"}
    for grids in (False, True):
        (found,) = records.summaries("cifar", tmp_path / "results", grids=grids)
        assert ("grid" in found) == grids


def test_a_range_test_is_taken_beside_the_runs(tmp_path) -> None:
    folder = finished_run(tmp_path / "a")
    (folder / "summary.json").rename(folder / "lr_finder.json")
    (folder / "lr_finder.png").write_text("png")
    records.take(folder, tmp_path / "results")
    names = {path.name for path in (tmp_path / "results" / "cifar").iterdir()}
    assert names == {"selu.find-lr.json", "selu.find-lr.png"}


def test_the_figure_of_the_schedules_is_drawn_from_records(tmp_path) -> None:
    path = tmp_path / "schedules.png"
    draw_schedules(path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_its_curves_begin_and_end_as_the_chapter_says() -> None:
    drawn = {panel.title.split()[0]: panel.rates for panel in panels()}
    ends = {name: (rates.learning_rate[0], rates.learning_rate[-1]) for name, rates in drawn.items()}
    assert ends["power"] == pytest.approx((0.01, 0.01 / (1 + (25 * 1719 - 1) / 10_000)))
    assert ends["exponential"] == pytest.approx((0.01, 0.01 * 0.1 ** (24 / 20)))
    assert ends["piecewise"] == pytest.approx((0.01, 0.001))
    assert ends["1cycle,"][0] == pytest.approx(0.005)
    assert drawn["1cycle,"].learning_rate.max() == pytest.approx(0.05)
    assert (drawn["1cycle,"].beta_1.min(), drawn["1cycle,"].beta_1.max()) == pytest.approx((0.85, 0.95))
    assert ends["plateau"][0] == pytest.approx(0.02)


def test_synthetic_and_unfinished_runs_are_no_results(tmp_path) -> None:
    with pytest.raises(UserError, match="synthetic"):
        records.take(finished_run(tmp_path / "a", data={"synthetic": True}), tmp_path / "results")
    with pytest.raises(UserError, match="not a finished run"):
        records.take(tmp_path, tmp_path / "results")


def test_the_quickstart_runs_and_learns(capsys, monkeypatch) -> None:
    script = types.ModuleType("quickstart")
    monkeypatch.setitem(sys.modules, "quickstart", script)
    for code in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        with jax.numpy_dtype_promotion("standard"):  # as a user has it; optax needs it
            exec(code, vars(script))
    assert script.probabilities.shape == (5, 4)
    assert script.run.test_accuracy > 0.6  # chance is 0.25
    assert float(capsys.readouterr().out.splitlines()[-1]) > 0.6
