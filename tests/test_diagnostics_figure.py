"""The picture of layers: lines for few of them, maps for many, and none without diagnostics."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from test_pictures import figures, of

from jaxdeep.report.diagnostics_figure import PANELS, diagnostics_figure, medians
from jaxdeep.train.diagnostics import Diagnostics
from jaxdeep.train.history import EpochRecord, diagnosed

__all__ = ["figures"]


def runs(layers: int, epochs: int, seeds: int = 1) -> list[list[EpochRecord]]:
    """Epochs of runs whose first layer is frozen."""
    found = []
    for seed in range(seeds):
        values = np.random.default_rng(seed).uniform(0.1, 1, (epochs, 6, layers))
        values[:, 3:, 0] = np.nan
        found.append(
            [
                diagnosed(EpochRecord(epoch, *(0.5,) * 6), Diagnostics(*map(tuple, of_epoch.tolist())))
                for epoch, of_epoch in enumerate(values, 1)
            ]
        )
    return found


def test_few_layers_are_lines_with_their_medians(tmp_path: Path, figures: list[Figure]) -> None:
    histories = runs(3, 5, seeds=3)
    assert diagnostics_figure(tmp_path / "diagnostics.png", histories, "a title")
    (figure,) = figures
    expected = medians(histories)
    stds = np.asarray([[record.diagnostics.activation_std for record in run] for run in histories])  # pyright: ignore
    np.testing.assert_array_equal(expected["activation_std"], np.median(stds, axis=0))
    for panel, name in enumerate(PANELS):
        lines = of(figure, panel, "data")
        assert [line.get_label() for line in lines] == ["layer 0", "layer 1", "output layer"]
        for layer, line in enumerate(lines):
            np.testing.assert_array_equal(line.get_ydata(), expected[name][:, layer])
    assert [axes.get_title() for axes in figure.axes] == list(PANELS.values())
    assert "median of 3 runs" in figure.get_suptitle()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["diagnostics.png", "diagnostics.svg"]


@pytest.mark.parametrize("epochs", [1, 4])
def test_many_layers_are_the_rows_of_a_map(epochs: int, tmp_path: Path, figures: list[Figure]) -> None:
    assert diagnostics_figure(tmp_path / "diagnostics.png", runs(101, epochs), "a title")
    (figure,) = figures
    for axes in figure.axes[:4]:
        (mesh,) = axes.collections
        assert np.ma.asarray(mesh.get_array()).shape == (101, epochs)
        assert axes.get_ylabel() == "layer"


def test_what_is_zero_or_unknown_everywhere_can_be_drawn(tmp_path: Path) -> None:
    for layers, value in ((2, 0.0), (30, np.nan)):
        record = diagnosed(EpochRecord(1, *(0.5,) * 6), Diagnostics(*((value,) * layers,) * 6))
        assert diagnostics_figure(tmp_path / "diagnostics.png", [[record]], "a title")


def test_the_epochs_end_with_the_first_run_that_ends() -> None:
    long, short = runs(3, 5, seeds=2)
    assert medians([long, short[:2]])["dead_units"].shape == (2, 3)


def test_runs_without_diagnostics_have_no_picture(tmp_path: Path) -> None:
    plain = [EpochRecord(1, *(0.5,) * 6)]
    for histories in ([plain], [[]], [], [plain, runs(3, 1)[0]]):
        assert not diagnostics_figure(tmp_path / "diagnostics.png", histories, "a title")
    assert not list(tmp_path.iterdir())
