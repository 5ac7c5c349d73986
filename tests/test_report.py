"""The tables and pictures of the documents are what the records hold."""

import json
from pathlib import Path

import numpy as np
import pytest

from docs import publish
from docs.pages.records import Records
from docs.pages.studies import EXERCISE
from docs.publish import RECORDS
from jaxdeep.errors import UserError
from jaxdeep.study.files import read_json

RECIPES = RECORDS.recipes
GRID = "bn,train.epochs=20,optim.learning_rate=all"
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


@pytest.fixture
def recorded(tmp_path) -> Records:
    """An empty folder of records."""
    return Records(RECIPES, tmp_path / "results")


def test_the_documents_are_as_the_records_say(tmp_path, capsys) -> None:
    """And two commands in a row say so, of which the second one finds what the first one wrote."""
    before = {name: (publish.ROOT / name).read_bytes() for name in publish.FILES}
    assert publish.main(["--out", str(tmp_path)]) == 0
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")) == sorted(publish.FILES)
    for name in publish.FILES:
        if not name.endswith(".png"):
            assert (tmp_path / name).read_text() == (publish.ROOT / name).read_text()
        elif name.endswith(".png"):  # the pinned matplotlib decides the pixels
            assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
        else:
            assert (tmp_path / name).read_text().startswith("<?xml")
    assert not publish.differing(tmp_path)
    assert {name: (publish.ROOT / name).read_bytes() for name in publish.FILES} == before
    assert not capsys.readouterr().err


def test_a_document_that_differs_is_named_and_stays(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(publish, "ROOT", tmp_path)
    monkeypatch.setattr(publish, "differing", lambda: ["README.md"])
    monkeypatch.setattr(publish, "write", lambda _: pytest.fail("nobody asked for it"))
    assert publish.main([]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "would change: README.md",
        "To write: python -m docs.publish --write",
    ]
    monkeypatch.setattr(publish, "differing", list)
    assert publish.main([]) == 0


def test_what_is_altered_differs(tmp_path, monkeypatch) -> None:
    def write(folder: Path) -> None:
        for name in publish.FILES:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((publish.ROOT / name).read_bytes())

    write(tmp_path)
    monkeypatch.setattr(publish, "write", write)
    assert not publish.differing(tmp_path)
    first, second, *_ = publish.FILES
    pictures = [name for name in publish.FILES if name.endswith((".png", ".svg"))]
    other = publish.ROOT / publish.RESULTS / "figures" / "schedules"
    (tmp_path / first).write_text((publish.ROOT / first).read_text() + "\n")
    (tmp_path / second).unlink()
    for picture in pictures:
        (tmp_path / picture).write_bytes(other.with_suffix(Path(picture).suffix).read_bytes())
    assert publish.differing(tmp_path) == [first, second, *pictures]


@pytest.mark.parametrize("text", ["", "<!-- table: keras -->\n", "<!-- table: keras -->\n<!-- end: keras -->" * 2])
def test_a_page_without_a_place_for_its_table_is_refused(text) -> None:
    with pytest.raises(UserError, match=r"page.md has no place for the table keras. Write <!-- table: keras -->"):
        publish.with_tables(text, "page.md", ["keras"])


def test_every_table_stands_on_one_page() -> None:
    assert sorted(publish.TABLES) == sorted(name for names in publish.PAGES.values() for name in names)


def test_a_run_that_cannot_be_taken_changes_nothing(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(publish, "write", lambda _: pytest.fail("an error ends it"))
    assert publish.main(["--take", str(tmp_path), "--write"]) == 2
    assert "not a finished run" in capsys.readouterr().err


@pytest.mark.parametrize(("experiment", "name"), [("fashion_mnist", "dropout"), ("cifar", "alpha_dropout")])
def test_uncertainty_is_recorded_of_the_same_networks_with_the_chapters_numbers_of_samples(experiment, name) -> None:
    record = read_json(RECORDS.folder / experiment / f"{name}.json")
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


@pytest.mark.parametrize("name", EXERCISE)
def test_the_exercise_has_ten_seeds_and_the_hits_are_those_of_its_accuracies(name) -> None:
    study = RECORDS.study("cifar", name)
    assert len(study.trials) >= 10
    assert study.correct is not None
    assert study.correct.test.shape == (len(study.trials), 10_000)
    for rows, figure in ((study.correct.valid, "val_accuracy"), (study.correct.test, "test_accuracy")):
        accuracies = [getattr(trial, figure) for trial in study.trials]
        np.testing.assert_allclose(rows.mean(1), accuracies, rtol=1e-6)
    for trial, history in zip(study.trials, study.histories, strict=True):
        assert history[trial.best_epoch - 1].val_loss == trial.val_loss
        assert len(history) == trial.epochs


@pytest.mark.parametrize("experiment", RECIPES)
def test_every_configuration_has_a_record_of_real_images_and_at_least_three_seeds(experiment) -> None:
    found = list(RECORDS.studies(experiment).values())
    assert {study.name for study in found} == set(RECIPES[experiment]) - {"sanity"}
    for study in found:
        assert study.data["synthetic"] is False
        assert len(study.trials) >= 3
        assert [trial.seed for trial in study.trials] == list(range(42, 42 + len(study.trials)))


def test_the_rate_of_1cycle_on_cifar_is_the_finders() -> None:
    record = read_json(RECORDS.folder / "cifar" / "onecycle.find-lr.json")
    assert f"{record['suggestion']:.1e}" == f"{RECIPES['cifar']['onecycle'].config.optim.learning_rate:.1e}"


def test_a_run_is_taken_under_its_configuration_and_what_was_changed(recorded, tmp_path) -> None:
    changed = RECIPES["cifar"]["selu"].config.to_dict()
    changed["optim"]["momentum_decay"] = 0.004
    earlier = RECIPES["cifar"]["bn"].config.to_dict()
    del earlier["schedule"], earlier["model"]["alpha"]  # of a version without them
    recorded.take(finished_run(tmp_path / "a"))
    recorded.take(finished_run(tmp_path / "b", config=changed))
    recorded.take(finished_run(tmp_path / "c", config=earlier, name="bn"))
    expected = {
        f"{name}{ending}"
        for name in ("selu", "selu,optim.momentum_decay=0.004", "bn")
        for ending in (".json", ".jsonl", ".npz", ".png")
    }
    assert {path.name for path in (tmp_path / "results" / "cifar").iterdir()} == expected


def test_a_study_over_a_grid_is_taken_apart_from_single_configurations(recorded, tmp_path) -> None:
    recorded.take(finished_run(tmp_path / "a"))
    recorded.take(finished_run(tmp_path / "b", grid={"optim.learning_rate": [1e-3, 1e-4]}))
    span = {"optim.learning_rate": "0.001:0.1:log"}
    recorded.take(finished_run(tmp_path / "c", space=span, halving="hyperband"))
    recorded.take(finished_run(tmp_path / "d", folds=5))
    names = {path.stem for path in (tmp_path / "results" / "cifar").glob("*.json")}
    varied = "selu,optim.learning_rate=all"
    assert names == {"selu", varied, f"{varied},halving=hyperband", "selu,folds=5"}
    grid, single = (read_json(RECORDS.folder / "cifar" / f"{name}.json") for name in (GRID, "selu"))
    for path in (tmp_path / "results" / "cifar").glob("*.json"):  # whole summaries in place of what is taken
        taken = {name: value for name, value in read_json(path).items() if name not in ("data", "mean", "points")}
        whole = grid if "all" in path.stem else single
        path.write_text(json.dumps({**whole, **taken}))
    for grids, name in ((False, "selu"), (True, varied)):
        assert list(recorded.studies("cifar", grids=grids)) == [name]


def test_a_tuning_is_taken_under_the_names_of_its_configurations_and_is_no_study(recorded, tmp_path) -> None:
    names = ["selu", "elu"]
    content = {
        "experiment": "cifar",
        "data": {"synthetic": False},
        "configurations": [{"name": name} for name in names],
    }
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "tune.json").write_text(json.dumps(content))
    (tmp_path / "a" / "comparison.json").write_text("{}")
    recorded.take(tmp_path / "a")
    assert [path.name for path in (tmp_path / "results" / "cifar").iterdir()] == ["selu-vs-elu.tune.json"]
    assert recorded.studies("cifar") == {}
    with pytest.raises(UserError, match="it is no tuning of configurations"):
        recorded.tuning("cifar", names)
    with pytest.raises(UserError, match=r"elu-vs-selu\.tune\.json"):
        recorded.tuning("cifar", names[::-1])


def test_a_range_test_is_taken_beside_the_runs(recorded, tmp_path) -> None:
    folder = finished_run(tmp_path / "a")
    (folder / "summary.json").rename(folder / "lr_finder.json")
    (folder / "lr_finder.png").write_text("png")
    recorded.take(folder)
    names = {path.name for path in (tmp_path / "results" / "cifar").iterdir()}
    assert names == {"selu.find-lr.json", "selu.find-lr.png"}


def test_synthetic_and_unfinished_runs_are_no_results(recorded, tmp_path) -> None:
    with pytest.raises(UserError, match="synthetic"):
        recorded.take(finished_run(tmp_path / "a", data={"synthetic": True}))
    with pytest.raises(UserError, match="not a finished run"):
        recorded.take(tmp_path)
