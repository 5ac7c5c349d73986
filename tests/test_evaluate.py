"""Figures against scikit-learn, verdicts against scipy and planted truths."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import special, stats
from sklearn import metrics as reference
from small_predictors import ALL, CLASSES, LABELS, MC, NETWORKS, PLAIN, SIZES, drawn, predictor

from jaxdeep.analysis.evaluate import bounds_of, evaluate_predictors, figures_of
from jaxdeep.analysis.predictors import Answers, Predictor, at_temperature, ensemble_of
from jaxdeep.analysis.verdicts import PAIRS, is_better_high, is_compared, verdict

CALIBRATION_ERRORS = ("ece", "ece_equal_mass")
RANGES = {"nll": (0, np.inf), "val_nll": (0, np.inf), "temperature": (0, np.inf), "brier": (0, 2), "val_brier": (0, 2)}
"""Lowest and highest value of a figure. All others lie in 0 .. 1."""


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
                lowest, highest = RANGES.get(name, (0, 1))
                np.testing.assert_allclose(
                    (estimate["mean"], estimate["low"], estimate["high"]),
                    (values.mean(), max(low, lowest), min(high, highest)),
                    rtol=1e-9,
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
    for name in ("ece", "ece_equal_mass", "aurc", "far/entropy/auroc"):
        judged, test = pair["figures"][name], stats.ttest_rel(one[name], other[name])
        expected = (np.mean(one[name] - other[name]), *test.confidence_interval(0.95), test.pvalue, NETWORKS)
        np.testing.assert_allclose([judged[key] for key in OF_ITSELF], expected, rtol=1e-9)
    of_rows = {
        "accuracy": hits[0].astype(float) - hits[1],
        "nll": losses(MC) - losses(PLAIN),
        "brier": briers(MC) - briers(PLAIN),
    }
    for name, differences in of_rows.items():
        mean, error = crossed(differences)
        low, high = stats.t.interval(0.95, NETWORKS - 1, mean, error)
        p_value = 2 * stats.t.sf(abs(mean) / error, NETWORKS - 1)
        judged = [pair["figures"][name][key] for key in OF_ITSELF]
        np.testing.assert_allclose(
            judged, (mean, low, high, p_value, NETWORKS), rtol=1e-9 if name == "accuracy" else 1e-5
        )


OF_ITSELF = ("difference", "low", "high", "p_value", "seeds")
"""What a difference is by itself, whatever else is compared."""


def crossed(differences: np.ndarray) -> tuple[float, float]:
    """Return the mean over networks and images [S, N] and its standard error, from the mean squares of both."""
    networks, images = differences.shape
    total = np.square(differences - differences.mean()).sum()
    of_networks = images * np.square(differences.mean(1) - differences.mean()).sum()
    of_images = networks * np.square(differences.mean(0) - differences.mean()).sum()
    rest = (total - of_networks - of_images) / ((networks - 1) * (images - 1))
    squares = of_networks / (networks - 1) + max(of_images / (images - 1) - rest, 0.0)
    return differences.mean(), (squares / differences.size) ** 0.5


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


JUDGED = (
    *("low_corrected", "high_corrected", "p_corrected", "p_equivalence"),
    *("comparisons", "smallest_effect", "detectable", "more"),
)


def contradictions(of: dict[str, Any], figure: str) -> list[str]:
    """Return what the keys of a judged difference say against each other."""
    excludes_zero = of["low_corrected"] > 0 or of["high_corrected"] < 0
    lies_within = -of["smallest_effect"] < of["low_corrected"] and of["high_corrected"] < of["smallest_effect"]
    sided = ("worse", "better")[(of["difference"] > 0) == figure.endswith(("accuracy", "auroc"))]
    checks = {
        "answer": of["answer"] == ("different" if excludes_zero else "equivalent" if lies_within else "undecided"),
        "p_corrected": (of["p_corrected"] < 0.05) == excludes_zero,
        "p_equivalence": (of["p_equivalence"] < 0.05) == lies_within,
        "verdict": of["verdict"] == (sided if excludes_zero else ""),
        "intervals": of["low_corrected"] <= of["low"] <= of["difference"] <= of["high"] <= of["high_corrected"],
        "more": (of["more"] is None) == (of["detectable"] <= of["smallest_effect"]),
    }
    return [name for name, holds in checks.items() if not holds]


def test_all_verdicts_but_identities_are_corrected_together(found: dict[str, Any]) -> None:
    assert [(pair["one"], pair["other"]) for pair in found["verdicts"]] == list(PAIRS)
    everyone = [(figure, of) for pair in found["verdicts"] for figure, of in pair["figures"].items()]
    assert len(everyone) == len(PAIRS) * 8
    judged = [(figure, of) for figure, of in everyone if of["answer"] is not None]
    count = len(judged)
    assert count == len(everyone) - 1  # the accuracy of the scaled networks is that of the plain ones
    wider = stats.t.isf(0.025 / count, NETWORKS - 1) / stats.t.isf(0.025, NETWORKS - 1)
    for figure, of in judged:
        assert (of["comparisons"], of["smallest_effect"], of["pairs_to_tell"]) == (count, 0.005, None)
        assert of["p_corrected"] == pytest.approx(min(count * of["p_value"], 1), rel=1e-12)
        half = wider * (of["high"] - of["low"]) / 2
        expected = (of["difference"] - half, of["difference"] + half)
        np.testing.assert_allclose((of["low_corrected"], of["high_corrected"]), expected, rtol=1e-9)
        assert contradictions(of, figure) == []
    assert {of["answer"] for _, of in judged} == {"different", "undecided"}
    highest, left = 0.0, count
    for _, of in sorted(judged, key=lambda row: row[1]["p_value"]):
        highest = max(highest, min(left * of["p_value"], 1.0))
        left -= 1
        assert of["p_holm"] == pytest.approx(highest, rel=1e-12)


def test_an_identity_is_not_judged_and_counts_for_no_other_difference(found: dict[str, Any]) -> None:
    pairs = {(pair["one"], pair["other"]): pair["figures"] for pair in found["verdicts"]}
    identity = pairs["plain, scaled", "plain"]["accuracy"]
    assert [identity[key] for key in OF_ITSELF] == [0, 0, 0, 1, NETWORKS]
    assert (identity["verdict"], identity["answer"], identity["p_holm"], identity["pairs_to_tell"]) == (
        "",
        None,
        1,
        None,
    )
    assert identity.keys().isdisjoint(JUDGED)
    two = evaluate_predictors([PLAIN, MC], LABELS)["verdicts"]
    twin = replace(PLAIN, name="plain, scaled")  # its whole pair is one of identities
    three = {
        (pair["one"], pair["other"]): pair["figures"]
        for pair in evaluate_predictors([PLAIN, MC, twin], LABELS)["verdicts"]
    }
    assert list(three) == [("mc_dropout", "plain"), ("plain, scaled", "plain"), ("mc_dropout", "plain, scaled")]
    assert {of["answer"] for of in three["plain, scaled", "plain"].values()} == {None}
    assert {of["comparisons"] for of in two[0]["figures"].values()} == {8}
    for pair in (("mc_dropout", "plain"), ("mc_dropout", "plain, scaled")):
        assert {of["comparisons"] for of in three[pair].values()} == {16}
        for name, of in three[pair].items():
            assert [of[key] for key in OF_ITSELF] == [two[0]["figures"][name][key] for key in OF_ITSELF]


def test_calibration_errors_have_the_noise_floor_of_their_networks_or_of_the_whole_ensemble(
    found: dict[str, Any],
) -> None:
    draws, own = 2_000, np.random.default_rng(0)
    for of in (PLAIN, ALL[2], ALL[5]):
        everyone = of.answers["test"].probabilities.astype(np.float64)
        for name in CALIBRATION_ERRORS:
            errors = []
            for probabilities in everyone[:1] if of.is_ensemble else everyone:
                confidence = probabilities.max(1)
                bins = np.ceil(confidence * 15) if name == "ece" else ranks(confidence) * 15 // len(confidence)
                right = own.random((draws, len(confidence))) < confidence
                gaps = [(right[:, bins == one] - confidence[bins == one]).sum(1) for one in np.unique(bins)]
                errors.append(np.abs(gaps).sum(0) / len(confidence))
            floor = found["predictors"][of.name][name]["noise_floor"]
            assert floor["mean"] == pytest.approx(np.mean(errors), rel=0.03)  # 0.01 by chance
            assert floor["high"] == pytest.approx(np.mean(np.quantile(errors, 0.95, axis=1)), rel=0.05)
    for figures in found["predictors"].values():
        assert {name for name, of in figures.items() if "noise_floor" in of} == set(CALIBRATION_ERRORS)


def test_an_interval_stays_in_the_range_of_its_figure(found: dict[str, Any]) -> None:
    for figures in found["predictors"].values():
        for name, of in figures.items():
            lowest, highest = bounds_of(name)
            assert (lowest, highest) == RANGES.get(name, (0, 1))
            assert lowest <= of["low"] <= of["mean"] <= of["high"] <= highest
    certain = np.full((2, SIZES["test"], CLASSES), 0.01) + 0.96 * np.eye(CLASSES)[LABELS["test"]]
    certain[0, :20] = certain[0, :20, ::-1]  # one network errs in a few, and the interval of two is wide
    networks = Predictor("plain", {part: Answers(certain[:, : SIZES[part]]) for part in ("valid", "test")})
    of = evaluate_predictors([networks], {part: LABELS["test"][: SIZES[part]] for part in LABELS})["predictors"][
        "plain"
    ]
    shares = (certain[:, : SIZES["test"]].argmax(-1) == LABELS["test"]).mean(1)
    assert shares[0] < shares[1] == 1
    low = shares.mean() - stats.t.isf(0.025, 1) * stats.sem(shares)
    assert (of["accuracy"]["low"], of["accuracy"]["high"]) == (pytest.approx(low), 1.0)
    assert (of["ece"]["low"], of["nll"]["low"], of["brier"]["low"], of["aurc"]["low"]) == (0, 0, 0, 0)
    assert of["nll"]["high"] > of["nll"]["mean"] > 0


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
            [of["difference"], of["low"], of["high"], of["low_corrected"], of["high_corrected"]],
            [-back["difference"], -back["high"], -back["low"], -back["high_corrected"], -back["low_corrected"]],
            rtol=1e-9,
        )
        for key in ("p_value", "p_holm", "p_corrected", "p_equivalence", "detectable", "comparisons"):
            assert of[key] == pytest.approx(back[key], rel=1e-9)
        assert (of["answer"], of["more"]) == (back["answer"], back["more"])
    assert forwards["accuracy"]["difference"] > 0 > forwards["nll"]["difference"]


def test_of_predictors_that_are_as_good_nothing_is_said() -> None:
    as_good = by_figure(predictor("mc_dropout", seed=7), PLAIN)
    assert {(of["verdict"], of["answer"]) for of in as_good.values()} <= {("", "undecided"), ("", "equivalent")}
    same = by_figure(PLAIN, PLAIN)
    assert {(of["p_holm"], of["p_value"], of["answer"], of["verdict"]) for of in same.values()} == {
        (1.0, 1.0, None, "")
    }


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
    sides = [verdict(figure, by, "different") for by in (1.0, -1.0)]
    assert sides == (["better", "worse"] if high else ["worse", "better"])
    assert verdict(figure, 1.0, "undecided") == verdict(figure, 1.0, "equivalent") == ""


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
    mean, error = crossed(hits[0].astype(float) - hits[1])
    expected = 2 * stats.t.sf(abs(mean) / error, NETWORKS - 1)
    assert rows[1]["val_accuracy_difference"]["p_value"] == pytest.approx(expected, rel=1e-9)
    assert rows[1]["val_accuracy_difference"]["pairs_to_tell"] is None
    assert "answer" not in rows[1]["val_accuracy_difference"]
