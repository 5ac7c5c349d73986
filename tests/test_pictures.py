"""What pictures draw, name and leave out, whatever the runs are."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from small_data import SMALL

from jaxdeep.report import learning_curves as curves
from jaxdeep.report.figures import draw_study
from jaxdeep.report.learning_curves import ROLES, learning_curves
from jaxdeep.report.range_test import range_test_curves
from jaxdeep.report.style import PALETTE, series
from jaxdeep.report.tables import study_table
from jaxdeep.report.titles import title_of, title_of_comparison
from jaxdeep.report.uncertainty_tables import chapters
from jaxdeep.study.reported import other_settings
from jaxdeep.study.result import StudyResult
from jaxdeep.study.trial_result import Candidate, MeanFigure, TrialResult
from jaxdeep.train.history import EpochRecord
from jaxdeep.train.lr_finder import RangeTest

IDENTITY: dict[str, Any] = {
    "experiment": "cifar",
    "name": "selu",
    "config": SMALL.to_dict(),
    "seeds": [42, 43],
    "data": {"name": "cifar10", "source": "classic files", "synthetic": False, "digest": "2c0c68dbd4e8e639"},
}
CHAPTER = {"source": "000", "best_epoch": 8, "val_loss": 1.4633, "val_accuracy": 0.4792}


def history(losses: list[float]) -> list[EpochRecord]:
    return [EpochRecord(index + 1, loss, 0.4, loss + 0.1, 0.3, 1e-3, 1.0) for index, loss in enumerate(losses)]


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The pictures as they were when their PNG was saved."""
    saved: list[Figure] = []
    save = Figure.savefig

    def keep(figure: Figure, path: Path, **options: Any) -> None:
        save(figure, path, **options)
        if options["format"] == "png":
            saved.append(figure)

    monkeypatch.setattr(Figure, "savefig", keep)
    return saved


def labels_of(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def of(figure: Figure, panel: int, gid: str) -> list[Any]:
    return [line for line in figure.axes[panel].lines if line.get_gid() == gid]


def study(**changes: Any) -> StudyResult:
    trials = tuple(TrialResult(seed, None, {}, 2, 3, 1.5, 0.4, 1.6, 0.41, 1.0, False) for seed in (42, 43))
    names = ("best_epoch", "epochs", "val_loss", "val_accuracy", "highest_val_accuracy", "test_loss", "test_accuracy")
    means = {name: MeanFigure(1.5, 0.1, 1.4, 1.6, 2) for name in (*names, "seconds")}
    whole = StudyResult(
        **{**IDENTITY, "seeds": (42, 43)},
        trials=trials,
        candidates=(Candidate({}, means, 0),),
        parameters=10,
        command=None,
        device="1 x cpu",
        versions={},
        reported=(CHAPTER,),
        changed={},
        histories=(tuple(history([2.0, 1.8, 1.7])), tuple(history([2.1, 1.9, 1.6]))),
    )
    return replace(whole, **changes)


# ---- confusions


def test_confusions_are_drawn_of_a_study_that_varies_nothing_and_has_few_classes(tmp_path, figures) -> None:
    def counted(classes: int) -> StudyResult:
        rows = tuple(tuple(int(9 * (true == got) + 1) for got in range(classes)) for true in range(classes))
        plain = study()
        return replace(plain, trials=tuple(replace(trial, confusion=rows) for trial in plain.trials))

    draw_study(replace(counted(20), class_names=tuple(f"class {index}" for index in range(20))), tmp_path)
    assert [text.get_text() for text in figures[-1].axes[0].get_yticklabels()][:2] == ["class 0", "class 1"]
    assert "mean of 2 runs" in figures[-1].axes[0].get_title()
    for count, of in enumerate((counted(21), study()), start=1):
        folder = tmp_path / str(count)
        folder.mkdir()
        draw_study(of, folder)
        assert sorted(path.name for path in folder.iterdir()) == ["curves.png", "curves.svg"]


# ---- learning curves


def test_a_single_run_has_no_band_and_no_cross_and_the_legend_says_nothing_of_them(tmp_path, figures) -> None:
    learning_curves(tmp_path / "a.png", {"": {42: history([2.0, 1.8, 1.9])}}, "title")
    assert labels_of(figures[0]) == [ROLES[name] for name in ("validation", "training", "best")]
    assert not figures[0].axes[0].collections


def test_the_epoch_that_the_accuracy_chose_is_marked_and_named_so(tmp_path, figures) -> None:
    epochs = tuple(
        record._replace(val_accuracy=accuracy)
        for record, accuracy in zip(history([2.0, 1.8, 1.7]), (0.3, 0.5, 0.5), strict=True)
    )
    config = {**IDENTITY["config"], "train": {**IDENTITY["config"]["train"], "monitor": "val_accuracy"}}
    draw_study(study(histories=(epochs, epochs)), tmp_path)
    draw_study(study(histories=(epochs, epochs), config=config), tmp_path)
    marked = [[int(line.get_xdata()[0]) for line in of(figure, 1, "best")] for figure in figures]
    assert marked == [[3, 3], [2, 2]]
    assert ROLES["best"] in labels_of(figures[0])
    assert curves.BY_ACCURACY in labels_of(figures[1])


def test_each_kind_in_the_legend_is_drawn_and_each_kind_drawn_is_in_the_legend(tmp_path, figures) -> None:
    flat, wild = history([2.0] * 9), history([2.0, 1.9, 90.0, 1.8, 1.7, 1.7, 1.6, 1.6, 1.6, math.nan])
    learning_curves(tmp_path / "a.png", {"a": {1: flat, 2: flat[:4]}, "b": {1: wild, 2: wild}}, "title")
    learning_curves(tmp_path / "b.png", {"a": {1: flat}, "b": {1: flat}}, "title")
    both, plain = figures
    for name in ("validation", "training", "band", "cut", "diverged", "clipped"):
        assert ROLES[name] in labels_of(both)
    assert labels_of(plain) == [ROLES["validation"], ROLES["training"], "a", "b"]
    assert of(both, 0, "diverged")
    assert of(both, 0, "clipped")


def test_the_epochs_on_the_axis_are_whole(tmp_path, figures) -> None:
    for count in (1, 2, 5, 60):
        learning_curves(tmp_path / "a.png", {"": {42: history([2.0] * count)}}, "title")
        for axes in figures[-1].axes:
            low, high = axes.get_xlim()
            ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
            assert ticks
            assert all(tick == int(tick) and 1 <= tick <= count for tick in ticks)


def test_a_mean_ends_where_the_first_of_its_runs_ends(tmp_path, figures) -> None:
    runs = {seed: history([2.0 + seed] * length) for seed, length in enumerate((5, 3, 6, 6, 6))}
    learning_curves(tmp_path / "a.png", {"": runs}, "title")
    learning_curves(tmp_path / "b.png", {"a": runs, "b": runs}, "title")
    single, several = figures
    lengths = [len(line.get_xdata()) for line in of(single, 0, "data")]
    assert lengths == [3, 3, 3, 4, 4, 4]  # training, validation, and the tails of four runs, from epoch 3 on
    assert {len(line.get_xdata()) for line in of(several, 0, "data")} == {3}
    assert of(single, 0, "data")[1].get_ydata() == pytest.approx([4.1] * 3)
    assert "the mean ends where the first run ends" in labels_of(single)
    assert ROLES["tail"] in labels_of(single)
    assert ROLES["cut"] in labels_of(several)
    assert ROLES["tail"] not in labels_of(several)


def test_a_mean_ends_before_the_epoch_in_which_a_run_diverged(tmp_path, figures) -> None:
    runs = {0: history([2.0, 1.9, math.nan]), 1: history([2.0, 1.9, 1.8, 1.7])}
    learning_curves(tmp_path / "a.png", {"a": runs, "b": runs}, "title")
    assert {len(line.get_xdata()) for line in of(figures[0], 0, "data")} == {2}


def test_a_spike_is_marked_at_the_edge_with_its_value(tmp_path, figures) -> None:
    losses = [2.0, 1.9, 1.8, 77.5, 1.7, 1.7, 1.6, 1.6]
    learning_curves(tmp_path / "a.png", {"": {42: history(losses)}}, "title")
    axes = figures[0].axes[0]
    assert axes.get_ylim()[1] < 77
    marks = of(figures[0], 0, "clipped")
    assert [float(mark.get_xdata()[0]) for mark in marks] == [4, 4]  # of training and of validation
    assert {text.get_text() for text in axes.texts} == {"77.5", "77.6"}


@pytest.mark.parametrize("losses", [[1.6, 0.7], [2.3, 2.0, 1.9, 1.8], [1e-3, 2e5, 3.0, 1e4], [2.0], [5.0, 5.0]])
def test_an_axis_that_can_hold_all_losses_does(tmp_path, figures, losses: list[float]) -> None:
    learning_curves(tmp_path / "a.png", {"": {42: history(losses)}}, "title")
    low, high = figures[0].axes[0].get_ylim()
    assert low <= min(losses)
    assert high >= max(losses) + 0.1
    assert not of(figures[0], 0, "clipped")


def test_runs_without_a_finite_loss_have_a_word_in_place_of_lines(tmp_path, figures) -> None:
    learning_curves(tmp_path / "a.png", {"": {seed: history([math.nan]) for seed in range(3)}}, "title")
    assert [text.get_text() for text in figures[0].axes[0].texts] == ["no epoch with finite losses"]
    heights = {float(mark.get_ydata()[0]) for mark in of(figures[0], 0, "diverged")}
    assert len(heights) == 3  # no cross hides another one


def test_very_many_candidates_are_told_from_each_other_and_counted(tmp_path, figures) -> None:
    learning_curves(tmp_path / "a.png", {f"c{index}": {1: history([2.0, 1.0])} for index in range(30)}, "title")
    assert labels_of(figures[0])[1:] == [f"c{index}" for index in range(curves.MOST_LABELS)]
    assert figures[0].legends[0].get_title().get_text() == "the first 20 of 30"
    looks = {(to_hex(line.get_color()), str(line.get_linestyle())) for line in of(figures[0], 0, "data")}
    assert len(looks) == 30


def test_series_differ_in_colour_and_in_marker_or_dash() -> None:
    looks = [series(index, 8) for index in range(8)]
    assert {look.color for look in looks} <= set(PALETTE)
    assert len({(look.marker, str(look.dash)) for look in looks}) == 8
    assert len({(look.color, str(look.dash)) for look in looks}) == 8


# ---- files


def test_a_picture_is_a_png_and_an_svg_file_and_the_same_bytes_each_time(tmp_path) -> None:
    contents = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        draw_study(study(), tmp_path / name)
        contents.append([(tmp_path / name / f"curves.{kind}").read_bytes() for kind in ("png", "svg")])
    assert contents[0] == contents[1]
    png, svg = contents[0]
    assert png.startswith(b"\x89PNG")
    assert b"<dc:date>" not in svg
    assert max(map(len, contents[0])) < 300_000


def test_many_batches_are_pixels_in_the_svg_file(tmp_path, figures) -> None:
    rates = np.geomspace(1e-5, 1, 1_500)
    losses = np.stack([2 + 50 * rates, 2.1 + 60 * rates])
    found = np.asarray([1e-2, 2e-2])
    range_test_curves(tmp_path / "a.png", RangeTest((0, 1), rates, losses, losses, found, found, "a rule"), "title")
    assert (tmp_path / "a.svg").stat().st_size < 300_000
    assert "data:image/png;base64" in (tmp_path / "a.svg").read_text()
    marks = of(figures[0], 0, "clipped")
    assert [float(mark.get_xdata()[0]) for mark in marks] == [1.0, 1.0]
    assert {text.get_text() for text in figures[0].axes[0].texts} == {"52", "62.1"}


# ---- titles


def test_a_title_says_what_was_changed_the_seeds_and_where_data_are_a_subset_or_synthetic() -> None:
    small = replace(SMALL, data=replace(SMALL.data, train_size=1000)).to_dict()
    data = {**IDENTITY["data"], "synthetic": True}
    given = {**IDENTITY, "config": small, "data": data, "grid": {"optim.learning_rate": [0.1, 0.2]}}
    assert title_of(given, {"train.epochs": 5, "model.units": [100] * 20}) == (
        "cifar selu on cifar10 (synthetic, subset of 1,000 training rows)\n"
        "train.epochs=5, model.units=20 x 100, grid of optim.learning_rate (2), 2 seeds"
    )
    whole = {**IDENTITY, "config": replace(SMALL, data=replace(SMALL.data, train_size=None)).to_dict()}
    assert title_of(whole, {}) == "cifar selu on cifar10, 2 seeds"
    assert title_of({**whole, "seeds": [7]}, {}) == "cifar selu on cifar10, seed 7"


def test_of_a_configuration_without_a_name_the_title_says_what_is_not_the_default() -> None:
    config = replace(SMALL, train=replace(SMALL.train, epochs=77)).to_dict()
    assert "train.epochs=77" in title_of({**IDENTITY, "config": config})


def test_the_title_of_a_comparison_says_once_what_all_have_in_common() -> None:
    one = study(changed={"train.epochs": 5})
    other = study(name="elu", changed={"train.epochs": 5, "optim.rho": 0.8})
    assert title_of_comparison([one, other]).splitlines()[1] == "train.epochs=5, elu optim.rho=0.8, 2 seeds each"


def test_a_long_title_is_broken_within_the_figure(tmp_path, figures) -> None:
    learning_curves(tmp_path / "a.png", {"": {42: history([2.0])}}, "name\n" + "model.activation=selu, " * 20)
    lines = figures[0].get_suptitle().splitlines()
    assert lines[0] == "name"
    assert max(map(len, lines)) <= 13 * 11


# ---- the chapter's figures


def test_the_chapters_figures_stand_beside_an_unchanged_configuration() -> None:
    assert study_table(study()).splitlines()[-1].split()[:2] == ["chapter", "000"]
    assert "1.4633" in study_table(study())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"changed": {"optim.momentum_decay": 0.004}}, "optim.momentum_decay=0.004"),
        ({"changed": {"data.train_size": 1000}}, "data.train_size=1000"),
        ({"changed": {}, "folds": 5}, "5 folds"),
        ({"data": {**IDENTITY["data"], "synthetic": True}}, "synthetic data"),
        ({"changed": None}, "not known"),
    ],
)
def test_beside_other_settings_they_do_not_stand(changes: dict[str, Any], said: str) -> None:
    result = study(**changes)
    text = study_table(result)
    assert text.splitlines()[-1] == f"chapter 000: other settings: {said}"
    assert "1.4633" not in text
    printed = {"source": "000", "samples": 10, "figure": "val_accuracy", "plain": 0.4890, "mc_dropout": 0.4892}
    (line,) = chapters({"chapter": [printed]}, other_settings(result))
    assert line == f"source 000 prints figures of MC dropout: other settings: {said}"


def test_what_was_changed_is_kept_in_the_summary_beside_the_chapters_figures() -> None:
    result = study(changed={"train.epochs": 5})
    assert result.to_json()["changed"] == {"train.epochs": 5}
    assert result.to_json()["chapter"] == [CHAPTER]
    assert StudyResult.from_json(result.to_json()).changed == {"train.epochs": 5}
    assert "changed" not in study(changed=None).to_json()
