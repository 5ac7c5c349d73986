"""The tables of MC dropout and ensembles say what the figures are, and the pictures draw them."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy import special
from small_predictors import ALL, LABELS, MC, NETWORKS, PLAIN, SIZES, drawn, predictor

from jaxdeep.analysis.evaluate import evaluate_predictors
from jaxdeep.analysis.predictors import Predictor, ensemble_of
from jaxdeep.report import image_figures
from jaxdeep.report import uncertainty_figures as figures
from jaxdeep.report import uncertainty_tables as tables

TEST = LABELS["test"]


def answered(predictors: list[Predictor], networks: int = NETWORKS, **changes: Any) -> dict[str, Any]:
    """As summary.json has it."""
    found = {"mc_samples": 1_200, "seeds": list(range(networks)), "other_images": ["far", "near"], "left_out": {}}
    return {**found, "chapter": [], **evaluate_predictors(predictors, LABELS, drawn(predictors[1])), **changes}


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return answered(ALL)


def cell(estimate: dict[str, Any]) -> str:
    """An interval that ends at the range of its figure is shown by its ends."""
    halves = [estimate["mean"] - estimate["low"], estimate["high"] - estimate["mean"]]
    if abs(halves[0] - halves[1]) > 1e-6:
        return f"{estimate['mean']:.4f} ({estimate['low']:.4f} to {estimate['high']:.4f})"
    return f"{estimate['mean']:.4f} ± {halves[0]:.4f}"


def floor(estimate: dict[str, Any]) -> str:
    return f"{estimate['noise_floor']['mean']:.4f} (< {estimate['noise_floor']['high']:.4f})"


def test_each_predictor_has_a_row_of_its_figures(found: dict[str, Any]) -> None:
    headers, *rows = tables.figure_rows(found)
    assert headers == (
        *("predictor", "val accuracy", "accuracy", "NLL", "Brier"),
        *("ECE", "if calibrated", "ECE (equal mass)", "if calibrated", "AURC", "temperature"),
    )
    names = [row[0] for row in rows]
    assert names == [
        *("plain", "mc_dropout", "ensemble of 5"),
        *("plain, scaled", "mc_dropout, scaled", "ensemble of 5, scaled"),
    ]
    for row, of in zip(rows, found["predictors"].values(), strict=True):
        assert row[1:-1] == (
            *(cell(of[key]) for key in ("val_accuracy", "accuracy", "nll", "brier")),
            *(text(of[key]) for key in ("ece", "ece_equal_mass") for text in (cell, floor)),
            cell(of["aurc"]),
        )
        assert row[-1] == (cell(of["temperature"]) if "temperature" in of else "")


def test_of_an_earlier_version_the_noise_floor_is_unknown(found: dict[str, Any]) -> None:
    earlier = {
        name: {
            figure: {key: value for key, value in of.items() if key != "noise_floor"} for figure, of in figures.items()
        }
        for name, figures in found["predictors"].items()
    }
    headers, *rows = tables.figure_rows({**found, "predictors": earlier})
    for before, row in zip(tables.figure_rows(found)[1:], rows, strict=True):
        for title, old, new in zip(headers, before, row, strict=True):
            assert new == ("-" if title == "if calibrated" else old)


def test_an_interval_that_ends_at_the_range_of_its_figure_is_shown_by_its_ends(found: dict[str, Any]) -> None:
    plain = found["predictors"]["plain"]
    ends = {"mean": 0.9912, "std": 0.02, "low": 0.9672, "high": 1.0, "runs": 3}
    changed = {**found["predictors"], "plain": {**plain, "accuracy": {**plain["accuracy"], **ends}}}
    _, row, *_ = tables.figure_rows({**found, "predictors": changed})
    assert row[2] == "0.9912 (0.9672 to 1.0000)"
    assert row[1] == cell(plain["val_accuracy"])


def test_networks_that_diverged_are_counted_beside_every_figure_and_in_every_verdict(found: dict[str, Any]) -> None:
    lost = {**found, "diverged": {"runs": 7, "diverged": 3, "left_out": 2}}
    for rows in (tables.figure_rows, tables.other_rows):
        before, after = rows(found), rows(lost)
        assert [row[0] for row in after[1:]] == [f"{row[0]} (3 of 7 diverged)" for row in before[1:]]
        assert [row[1:] for row in after] == [row[1:] for row in before]
    said = ["the study lost 2 of 7 networks (diverged)"]
    said.append("1 of 7 networks of the study diverged after the best epoch, whose figures count")
    assert tables.answers(lost) == ["; ".join((line, *said)) for line in tables.answers(found)]
    assert set(said) <= set(tables.uncertainty_table(lost, "cifar10").splitlines())
    for none in ({}, {"diverged": {"runs": 5, "diverged": 0, "left_out": 0}}):  # of an earlier version, and of this one
        assert tables.uncertainty_table({**found, **none}, "cifar10") == tables.uncertainty_table(found, "cifar10")
        assert "diverged" not in tables.uncertainty_table({**found, **none}, "cifar10")


def test_each_measure_of_doubt_has_a_row_where_there_is_one(found: dict[str, Any]) -> None:
    headers, *rows = tables.other_rows(found)
    assert headers == ("predictor", "uncertainty score", "AUROC far", "FPR95 far", "AUROC near", "FPR95 near")
    doubts = {"plain": 1, "mc_dropout": 2, "ensemble of 5": 2}
    assert [row[0] for row in rows] == [
        *(name for name, count in doubts.items() for _ in range(count)),
        *(f"{name}, scaled" for name in doubts),
    ]
    assert rows[2][1] == "mutual information"
    of = found["predictors"]["mc_dropout"]
    assert rows[2][2:] == tuple(
        cell(of[f"{other}/information/{figure}"]) for other in ("far", "near") for figure in ("auroc", "fpr95")
    )


def test_a_verdict_stands_beside_its_difference_and_in_a_sentence(found: dict[str, Any]) -> None:
    headers, *rows = tables.verdict_rows(found)
    assert headers[:3] == ("", "mc_dropout - plain", "ensemble - plain")
    assert [row[0] for row in rows] == [
        *("accuracy", "NLL", "Brier", "ECE", "ECE (equal mass)", "AURC", "AUROC far", "AUROC near")
    ]
    sentences = tables.answers(found)
    marks, words = {"equivalent": "=", "undecided": "~"}, set()
    for column, (pair, sentence) in enumerate(zip(found["verdicts"], sentences, strict=True)):
        judged = dict(re.findall(r"(better|worse|equivalent|undecided) in ([^;]+)", sentence))
        is_same = (pair["one"], pair["other"]) == ("plain, scaled", "plain")
        accuracy = "the same accuracy; " if is_same else "accuracy "
        assert sentence.startswith(f"{pair['one']} against {pair['other']}, 5 seeds: {accuracy}")
        for row, (figure, of) in zip(rows, pair["figures"].items(), strict=True):
            if is_same and figure == "accuracy":
                assert row[1 + column] == "0 (identity)"
                assert not any(row[0] in said.split(", ") for said in judged.values())
                continue
            half = (of["high_corrected"] - of["low_corrected"]) / 2
            word = of["verdict"] if of["answer"] == "different" else of["answer"]
            words.add(word)
            assert row[1 + column] == f"{of['difference']:+.4f} ± {half:.4f} {marks.get(word, word)}"
            assert [said for said, names in judged.items() if row[0] in names.split(", ")] == [word]
    assert words >= {"better", "worse", "undecided"}
    points = [
        f"{100 * found['verdicts'][0]['figures']['accuracy'][key]:+.2f}"
        for key in ("difference", "low_corrected", "high_corrected")
    ]
    assert f"accuracy {points[0]} points ({points[1]} to {points[2]}); " in sentences[0]


def with_figure(found: dict[str, Any], figure: str, **changes: Any) -> dict[str, Any]:
    """The same with another difference in the first pair."""
    first, *others = found["verdicts"]
    changed = {**first["figures"], figure: {**first["figures"][figure], **changes}}
    return {**found, "verdicts": [{**first, "figures": changed}, *others]}


def test_an_equivalent_figure_is_called_so(found: dict[str, Any]) -> None:
    ends = {"difference": 0.001, "low_corrected": -0.002, "high_corrected": 0.004}
    changed = with_figure(found, "brier", **ends, verdict="", answer="equivalent")
    assert tables.verdict_rows(changed)[3][1] == "+0.0010 ± 0.0030 ="
    assert "; equivalent in Brier" in tables.answers(changed)[0]
    assert tables.answers(changed)[1:] == tables.answers(found)[1:]


def test_a_pair_of_identities_says_no_more_than_the_same_accuracy() -> None:
    networks = [PLAIN, replace(PLAIN, name="mc_dropout")]
    same = answered(networks)
    (pair,) = same["verdicts"]
    assert {row[1] for row in tables.verdict_rows(same)[1:]} == {"0 (identity)"}
    assert tables.answers(same) == ["mc_dropout against plain, 5 seeds: the same accuracy"]
    assert tables.legend(same) == ["Differences ± half of the 95% interval"]
    assert {of["answer"] for of in pair["figures"].values()} == {None}


def test_verdicts_of_an_earlier_version_keep_their_words_and_their_own_intervals(found: dict[str, Any]) -> None:
    old = ("difference", "low", "high", "p_value", "p_holm", "seeds", "verdict")
    earlier = {
        **found,
        "verdicts": [
            {**pair, "figures": {name: {key: of[key] for key in old} for name, of in pair["figures"].items()}}
            for pair in found["verdicts"]
        ],
    }
    accuracy = found["verdicts"][0]["figures"]["accuracy"]
    half = (accuracy["high"] - accuracy["low"]) / 2
    shown = f"{accuracy['difference']:+.4f} ± {half:.4f} {accuracy['verdict'] or '~'}"
    assert tables.verdict_rows(earlier)[1][1] == shown
    assert tables.legend(earlier) == ["Differences ± half of the 95% interval"]
    for line, before in zip(tables.answers(earlier), tables.answers(found), strict=True):
        assert re.findall("(?:better|worse) in [^;]+", line) == re.findall("(?:better|worse) in [^;]+", before)


def test_beside_what_the_chapter_prints_stands_the_difference_by_as_many_samples(found: dict[str, Any]) -> None:
    printed = {"source": "001", "samples": 8, "figure": "val_accuracy", "plain": 0.883, "mc_dropout": 0.8844}
    (sentence,) = tables.chapters({**found, "chapter": [printed]})
    of = found["by_samples"][-1]["val_accuracy_difference"]
    assert "a validation accuracy of one network, 0.8830 without" in sentence
    points = [f"{100 * of[name]:+.2f}" for name in ("difference", "low", "high")]
    assert f"here {points[0]} points ({points[1]} to {points[2]}), {p_of(of)}, 5 seeds" in sentence


def p_of(found: dict[str, Any]) -> str:
    value = found["p_value"]
    return "p < .001" if value < 0.001 else f"p = {value:.2g}".replace("0.", ".")


def test_figures_by_samples_are_differences_in_points_and_in_nats(found: dict[str, Any]) -> None:
    headers, *rows = tables.sample_rows(found)
    assert headers[4:7] == ("accuracy", "minus the plain one, points", "p")
    assert [row[0] for row in rows] == ["1", "8"]
    for row, of in zip(rows, found["by_samples"], strict=True):
        points, nats = of["accuracy_difference"], of["nll_difference"]
        assert row[4] == cell(of["accuracy"])
        half = 100 * (points["high"] - points["low"]) / 2
        assert row[5] == f"{100 * points['difference']:+.2f} ± {half:.2f}"
        assert row[6] == p_of(points).removeprefix("p = ").removeprefix("p ")
        assert row[8].startswith(f"{nats['difference']:+.4f} ± ")


@pytest.mark.parametrize("networks", [1, 2, NETWORKS])
def test_what_is_printed_says_how_many_networks_it_is_of_and_what_is_left_out(networks: int) -> None:
    single, mc = predictor("plain", networks), predictor("mc_dropout", networks, seed=2, informed=True)
    chapter = [{"source": "001", "samples": 100, "figure": "accuracy", "plain": 0.883, "mc_dropout": 0.8844}]
    of = answered([single, mc], networks, left_out={"mnist": "no files"}, chapter=chapter)
    text = tables.uncertainty_table(of, "cifar10")
    assert text.startswith("Test images of cifar10, 1,200 samples of MC dropout")
    assert (f"± half of the 95% interval over {networks} seeds" in text) == (networks > 1)
    assert ("One network: no interval and no verdict; --seeds 5 gives them" in text) == (networks == 1)
    means = "better, worse: the interval excludes 0. = equivalent: it lies within 0.005 of 0. ~ undecided"
    corrected = "Differences ± half of the 95% interval, corrected for all 8 (Bonferroni)"
    assert (f"\n{corrected}\n{means}\n" in text) == (networks > 1)
    lines = text.splitlines()
    assert lines[-2:] == [
        "source 001 prints a test accuracy of one network, 0.8830 without dropout and 0.8844 with 100 samples",
        "mnist is left out: no files",
    ]
    if networks == 1:
        assert "±" not in text
        assert "if calibrated" in text
        assert all(row[2:4] == ("", "") for row in tables.sample_rows(of)[1:])


Drawing = Callable[..., Figure]


@pytest.fixture
def drawn_by(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Drawing:
    """A picture as it was when it was saved."""
    saved: list[Figure] = []
    save = Figure.savefig

    def keep(figure: Figure, path: Path, **options: Any) -> None:
        save(figure, path, **options)
        if options["format"] == "png":
            saved.append(figure)

    monkeypatch.setattr(Figure, "savefig", keep)

    def draw(function: Callable[..., None], *given: Any) -> Figure:
        function(tmp_path / "picture.png", *given)
        assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
        assert "</svg>" in (tmp_path / "picture.svg").read_text()[-10:]
        return saved.pop()

    return draw


def probabilities(of: Predictor) -> np.ndarray:
    return of.answers["test"].probabilities.astype(np.float64)


def test_a_reliability_diagram_has_the_bins_of_all_networks_or_of_the_whole_ensemble(
    found: dict[str, Any], drawn_by: Drawing
) -> None:
    panels = drawn_by(figures.reliability_diagrams, ALL, TEST, "title").axes
    assert [axes.get_title() for axes in panels] == [of.name for of in ALL]
    for axes, of in zip(panels, ALL, strict=True):
        shown = probabilities(of)[:1] if of.is_ensemble else probabilities(of)
        confidence, right = shown.max(-1).ravel(), (shown.argmax(-1) == TEST).ravel()
        bins = np.ceil(confidence * 15)
        x, y = (np.asarray(values, float) for values in axes.lines[1].get_data())
        np.testing.assert_allclose(x, [confidence[bins == one].mean() for one in np.unique(bins)], rtol=1e-6)
        np.testing.assert_allclose(y, [right[bins == one].mean() for one in np.unique(bins)], rtol=1e-6)
        shares = [bar.get_height() for bar in axes.patches]
        assert sum(shares) == pytest.approx(1)
        assert shares[-1] == pytest.approx(np.mean(bins == 15))
        ece = found["predictors"][of.name]["ece"]
        expected = f"ECE {ece['mean']:.4f}\nif calibrated {ece['noise_floor']['mean']:.4f}"
        assert axes.texts[0].get_text() == expected


def test_a_risk_coverage_curve_is_the_error_rate_of_those_with_the_lowest_entropy(drawn_by: Drawing) -> None:
    (axes,) = drawn_by(figures.risk_coverage_curves, ALL, TEST, "title").axes
    lines = {line.get_label(): line.get_data() for line in axes.lines}
    assert list(lines) == ["plain", "mc_dropout", "ensemble"]
    for of in ALL[:3]:
        x, y = lines[of.name]
        shown = probabilities(of)[:1] if of.is_ensemble else probabilities(of)
        for coverage, risk in zip(x, y, strict=True):
            left = round(coverage * SIZES["test"])
            kept = np.argsort(special.entr(shown).sum(-1), axis=1)[:, :left]
            expected = np.take_along_axis(shown.argmax(-1) == TEST, kept, 1).mean()
            assert risk == pytest.approx(1 - expected, abs=1e-3)  # float32's ties
    assert len(axes.collections) == 2  # bands of single networks


def test_samples_are_drawn_beside_the_lines_of_the_other_predictors(found: dict[str, Any], drawn_by: Drawing) -> None:
    panels = drawn_by(figures.sample_curves, found, "title").axes
    for axes, figure in zip(panels, ("accuracy", "nll"), strict=True):
        by_samples, plain, ensemble = (line.get_data() for line in axes.lines)
        assert list(by_samples[0]) == [1, 8]
        assert list(by_samples[1]) == [row[figure]["mean"] for row in found["by_samples"]]
        assert list(plain[1]) == [found["predictors"]["plain"][figure]["mean"]] * 2
        assert list(ensemble[1]) == [found["predictors"]["ensemble"][figure]["mean"]] * 2


def test_the_most_and_the_least_certain_images_are_shown_with_what_is_said_of_them(drawn_by: Drawing) -> None:
    images = np.arange(SIZES["test"], dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 1), np.uint8)
    shown, names = probabilities(MC)[0], ("ant", "bee", "cat", "dog")
    panels = drawn_by(image_figures.certainty, images, shown, TEST, names, "title").axes
    order = np.argsort(special.entr(shown).sum(1))
    for axes, image in zip(panels, (*order[:8], *order[::-1][:8]), strict=True):
        assert (np.asarray(axes.images[0].get_array()) == images[image, ..., 0]).all()
        said = int(shown[image].argmax())
        second = "correct" if said == TEST[image] else f"is {names[TEST[image]]}"
        assert axes.get_title() == f"{names[said]} {shown[image, said]:.2f}\n{second}"


@pytest.mark.parametrize(("without", "kind"), [(True, "samples"), (False, "networks")])
def test_the_first_image_has_the_spread_of_its_samples_or_networks(drawn_by: Drawing, without: bool, kind: str) -> None:
    samples = probabilities(PLAIN)[:, 0]
    single = samples[0] if without else None
    image = np.zeros((4, 4, 3), np.uint8)
    picture = drawn_by(image_figures.first_image, image, single, samples, 2, ("ant", "bee", "cat", "dog"), "title")
    left, right = picture.axes
    assert left.get_title() == "cat"
    assert [label.get_text() for label in right.get_xticklabels()] == ["ant", "bee", "cat", "dog"]
    (bars,) = right.containers
    np.testing.assert_allclose(bars.lines[0].get_ydata(), samples.mean(0))
    heights = [np.ptp(segment[:, 1]) / 2 for segment in bars.lines[2][0].get_segments()]
    np.testing.assert_allclose(heights, samples.std(0))
    assert [line.get_label() == "without dropout" for line in right.lines].count(True) == without
    assert f"the first test image, 5 {kind}" in picture.get_suptitle()


def test_of_one_network_the_curves_have_no_band(drawn_by: Drawing) -> None:
    single, mc = predictor("plain", 1), predictor("mc_dropout", 1, seed=2)
    (axes,) = drawn_by(figures.risk_coverage_curves, [single, mc], TEST, "title").axes
    assert (len(axes.lines), len(axes.collections)) == (2, 0)
    panels = drawn_by(figures.sample_curves, answered([single, mc], 1), "title").axes
    assert [len(axes.collections) for axes in panels] == [0, 0]
    (alone,) = drawn_by(figures.risk_coverage_curves, [ensemble_of(PLAIN)], TEST, "title").axes
    assert len(alone.collections) == 0
