"""Figures of each class equal scikit-learn's, and the picture shows them readably."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_fscore_support

from jaxdeep.analysis.confusion import class_figures
from jaxdeep.report.confusion import DARK, confusion_picture

COUNTS = st.integers(1, 5).flatmap(
    lambda c: st.lists(st.lists(st.integers(0, 9), min_size=c, max_size=c), min_size=c, max_size=c)
)


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


@given(COUNTS)
def test_figures_of_classes_are_those_of_scikit_learn(counts: list[list[int]]) -> None:
    rows = [(true, got) for true, row in enumerate(counts) for got, count in enumerate(row) for _ in range(count)]
    if not rows:
        assert all(np.isnan(of).all() for of in class_figures(np.asarray(counts)))
        return
    true, got = zip(*rows, strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = precision_recall_fscore_support(true, got, labels=range(len(counts)), zero_division=np.nan)
    for found, of in zip(class_figures(np.asarray(counts)), expected[:3], strict=True):
        np.testing.assert_allclose(found, of)


def test_several_runs_have_figures_of_their_own() -> None:
    counts = np.random.default_rng(0).integers(0, 9, (3, 4, 4))
    found = class_figures(counts)
    assert found.precision.shape == (3, 4)
    for index, of_run in enumerate(counts):
        for whole, one in zip(found, class_figures(of_run), strict=True):
            np.testing.assert_array_equal(whole[index], one)


def drawn(tmp_path: Path, counts: np.ndarray, names: list[str], runs: int = 1) -> None:
    confusion_picture(tmp_path / "confusion.png", counts, names, "cifar selu: cifar10", runs)


def test_each_row_adds_to_100_and_empty_cells_are_empty(tmp_path, figures) -> None:
    counts = np.array([[800, 199, 1], [0, 500, 500], [0, 0, 0]])
    drawn(tmp_path, counts, ["cat", "dog", "a name that is too long"], runs=3)
    (axes,) = figures[0].axes
    assert [text.get_text() for text in axes.texts] == ["80", "20", "<1", "50", "50"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["cat", "dog", "a name that is t..."]
    assert axes.get_title() == "% of each class's test rows, mean of 3 runs"
    assert figures[0].get_suptitle() == "cifar selu: cifar10"
    for kind, begin in (("png", b"\x89PNG"), ("svg", b"<?xml")):
        assert (tmp_path / f"confusion.{kind}").read_bytes().startswith(begin)


@pytest.mark.parametrize("classes", [2, 10, 20])
def test_numbers_stay_within_their_cells_and_contrast_with_them(tmp_path, figures, classes) -> None:
    rng = np.random.default_rng(classes)
    counts = rng.integers(1, 20, (classes, classes)) + 300 * np.eye(classes, dtype=int)
    drawn(tmp_path, counts, [f"class {index}" for index in range(classes)])
    (axes,) = figures[0].axes
    figures[0].draw_without_rendering()
    cell = axes.transData.transform([(0, 0), (1, 1)])
    width = abs(cell[1, 0] - cell[0, 0])
    for text in axes.texts:
        assert text.get_window_extent().width < width
        row = int(text.get_position()[1])
        is_dark = counts[row, int(text.get_position()[0])] / counts[row].sum() > DARK
        assert text.get_color() == ("white" if is_dark else "black")
