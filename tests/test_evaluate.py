"""Figures against scikit-learn, verdicts against scipy and planted truths."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import special, stats
from sklearn import metrics as reference
from small_predictors import ALL, CLASSES, LABELS, MC, NETWORKS, PLAIN, SIZES, drawn, predictor

from jaxdeep.analysis.evaluate import PAIRS, evaluate_predictors, figures_of, is_better_high, is_compared, verdict
from jaxdeep.analysis.predictors import Predictor, at_temperature, ensemble_of
from jaxdeep.analysis.statistics import paired, paired_correct


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return evaluate_predictors(ALL, LABELS)


@pytest.mark.parametrize("of", [MC, ALL[2]], ids=["networks", "ensemble"])
def test_every_figure_is_what_scikit_learn_or_its_definition_says(of: Predictor) -> None:
    figures = figures_of(of, LABELS)
    assert {len(values) for values in figures.values()} == {len(of.answers["test"].probabilities)}
    for index in range(len(figures["nll"])):
        probabilities = {part: answers.probabilities[index].astype(np.float64) for part, answers in of.answers.items()}
        for part, prefix in (("valid", "val_"), ("test", "")):
            labels, one_hot = LABELS[part], np.eye(CLASSES)[LABELS[part]]
            expected = {
                "accuracy": reference.accuracy_score(labels, probabilities[part].argmax(1)),
                "nll": -np.log((one_hot * probabilities[part]).sum(1)).mean(),
                "brier": np.square(probabilities[part] - one_hot).sum(1).mean(),
            }
            for name, value in expected.items():
                assert figures[prefix + name][index] == pytest.approx(value, rel=1e-6)
        right, confidence = probabilities["test"].argmax(1) == LABELS["test"], probabilities["test"].max(1)
        for name, bins in (("ece", np.ceil(confidence * 15)), ("ece_equal_mass", ranks(confidence) * 15 // len(right))):
            gaps = [(right[bins == one] - confidence[bins == one]).sum() for one in np.unique(bins)]
            assert figures[name][index] == pytest.approx(np.abs(gaps).sum() / len(right), rel=1e-6)
        doubts = {part: {"entropy": special.entr(probabilities[part]).sum(1)} for part in probabilities}
        order = np.argsort(doubts["test"]["entropy"])
        kept = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
        assert figures["aurc"][index] == pytest.approx(1 - kept.mean(), abs=1e-4)  # float32's ties
        for part in doubts:
            doubts[part]["information"] = of.answers[part].information[index]
        for other in ("far", "near"):
            for doubt in ("entropy", "information"):
                scores = np.concatenate([doubts[other][doubt], doubts["test"][doubt]])
                truth = np.arange(len(scores)) < SIZES[other]
                name = f"{other}/{doubt}"
                assert figures[f"{name}/auroc"][index] == pytest.approx(
                    reference.roc_auc_score(truth, scores), abs=1e-5
                )
                false, true, _ = reference.roc_curve(truth, scores, drop_intermediate=False)
                lowest = false[true >= 0.95 - 1e-12].min()
                assert figures[f"{name}/fpr95"][index] == pytest.approx(lowest, abs=1.01 / SIZES["test"])


def ranks(values: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(values, kind="stable"))


def test_estimates_are_means_over_networks_or_the_ensemble_of_all(found: dict[str, Any]) -> None:
    assert list(found["predictors"]) == [of.name for of in ALL]
    for of in ALL:
        estimates = found["predictors"][of.name]
        for name, values in figures_of(of, LABELS).items():
            estimate = estimates[name]
            assert estimate["runs"] == NETWORKS
            if not of.is_ensemble:
                low, high = stats.t.interval(0.95, NETWORKS - 1, values.mean(), stats.sem(values))
                np.testing.assert_allclose(
                    (estimate["mean"], estimate["low"], estimate["high"]), (values.mean(), low, high), rtol=1e-9
                )
            else:
                assert estimate["mean"] == values[0]
                assert (estimate["low"] < values[0] < estimate["high"]) or np.ptp(values[1:]) == 0
        assert ("temperature" in estimates) == (of.temperatures is not None)
        assert ("far/information/auroc" in estimates) == (of.temperatures is None and of.name != "plain")
    for scaled, unscaled in (("plain, scaled", "plain"), ("ensemble, scaled", "ensemble")):
        losses_of = [found["predictors"][name]["val_nll"]["mean"] for name in (scaled, unscaled)]
        assert losses_of[0] < losses_of[1]


def test_scores_are_judged_over_seeds_and_images_and_other_figures_over_seeds(found: dict[str, Any]) -> None:
    (pair,) = (pair for pair in found["verdicts"] if (pair["one"], pair["other"]) == ("mc_dropout", "plain"))
    one, other = figures_of(MC, LABELS), figures_of(PLAIN, LABELS)
    assert list(pair["figures"]) == [
        *("accuracy", "nll", "brier", "ece", "ece_equal_mass", "aurc", "far/entropy/auroc", "near/entropy/auroc"),
    ]
    hits = [of.answers["test"].probabilities.argmax(-1) == LABELS["test"] for of in (MC, PLAIN)]
    comparisons = len(PAIRS) * len(pair["figures"])
    expected = {name: paired(one[name], other[name], comparisons=comparisons) for name in pair["figures"]}
    assert pair["figures"]["ece"]["pairs_to_tell"] == expected["ece"].pairs_to_tell is not None
    expected["accuracy"] = paired_correct(*hits)
    for name in ("accuracy", "ece", "ece_equal_mass", "aurc", "far/entropy/auroc"):
        judged = [pair["figures"][name][key] for key in ("difference", "low", "high", "p_value", "seeds")]
        np.testing.assert_allclose(judged, expected[name][:5], rtol=1e-9)
    for name, of_image in (("nll", losses), ("brier", briers)):
        differences = of_image(MC) - of_image(PLAIN)
        variance = differences.mean(1).var(ddof=1) / NETWORKS + differences.mean(0).var(ddof=1) / SIZES["test"]
        low, high = stats.t.interval(0.95, NETWORKS - 1, differences.mean(), variance**0.5)
        np.testing.assert_allclose([pair["figures"][name][end] for end in ("low", "high")], (low, high), rtol=1e-5)


def losses(of: Predictor) -> np.ndarray:
    return -np.log(of.answers["test"].probabilities.astype(np.float64)[:, np.arange(SIZES["test"]), LABELS["test"]])


def briers(of: Predictor) -> np.ndarray:
    return np.square(of.answers["test"].probabilities.astype(np.float64) - np.eye(CLASSES)[LABELS["test"]]).sum(-1)


def test_an_ensembles_gain_is_judged_by_the_gains_of_the_ensembles_of_the_others(found: dict[str, Any]) -> None:
    (pair,) = (pair for pair in found["verdicts"] if (pair["one"], pair["other"]) == ("ensemble", "plain"))
    probabilities = PLAIN.answers["test"].probabilities.astype(np.float64)
    of_labels = probabilities[:, np.arange(SIZES["test"]), LABELS["test"]]

    def gains(networks: list[int]) -> np.ndarray:
        return -np.log(of_labels[networks].mean(0)) + np.log(of_labels[networks]).mean(0)

    everyone = list(range(NETWORKS))
    whole = gains(everyone)
    without = np.asarray([gains([one for one in everyone if one != left_out]).mean() for left_out in everyone])
    variance = (NETWORKS - 1) / NETWORKS * np.square(without - without.mean()).sum() + whole.var(ddof=1) / len(whole)
    low, high = stats.t.interval(0.95, NETWORKS - 1, whole.mean(), variance**0.5)
    judged = pair["figures"]["nll"]
    np.testing.assert_allclose(
        (judged["difference"], judged["low"], judged["high"]), (whole.mean(), low, high), rtol=1e-4
    )
    assert (judged["seeds"], judged["verdict"]) == (NETWORKS, "better")


def test_all_verdicts_are_corrected_together_by_holm(found: dict[str, Any]) -> None:
    assert [(pair["one"], pair["other"]) for pair in found["verdicts"]] == list(PAIRS)
    judged = [of for pair in found["verdicts"] for of in pair["figures"].values()]
    assert len(judged) == len(PAIRS) * 8
    highest, left = 0.0, len(judged)
    for of in sorted(judged, key=lambda of: of["p_value"]):
        highest = max(highest, min(left * of["p_value"], 1.0))
        left -= 1
        assert of["p_holm"] == pytest.approx(highest, rel=1e-12)
        assert (of["verdict"] == "") == (of["p_holm"] >= 0.05)
    tells = [of["pairs_to_tell"] for of in judged if of["pairs_to_tell"]]
    assert 2 <= min(tells) <= max(tells) <= 1_000


def by_figure(one: Predictor, other: Predictor) -> dict[str, dict[str, Any]]:
    """Of the first against the second."""
    (pair,) = evaluate_predictors([replace(other, name="plain"), replace(one, name="mc_dropout")], LABELS)["verdicts"]
    return pair["figures"]


def test_what_is_better_is_called_better_and_the_other_way_round_worse() -> None:
    forwards, backwards = by_figure(MC, PLAIN), by_figure(PLAIN, MC)
    for name in ("accuracy", "nll", "brier", "aurc"):
        assert (forwards[name]["verdict"], backwards[name]["verdict"]) == ("better", "worse")
    for name, of in forwards.items():
        back = backwards[name]
        np.testing.assert_allclose(
            [of["difference"], of["low"], of["high"], of["p_value"], of["p_holm"]],
            [-back["difference"], -back["high"], -back["low"], back["p_value"], back["p_holm"]],
            rtol=1e-9,
        )
        assert of["pairs_to_tell"] == back["pairs_to_tell"]
    assert forwards["accuracy"]["difference"] > 0 > forwards["nll"]["difference"]


def test_of_predictors_that_are_as_good_nothing_is_said() -> None:
    assert {of["verdict"] for of in by_figure(predictor("mc_dropout", seed=7), PLAIN).values()} == {""}
    assert {of["p_holm"] for of in by_figure(PLAIN, PLAIN).values()} == {1.0}


@pytest.mark.parametrize(
    ("figure", "judged", "high"),
    [
        ("accuracy", True, True),
        ("nll", True, False),
        ("brier", True, False),
        ("ece", True, False),
        ("ece_equal_mass", True, False),
        ("aurc", True, False),
        ("fashion_mnist/entropy/auroc", True, True),
        ("fashion_mnist/information/auroc", False, True),
        ("noise/entropy/fpr95", False, False),
        ("val_accuracy", False, True),
        ("val_nll", False, False),
        ("temperature", False, False),
    ],
)
def test_each_figure_has_a_better_side_and_those_of_test_images_are_judged(figure, judged, high) -> None:
    assert is_compared(figure) is judged
    assert is_better_high(figure) is high
    assert [verdict(figure, by, 0.049) for by in (1.0, -1.0)] == (["better", "worse"] if high else ["worse", "better"])
    assert verdict(figure, 1.0, 0.05) == ""


@pytest.mark.parametrize(
    ("networks", "told"), [(1, []), pytest.param(2, [PAIRS[0], *PAIRS[3:5]], marks=pytest.mark.slow), (3, list(PAIRS))]
)
def test_few_networks_have_the_intervals_and_verdicts_that_they_can_have(networks: int, told: list) -> None:
    single, mc = predictor("plain", networks), predictor("mc_dropout", networks, seed=2, informed=True)
    of_networks = [single, mc] + ([ensemble_of(single)] if networks > 1 else [])
    everyone = of_networks + [at_temperature(of, LABELS["valid"]) for of in of_networks]
    found = json.loads(json.dumps(evaluate_predictors(everyone, LABELS, drawn(mc)), allow_nan=False))
    assert [(pair["one"], pair["other"]) for pair in found["verdicts"]] == told
    for name, figures in found["predictors"].items():
        has_interval = networks > (2 if name.startswith("ensemble") else 1)
        for of in figures.values():
            assert (of["low"] is not None, of["high"] is not None) == (has_interval, has_interval)
            assert of["runs"] == (networks if has_interval else 1)
    assert ("nll_difference" in found["by_samples"][0]) == (networks > 1)


def test_figures_by_number_of_samples_end_with_the_predictors_own() -> None:
    rows = evaluate_predictors([PLAIN, MC], LABELS, drawn(MC))["by_samples"]
    assert [row["samples"] for row in rows] == [1, 8]
    own = evaluate_predictors([PLAIN, MC], LABELS)
    assert "by_samples" not in own
    (pair,) = own["verdicts"]
    for name in ("accuracy", "nll", "brier"):
        assert rows[1][name] == own["predictors"]["mc_dropout"][name]
        assert rows[1][f"val_{name}"] == own["predictors"]["mc_dropout"][f"val_{name}"]
        judged, expected = rows[1][f"{name}_difference"], pair["figures"][name]
        for key in ("difference", "low", "high", "p_value", "seeds"):
            assert judged[key] == pytest.approx(expected[key], rel=1e-9)
    assert rows[0]["accuracy_difference"]["high"] < 0 < rows[0]["nll_difference"]["low"]
    assert rows[0]["val_accuracy_difference"]["difference"] < 0 < rows[1]["val_accuracy_difference"]["difference"]
    hits = [of.answers["valid"].probabilities.argmax(-1) == LABELS["valid"] for of in (MC, PLAIN)]
    assert rows[1]["val_accuracy_difference"]["p_value"] == pytest.approx(paired_correct(*hits).p_value, rel=1e-9)
