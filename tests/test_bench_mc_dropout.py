"""MC dropout of jaxdeep and its peers: the same work, and who is found out. No test asserts a time."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_data import SMALL

import bench.contest
import bench.workload
from bench import mc_dropout, networks, sanity, targets
from bench.__main__ import main
from bench.networks import BenchNetwork
from bench.options import Options
from bench.peers import jaxdeep_predictor
from bench.peers.predictor import SAMPLES

KERAS = "keras-tf-mc" if importlib.util.find_spec("tensorflow") else "keras-jax-mc"
PEERS = [name for name, package in {KERAS: "keras", "torch-mc": "torch"}.items() if importlib.util.find_spec(package)]
IMAGES, RATE = 1_000, 0.2


def network(rate: float = RATE) -> BenchNetwork:
    """Small, with alpha dropout of the input and of every layer's."""
    model = replace(SMALL.model, units=(12, 8), dropout="alpha_dropout", dropout_sites="every", dropout_rate=rate)
    return BenchNetwork(replace(SMALL, model=model), 20, 4)


@pytest.mark.slow
def test_a_contest_of_predictions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole of `mc_dropout`, in processes: plain passes agree to rounding, samples as far as they are random."""
    monkeypatch.setitem(networks.MC_DROPOUT, "alpha_dropout", network())
    monkeypatch.setattr(mc_dropout, "IMAGES", IMAGES)
    monkeypatch.setattr(bench.contest, "SECONDS_BETWEEN_TURNS", 0)
    names = ["jaxdeep-plain", "jaxdeep-mc", *PEERS]
    argv = ["mc_dropout", "--configs", "alpha_dropout", "--rounds", "1", "--contestants", *names]
    assert main([*argv, "--records", str(tmp_path / "records")]) == 0
    (path,) = (tmp_path / "records").iterdir()
    ((name, kept),) = json.loads(path.read_text())["questions"]["mc_dropout"].items()
    assert name == "alpha_dropout"
    assert kept["command"].split() == ["python", "-m", "bench", *argv]
    assert list(kept["contestants"]) == names
    for name, outcome in kept["contestants"].items():
        assert outcome["other_work"] is None
        assert outcome["agreement"]["plain"] < 1e-6
        assert len(outcome["predictions"]) == 1
        assert outcome["memory"]["work_bytes"] < outcome["memory"]["peak_bytes"]
        assert "probabilities" not in outcome
        if name in PEERS:
            assert outcome["agreement"]["noise"] == pytest.approx(1, abs=0.2)
            assert outcome["agreement"]["std_ratio"] == pytest.approx(1, abs=0.01)
    assert "1,000 images of 20 standard normal numbers (SYNTHETIC)" in capsys.readouterr().out
    assert main(["results", "--records", str(tmp_path / "records")]) == 0
    page = (tmp_path / "RESULTS.md").read_text()
    assert "| 8e's network: 100 MC dropout samples, in plain passes | < 3 |" in page
    assert "| jaxdeep-plain |" in page


Outcome = dict[str, Any]


def predictions(of: BenchNetwork, count: int) -> list[Outcome]:
    """Outcomes of a contestant that is jaxdeep with a network, each by other masks."""
    predictor, outcomes = jaxdeep_predictor.build(bench.workload.normal_rows(of, IMAGES)), []
    for index in range(count):
        predictor.prediction(index)
        outcomes.append({"probabilities": predictor.probabilities()})
    return outcomes


@pytest.fixture(scope="module")
def honest() -> list[Outcome]:
    return predictions(network(), 2)


def reason(peer: Outcome, reference: Outcome) -> str | None:
    """Why a peer is found to do other work than the reference."""
    judged = sanity.checked_predictions({"torch-mc": peer, "jaxdeep-mc": reference}, SAMPLES)
    assert judged["jaxdeep-mc"]["other_work"] is None
    return judged["torch-mc"]["other_work"]


@pytest.mark.slow
def test_other_masks_are_the_same_work(honest: list[Outcome]) -> None:
    assert honest[0] != honest[1]
    assert reason(*honest) is None


@pytest.mark.slow
def test_another_rate_is_other_work(honest: list[Outcome]) -> None:
    (found,) = predictions(network(1.5 * RATE), 1)
    assert "another rate" in str(reason(found, honest[0]))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda plain, std, **_: {"mean": plain, "std": 0 * std}, "dropout is off"),
        (lambda plain, **_: {"plain": plain[::-1]}, "without dropout"),
        (lambda mean, std, **_: {"mean": mean + 0.1 * std}, "noise"),
        (lambda mean, **_: {"mean": np.where(mean == mean.max(), np.nan, mean)}, "not finite"),
    ],
)
def test_wrong_probabilities_are_other_work(change: Any, expected: str, honest: list[Outcome]) -> None:
    one, other = honest
    arrays = {name: np.array(values) for name, values in one["probabilities"].items()}
    wrong = {name: values.tolist() for name, values in {**arrays, **change(**arrays)}.items()}
    assert expected in str(reason({"probabilities": wrong}, other))


def entry(**seconds: list[float]) -> dict[str, Any]:
    """An entry with these times of predictions, as a contest leaves it."""
    figures = {"plain": 0.0, "std": 0.1, "std_ratio": 1.0, "noise": 1.0}
    outcomes = {
        name.replace("_", "-"): {
            "precision": "float32",
            "warm_up": {"seconds": 9.0},
            "predictions": [{"seconds": value} for value in values],
            "memory": {"work_bytes": 3_000_000},
            "agreement": figures,
            "other_work": None,
        }
        for name, values in seconds.items()
    }
    return {"config": "alpha_dropout", "contestants": outcomes}


def test_the_table_and_the_targets_are_of_medians() -> None:
    found = entry(jaxdeep_plain=[0.1, 0.1, 0.2], jaxdeep_mc=[0.2, 0.3, 0.4], keras_tf_mc=[20.0, 30.0, 60.0])
    found["contestants"] |= {"keras-jax-mc": {"failed": "no memory"}}
    rows = {row[0]: row for row in mc_dropout.table(found)}
    assert rows["keras-tf-mc"][2] == "100.00 (100.00 - 150.00)"
    assert rows["jaxdeep-mc"][3] == "3.0 (2.0 - 3.0)"
    assert rows["keras-jax-mc"][-1] == "failed: no memory"
    said = {row[0]: row[3] for row in targets.table({"mc_dropout": {"alpha_dropout": found}}, "cpu")}
    verdicts = {target.name: said[target.description] for target in targets.TARGETS if target.name.startswith("mc-")}
    unmeasured = dict.fromkeys(("mc-keras-tf-tensor", "mc-keras-tf-inputs"), "not measured")
    assert verdicts == {"mc-keras-tf": "met", "mc-plain": "met", **unmeasured}
    found["contestants"]["keras-tf-mc"]["other_work"] = "dropout is off"
    assert mc_dropout.ratios(found, "keras-tf-mc", "jaxdeep-mc") is None


def test_a_question_is_asked_about_its_own_networks() -> None:
    options = Options(("throughput", "mc_dropout"), 1, ("selu", "dropout"), None, None, None, Path(), {})
    of_throughput, of_mc = options.of("throughput"), options.of("mc_dropout")
    assert of_throughput is not None
    assert of_throughput.configs == ("selu",)
    assert of_mc is not None
    assert of_mc.configs == ("dropout",)
    assert replace(options, configs=("selu",)).of("mc_dropout") is None
    assert replace(options, configs=None).of("mc_dropout") == replace(options, configs=None)
