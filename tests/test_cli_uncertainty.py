"""--mc-samples and --ensemble by the command line: what is refused, what is computed once, and what is left alone."""

import json
import re
import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_commands
from scipy import special
from small_commands import summary
from small_data import lean_compilation

import jaxdeep.cli.main
import jaxdeep.cli.run
import jaxdeep.run.study
import jaxdeep.run.uncertainty
from experiments.cifar import CONFIGS
from jaxdeep.data.images import Images
from jaxdeep.errors import UserError

QUICK = (
    *("--config", "alpha_dropout", "--model.units", "8", "8", "--train.epochs", "4"),
    *("--optim.learning-rate", "0.01", "--data", "cifar10"),
)
STUDY = (*QUICK, "--seeds", "3")
FLAGS = ("--mc-samples", "--ensemble")
ONE_CONFIGURATION = (
    f"{' and '.join(FLAGS)} take the seeds of one configuration. "
    "Remove --grid, --space, --folds, --compare, --find-lr and --summary."
)
ASKED = ("--mc-samples", "10", "--ensemble")
PICTURES = ("certainty.png", "first_image.png", "risk_coverage.png", "reliability.png", "samples.png")
TRAINED = ("config.json", "metrics.jsonl", "hits.npz", "curves.png")


def others(name: str, *, source: str, data_dir: Path | None, missing: Sequence[str] = ("mnist",)) -> Images:
    """As many grey test images of 6 x 6 as the study has; MNIST is not to be had."""
    assert source == name
    if name in missing:
        raise UserError(f"mnist: none in {data_dir}")
    pixels, labels = np.random.default_rng(1).integers(0, 99, (500, 6, 6, 1), np.uint8), np.arange(500) % 10
    return Images(pixels, labels, pixels, labels, name, "classic files", False, tuple("abcdefghij"))


@pytest.fixture(scope="module")
def main() -> Iterator[Callable[..., int]]:
    """The command on small images, compiled but once."""
    with lean_compilation(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(jaxdeep.cli.run, "load_images", small_commands.images)
        patch.setattr(jaxdeep.cli.run, "use_compilation_cache", lambda: None)
        patch.setattr(jaxdeep.run.uncertainty, "load_images", others)
        yield lambda *argv: jaxdeep.cli.main.main("cifar", "cifar10", CONFIGS, argv)


@pytest.fixture(scope="module")
def finished(main: Callable[..., int], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """A study of three seeds that was asked afterwards, and the files of its training as they were before."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    argv = (*STUDY, "--workdir", str(folder))
    assert main(*argv) == 0
    before = {name: (folder / name).read_bytes() for name in (*TRAINED, "summary.json")}
    assert main(*argv, *ASKED) == 0
    return folder, before


@pytest.fixture
def run(finished: tuple[Path, dict[str, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the study in an empty folder, as `run`."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(finished[0], "run"))


@pytest.fixture
def ask(main: Callable[..., int]) -> Callable[..., int]:
    """The command of the study."""
    return lambda *argv: main(*STUDY, "--workdir", "run", *argv)


def forget(folder: Path) -> None:
    """Nothing was asked; as an earlier version wrote it, without digests."""
    found = {name: value for name, value in summary(folder).items() if name not in ("uncertainty", "files")}
    (folder / "summary.json").write_text(json.dumps(found))
    for name in PICTURES:
        (folder / name).unlink()


def uncertainty(folder: Path) -> dict[str, Any]:
    return summary(folder)["uncertainty"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--config", "sanity", "--mc-samples", "10"], "MC dropout of a network without dropout: every pass would be"),
        ([*QUICK, "--mc-samples", "1"], "MC dropout with 1 samples. Give 2 or more"),
        ([*QUICK, "--mc-samples", "0"], "MC dropout with 0 samples. Give 2 or more"),
        ([*QUICK, "--ensemble"], "--ensemble has 1 network. Give 2 or more seeds, such as --seeds 5."),
        *(
            ([*QUICK, *asked, *more], ONE_CONFIGURATION)
            for asked in (["--mc-samples", "10"], ["--ensemble"])
            for more in (
                ["--grid", "optim.learning_rate=1,2", "--seeds", "2"],
                ["--space", "optim.learning_rate=1:2", "--samples", "2"],
                ["--folds", "2"],
                ["--find-lr"],
                ["--summary"],
            )
        ),
        (["--compare", "selu", "elu", "--ensemble"], ONE_CONFIGURATION),
    ],
)
def test_what_would_find_nothing_is_refused_before_anything_is_trained(
    main, tmp_path, monkeypatch, capsys, argv, message
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(*argv) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert list(tmp_path.iterdir()) == []


def test_asking_adds_to_a_finished_run_and_changes_nothing_of_it(finished) -> None:
    folder, before = finished
    assert {name: (folder / name).read_bytes() for name in TRAINED} == {name: before[name] for name in TRAINED}
    found, trained = summary(folder), json.loads(before["summary.json"])
    assert {**found, "uncertainty": 0, "files": 0} == {**trained, "uncertainty": 0, "files": 0}
    assert {name: found["files"][name] for name in TRAINED[1:]} == {
        name: trained["files"][name] for name in TRAINED[1:]
    }
    for name in PICTURES:
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    of = found["uncertainty"]
    assert (of["mc_samples"], of["ensemble"], of["mask_bits"], of["seeds"]) == (10, True, 16, [42, 43, 44])
    assert of["command"] == f"{trained['command']} {shlex.join(ASKED)}"
    assert of["other_images"] == ["fashion_mnist", "noise"]
    assert of["left_out"] == {"mnist": "mnist: none in None"}
    assert of["chapter"] == [
        {"source": "000", "samples": 10, "figure": "val_accuracy", "plain": 0.489, "mc_dropout": 0.4892}
    ]


def test_the_plain_figures_are_those_of_the_study_and_differences_those_of_the_predictors(finished) -> None:
    found = summary(finished[0])
    predictors = found["uncertainty"]["predictors"]
    names = {"val_nll": "val_loss", "val_accuracy": "val_accuracy", "nll": "test_loss", "accuracy": "test_accuracy"}
    for of_ours, of_study in names.items():
        of_each = {**predictors["plain"][of_ours]}
        assert of_each.pop("values") == pytest.approx([run[of_study] for run in found["runs"]], rel=1e-5)
        assert len(of_each) >= 4
        for key, value in of_each.items():
            assert value == pytest.approx(found["mean"][of_study][key], rel=1e-5)
    verdicts = found["uncertainty"]["verdicts"]
    assert len(verdicts) == 6
    for pair in verdicts:
        for name, of in pair["figures"].items():
            one, other = (predictors[pair[side]][name]["mean"] for side in ("one", "other"))
            assert of["difference"] == pytest.approx(one - other, abs=1e-9)
            assert of["seeds"] == 3
    rows = found["uncertainty"]["by_samples"]
    assert [row["samples"] for row in rows] == [1, 2, 5, 10]
    for name in ("accuracy", "val_nll", "brier"):
        assert rows[-1][name]["mean"] == pytest.approx(predictors["mc_dropout"][name]["mean"], rel=1e-5)
    assert rows[0]["nll"]["mean"] > rows[-1]["nll"]["mean"]  # Jensen
    first = found["uncertainty"]["first_image"]
    assert (first["label"], first["samples"]) == (0, 10)
    for name in ("plain", "mean"):
        assert sum(first[name]) == pytest.approx(1, rel=1e-5)
    assert min(first["std"]) > 0


def test_the_same_again_is_answered_from_the_summary_and_another_question_is_not(run, ask, capsys, monkeypatch) -> None:
    """And the same is asked again where images that were left out are to be had; nothing that was asked is lost."""
    earlier = uncertainty(run)
    asked, answer = [], {name: value for name, value in earlier.items() if name not in ("command", "chapter")}

    def answered(question, *_, **__) -> dict[str, Any]:
        asked.append((question.mc_samples, question.ensemble))
        return {**answer, "mc_samples": question.mc_samples, "ensemble": question.ensemble, "left_out": {}}

    monkeypatch.setattr(jaxdeep.run.study, "evaluate_uncertainty", answered)
    capsys.readouterr()
    printed = []
    for there in (False, True, True):
        if there:
            monkeypatch.setattr(jaxdeep.run.uncertainty, "load_images", partial(others, missing=()))
        assert ask(*ASKED) == 0
        captured = capsys.readouterr()
        assert "run is finished: these are its results" in captured.err
        assert "epoch" not in captured.err
        printed.append(captured.out)
    assert asked == [(10, True)]
    assert printed[1] == printed[2]
    assert "mnist is left out" in printed[0]
    assert "mnist is left out" not in printed[1]
    before = (run / "summary.json").read_bytes()
    assert ask() == 0
    assert "MC dropout" not in capsys.readouterr().out
    assert (run / "summary.json").read_bytes() == before
    for question in (["--ensemble"], ["--mc-samples", "10"], ["--mc-samples", "13"], ["--ensemble"]):
        assert ask(*question) == 0
    assert asked[1:] == [(13, True)]
    assert uncertainty(run)["command"].endswith("--mc-samples 13 --ensemble")


@pytest.mark.slow
def test_asked_with_the_training_the_answer_is_the_same(main, finished, tmp_path, monkeypatch) -> None:
    """And temperatures are those of the validation labels: at the lowest NLL, it is the mean entropy."""
    monkeypatch.chdir(tmp_path)
    evaluate = jaxdeep.run.uncertainty.evaluate_predictors

    def checked(predictors, labels, draws) -> dict[str, Any]:
        for of in predictors[3:]:
            for probabilities in of.answers["valid"].probabilities:
                nll = -np.log(probabilities[np.arange(len(probabilities)), labels["valid"]]).mean()
                assert nll == pytest.approx(special.entr(probabilities).sum(1).mean(), rel=1e-5)
        return evaluate(predictors, labels, draws)

    monkeypatch.setattr(jaxdeep.run.uncertainty, "evaluate_predictors", checked)
    assert main(*STUDY, *ASKED) == 0
    (folder,) = Path("runs/cifar").iterdir()
    assert "mc" not in folder.name
    assert "ensemble" not in folder.name
    assert uncertainty(folder) == uncertainty(finished[0])


def test_an_ensemble_alone_has_no_figures_and_pictures_of_mc_dropout(run, ask, capsys) -> None:
    forget(run)
    (run / "mine.png").write_bytes(b"mine")
    assert ask("--ensemble", "--data-dir", "elsewhere") == 0
    found, out = uncertainty(run), capsys.readouterr().out
    assert found["left_out"] == {"mnist": "mnist: none in elsewhere"}
    assert list(found["predictors"]) == ["plain", "ensemble", "plain, scaled", "ensemble, scaled"]
    assert (found["mc_samples"], found["mask_bits"], found["chapter"]) == (None, None, [])
    assert "by_samples" not in found
    assert "MC dropout" not in out
    pictures = {*PICTURES, "confusion.png", "curves.png", "mine.png"}
    assert {path.name for path in run.glob("*.png")} == pictures - {"samples.png"}


def test_without_its_checkpoints_a_run_is_not_asked_and_the_reason_mends_it(run, ask, capsys) -> None:
    forget(run)
    before = (run / "summary.json").read_bytes()
    shutil.rmtree(run / "checkpoints" / "seed_43")
    (run / "checkpoints" / "seed_43").mkdir()
    assert ask("--ensemble") == 2
    assert capsys.readouterr().err.splitlines()[1:] == [
        "error: run: its checkpoints are gone, and with them the networks. Give --overwrite to train anew."
    ]
    assert (run / "summary.json").read_bytes() == before
    assert ask("--overwrite") == 0
    assert {path.name for path in run.glob("*.png")} == {"confusion.png", "curves.png"}
    assert "uncertainty" not in summary(run)


@pytest.mark.slow
@pytest.mark.parametrize("left", [2, 1])
def test_networks_that_diverged_are_left_out(run, ask, capsys, monkeypatch, left: int) -> None:
    forget(run)
    train_all = jaxdeep.run.study.train_all

    def some_diverged(*given, **options):
        runs = train_all(*given, **options)
        return [*runs[:left], *(replace(of, best_epoch=0, diverged=True) for of in runs[left:])]

    monkeypatch.setattr(jaxdeep.run.study, "train_all", some_diverged)
    assert ask(*ASKED) == (0 if left == 2 else 2)
    if left == 1:
        error = capsys.readouterr().err
        assert "error: 1 of 3 networks did not diverge: too few for --" in error
        assert "Seeds 43, 44 diverged. Ask for more seeds, or lower" in error
        assert "uncertainty" not in summary(run)
        assert ask("--mc-samples", "10") == 0
    found, out = uncertainty(run), capsys.readouterr().out
    assert found["seeds"] == [42, 43][:left]
    assert found["diverged"] == {"runs": 3, "diverged": 3 - left, "left_out": 3 - left}
    assert f"the study lost {3 - left} of 3 networks (diverged)" in out
    assert f"plain ({3 - left} of 3 diverged)" in out
    assert ("One network: no interval and no verdict" in out) == (left == 1)
    assert len(found["verdicts"]) == {2: 3, 1: 0}[left]
    accuracies = [of["test_accuracy"] for of in summary(run)["runs"]][:left]
    assert found["predictors"]["plain"]["accuracy"]["mean"] == pytest.approx(np.mean(accuracies))


def test_where_all_diverged_nothing_is_asked(run, ask, monkeypatch) -> None:
    monkeypatch.setattr(jaxdeep.run.study, "evaluate_uncertainty", None)
    content = summary(run)
    content["runs"] = [{**of, "diverged": True} for of in content["runs"]]
    del content["files"]
    (run / "summary.json").write_text(json.dumps(content))
    assert ask("--mc-samples", "50") == 3


def test_interrupted_it_says_what_continues_and_the_run_is_finished_still(run, ask, capsys, monkeypatch) -> None:
    def interrupted(*_, **__) -> None:
        raise KeyboardInterrupt

    before = (run / "summary.json").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(jaxdeep.run.study, "evaluate_uncertainty", interrupted)
        assert ask("--mc-samples", "7") == 130
    assert re.search(r"^stopped; to continue: .* --workdir run --mc-samples 7$", capsys.readouterr().err, re.MULTILINE)
    assert (run / "summary.json").read_bytes() == before


def test_of_synthetic_images_only_noise_is_another_kind_and_all_that_is_printed_says_so(
    main, tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(jaxdeep.run.uncertainty, "load_images", None)
    titles = []
    monkeypatch.setattr(jaxdeep.run.uncertainty, "_draw", lambda folder, title, *_: titles.append(title))
    assert main(*QUICK[:-1], "synthetic", *ASKED, "--seeds", "2") == 0
    (folder,) = Path("runs/cifar").iterdir()
    found = uncertainty(folder)
    assert (found["other_images"], found["left_out"], found["chapter"]) == (["noise"], {}, [])
    out = capsys.readouterr().out
    assert "on synthetic_cifar10 (built-in synthetic)" in out
    assert "chapter" not in out
    assert [title.splitlines()[0] for title in titles] == ["cifar alpha_dropout on synthetic_cifar10 (synthetic)"]
