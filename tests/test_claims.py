"""The claims: verdicts by intervals, contrasts, shared networks, the command, and the published results."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.claims.__main__ import main
from experiments.claims.table import CLAIMS
from experiments.lab import lab as laboratory
from experiments.lab.claim import INFINITY, RATIO, Claim, Finding, Outcome, Part, findings, overall, verdict_of
from experiments.lab.contrasts import (
    accuracy,
    difference,
    epochs_to,
    exact,
    log_mean,
    mean,
    never_reached,
    ratio,
    scaled,
    unknown,
)
from experiments.lab.kept import Arm
from experiments.lab.lab import BASE, Lab
from experiments.lab.questions import QUESTIONS
from experiments.lab.results import PUBLISHED, measured, publish, stored
from jaxdeep import compare_studies
from jaxdeep.analysis.differences import paired
from jaxdeep.errors import UserError
from jaxdeep.train.history import EpochRecord

SECTIONS = {
    "Glorot and He initialisation",
    "Nonsaturating activation functions",
    "Batch normalisation",
    "Reusing pretrained layers",
    "Faster optimizers",
    "Learning-rate schedules",
    "Dropout",
    "Summary and practical guidelines",
}


def part_of(low: float, high: float, margin: float = 0.0) -> Part:
    return Part("part", "It is so.", exact(0.0, 2), low=low, high=high, margin=margin)


@pytest.mark.parametrize(
    ("part", "low", "high", "verdict"),
    [
        (part_of(0, INFINITY), 0.1, 2.0, "holds"),
        (part_of(0, INFINITY), -0.1, 2.0, "undecided"),
        (part_of(0, INFINITY), -2.0, -0.1, "fails"),
        (part_of(0, INFINITY, 0.5), -0.4, 0.4, "fails"),
        (part_of(0, INFINITY, 0.5), 0.1, 0.4, "holds"),
        (part_of(0, INFINITY, 0.5), -0.4, 0.6, "undecided"),
        (part_of(-0.5, 0.5), -0.4, 0.4, "holds"),
        (part_of(-0.5, 0.5), -0.4, 0.6, "undecided"),
        (part_of(-0.5, 0.5), 0.6, 0.9, "fails"),
        (part_of(-INFINITY, 0.0), -3.0, -0.1, "holds"),
        (part_of(-INFINITY, 0.0, 0.5), -0.4, 0.3, "fails"),
        (part_of(0, INFINITY), 0.0, 0.0, "fails"),
        (part_of(0, INFINITY), math.nan, math.nan, "undecided"),
    ],
)
def test_the_interval_decides(part: Part, low: float, high: float, verdict: str) -> None:
    assert verdict_of(part, low, high) == verdict


def test_a_claim_holds_if_all_parts_hold_and_fails_if_one_fails() -> None:
    def found(*verdicts: str) -> list[Finding]:
        return [Finding(part_of(0, 1), 0.0, 0.0, 0.0, verdict) for verdict in verdicts]  # type: ignore[arg-type]

    assert overall(found("holds", "holds")) == "holds"
    assert overall(found("holds", "undecided")) == "undecided"
    assert overall(found("holds", "undecided", "fails")) == "fails"


def test_intervals_widen_with_the_number_of_parts_and_exact_parts_do_not_count() -> None:
    part = Part("a", "It is so.", paired([0.5, 0.6, 0.7, 0.65], [0.4, 0.45, 0.61, 0.5]))
    sure = Part("sure", "It is so.", exact(1.0, 4))
    alone, also = findings([part])[0], findings([part, sure])[0]
    both = findings([part, replace(part, name="b")])[0]
    apart = findings([replace(part, corrected=False), part, replace(part, name="b")])[0]
    assert (alone.low, alone.high) == (also.low, also.high) == (apart.low, apart.high)
    assert both.high - both.low > 1.2 * (alone.high - alone.low)
    assert alone.low == pytest.approx(part.difference.low)


def test_few_true_nothings_are_called_something() -> None:
    generator = np.random.default_rng(0)
    wrong = 0
    for _ in range(400):
        parts = [Part(str(index), "It is so.", paired(*generator.normal(size=(2, 5)))) for index in range(4)]
        wrong += any(finding.verdict != "undecided" for finding in findings(parts))
    assert wrong / 400 < 0.08  # 5% by the correction, and 2.2 standard errors


def test_a_ratio_is_shown_as_a_ratio() -> None:
    part = Part("r", "It is so.", ratio([2.0, 2.2, 1.9], [1.0, 1.0, 1.0]), RATIO, 1.0)
    found = findings([part])[0]
    assert found.effect == pytest.approx((2.0 * 2.2 * 1.9) ** (1 / 3))
    assert found.low < found.effect < found.high
    assert found.to_json()["claimed_high"] is None
    assert log_mean([2.0, 2.0]).difference == pytest.approx(math.log(2))


def test_seeds_without_a_figure_do_not_count() -> None:
    assert difference([1.0, math.nan, 3.0], [0.5, 0.5, 1.0]).pairs == 2
    assert difference([1.0, math.nan], [0.5, 0.5]).pairs == 1
    found = findings([Part("one", "It is so.", unknown(1))])[0]
    assert found.verdict == "undecided"
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["effect"] is None
    assert mean([1.0, math.inf, 3.0]).difference == 2.0
    assert scaled(mean([1.0, 3.0]), 100).high == pytest.approx(100 * mean([1.0, 3.0]).high)


@pytest.fixture(scope="module")
def arms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Arm]:
    lab = Lab(tmp_path_factory.mktemp("lab"), quick=True, source="synthetic")
    small = BASE.updated({"model.units": (16,), "data.train_size": 500, "data.valid_size": 200})
    return lab.trained({"elu": small, "relu": small.updated({"model.activation": "relu"})})


def test_an_accuracy_contrast_is_that_of_a_comparison(arms: dict[str, Arm]) -> None:
    found = accuracy(arms["elu"], arms["relu"])
    pair = compare_studies([arm.study for arm in arms.values()]).pairs[0].figures["test_accuracy"]
    assert pair.difference is not None
    assert found.difference == pytest.approx(100 * pair.difference)
    assert found.high == pytest.approx(100 * (pair.high or 0))


def test_epochs_to_a_target_are_interpolated_and_one_more_if_it_is_never_reached(arms: dict[str, Arm]) -> None:
    losses = (1.0, 0.8, 0.6, 0.7)
    history = tuple(EpochRecord(epoch, 0.0, 0.0, loss, 1 - loss, 1e-3, 1.0) for epoch, loss in enumerate(losses, 1))
    arm = replace(arms["elu"], study=replace(arms["elu"].study, histories=(history, history)))
    assert epochs_to(arm, 0.7) == [pytest.approx(2.5)] * 2
    assert epochs_to(arm, 1.5) == [1.0, 1.0]
    assert epochs_to(arm, 0.5) == [5.0, 5.0]
    assert never_reached(arm, 0.5) == 2
    assert epochs_to(arm, 0.3, "val_accuracy") == [pytest.approx(2.5)] * 2


def test_arms_are_kept_by_their_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lab = Lab(tmp_path, quick=True, source="synthetic")
    config = BASE.updated({"model.units": (8,), "data.train_size": 300, "data.valid_size": 100})
    first = lab.trained({"a": config})["a"]
    monkeypatch.setattr(laboratory, "run_study", None)
    again = lab.trained({"b": config})["b"]
    assert (again.name, again.rate) == ("b", first.rate)
    assert again.study.trials == first.study.trials
    assert again.study.histories == first.study.histories
    assert again.study.correct is not None
    assert first.study.correct is not None
    np.testing.assert_array_equal(again.study.correct.test, first.study.correct.test)


def test_every_claim_says_what_it_tests() -> None:
    files = {path.stem for path in (Path(main.__code__.co_filename).parent).glob("[a-z]*.py")} - {"table"}
    assert set(CLAIMS) == files
    assert len(CLAIMS) >= 35
    for claim in CLAIMS.values():
        assert claim.section in SECTIONS
        assert claim.statement.endswith((".", "?"))
        assert claim.hypothesis.endswith(".")
        assert {*claim.questions} <= QUESTIONS.keys()
    assert {number for claim in CLAIMS.values() for number in claim.questions} == QUESTIONS.keys() == {*range(1, 8)}


def fixed(_: Lab) -> Outcome:
    return Outcome([Part("one", "It is one.", exact(1.0, 3), "ones")], reduced="nothing")


@pytest.fixture
def claim() -> Claim:
    return Claim("fixed", "One is more than nothing.", "Dropout", "One.", fixed, questions=(7,), dataset=None)


def test_a_result_is_computed_once_and_says_where_it_comes_from(claim: Claim, tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    assert stored(claim, lab) is None
    result = measured(claim, lab)
    assert stored(claim, lab) == json.loads(json.dumps(result))
    assert (result["verdict"], result["parts"][0]["effect"]) == ("holds", 1.0)
    assert {"commit", "changed", "machine", "versions", "command", "time", "seconds"} <= result.keys()
    assert {path.suffix for path in tmp_path.glob("fixed.*")} == {".json", ".png", ".svg"}


def test_a_quick_result_is_stored_apart_and_is_not_published(claim: Claim, tmp_path: Path) -> None:
    lab = Lab(tmp_path, quick=True)
    measured(claim, lab)
    assert (tmp_path / "fixed.quick.json").exists()
    with pytest.raises(UserError, match="full measurements"):
        publish(claim, lab)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--claim", "activation"], "--claim is activation. Did you mean activations?"),
        (["--question", "9"], "--question is 9. Give 1 to 7."),
        (["--quick", "--record"], "--record is for full studies"),
        (["--data", "imagenet"], "--data is imagenet. Give auto or synthetic."),
    ],
)
def test_a_wrong_argument_is_one_line_and_status_2(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.err.count("\n") == 1
    assert not printed.out


def test_the_list_has_a_line_for_each_claim(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["--list", "--workdir", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(CLAIMS)


def test_a_quick_claim_of_synthetic_images_from_the_command_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["--claim", "biases", "--quick", "--data", "synthetic", "--workdir", str(tmp_path)]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("biases: undecided, a quick try: no result, synthetic images")
    assert (tmp_path / "biases.quick.synthetic.json").exists()
    assert main([*words, "--question", "2"]) == 0
    assert "May biases begin at zero?" in capsys.readouterr().out


@pytest.mark.parametrize("path", sorted(PUBLISHED.glob("*.json")), ids=lambda path: path.stem)
def test_a_published_result_is_a_full_measurement_of_its_claim(path: Path) -> None:
    result = json.loads(path.read_text())
    claim = CLAIMS[path.stem]
    assert (result["name"], result["statement"]) == (claim.name, claim.statement)
    assert not result["quick"]
    assert not result["data"]["synthetic"]
    assert result["commit"]
    assert result["changed"] is False
    assert path.with_suffix(".svg").exists()
    for part in result["parts"]:
        low, high = (INFINITY if part[end] is None else part[end] for end in ("claimed_low", "claimed_high"))
        bounds = replace(part_of(-low if part["claimed_low"] is None else low, high), margin=part["margin"])
        interval = [math.nan if part[end] is None else part[end] for end in ("low", "high")]
        assert verdict_of(bounds, *interval) == part["verdict"]
    verdicts = {part["verdict"] for part in result["parts"]}
    expected = "fails" if "fails" in verdicts else "holds" if verdicts == {"holds"} else "undecided"
    assert result["verdict"] == expected
