"""Findings on the command line: a warning each, an error with --strict, nothing for what a recipe expects."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from small_commands import QUICK
from small_data import lean_compilation

from experiments.cifar import CONFIGS

HE = ("--model.kernel-init", "he_normal")
FOUND = "warning: model.kernel_init is 'he_normal' with model.activation 'selu'"


@pytest.fixture(scope="module", autouse=True)
def lean() -> Iterator[None]:
    with lean_compilation():
        yield


def warned(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith(("warning", "error"))]


def test_a_mistake_is_one_warning_before_training_and_none_when_a_finished_run_is_shown(command, capsys):
    argv = (*QUICK, "--data", "cifar10", *HE)
    assert command(*argv, "--seeds", "2") == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith(FOUND)
    assert lines[0].endswith("Use lecun_normal. [selu-without-lecun]")
    assert not any(line.startswith("warning") for line in lines[1:])
    assert command(*argv, "--seeds", "2") == 0
    assert warned(capsys) == []
    assert command(*argv, "--seeds", "2", "--strict") == 0  # nothing is trained
    assert command(*argv, "--seeds", "2", "--overwrite") == 0
    assert len(warned(capsys)) == 1


@pytest.mark.slow
def test_a_study_has_one_warning_for_each_kind_of_mistake(command, capsys):
    grid = ("--grid", "optim.learning_rate=1e-3,0.5,2", "--grid", "regularize.l2=0,1e-4")
    assert command(*QUICK, "--data", "cifar10", "--train.epochs", "1", *grid) == 0
    penalty, rate = warned(capsys)
    assert penalty.endswith("[selu-with-penalty, in 3 of 6 configurations]")
    assert rate.startswith("warning: the learning rate is 0.5, and optim.optimizer 'nadam' trains with")
    assert rate.endswith("[rate-out-of-range, in 4 of 6 configurations]")


def test_strict_refuses_with_all_findings_and_writes_nothing(command, capsys):
    assert command(*QUICK, "--data", "cifar10", *HE, "--optim.learning-rate", "3", "--strict") == 2
    (line,) = warned(capsys)
    assert line.startswith("error: --strict: model.kernel_init is 'he_normal'")
    assert "[selu-without-lecun]" in line
    assert "[rate-out-of-range]" in line
    assert not Path("runs").exists()
    assert command(*QUICK, "--data", "cifar10", "--strict") == 0


@pytest.mark.parametrize("strict", [(), ("--strict",)])
def test_what_a_recipe_expects_is_neither_a_warning_nor_an_error(command, capsys, strict):
    argv = ("--config", "as_002_alpha_dropout", "--model.units", "8", "8", "--train.epochs", "1", "--data", "cifar10")
    assert CONFIGS["as_002_alpha_dropout"].expected
    assert command(*argv, *strict) == 0
    assert warned(capsys) == []


COMPARED = ("--data", "cifar10", "--model.units", "8", "--train.epochs", "1", "--seeds", "2")


@pytest.mark.slow
def test_a_comparison_warns_once_for_a_pair_in_which_more_than_one_thing_differs(command, capsys):
    assert command("--compare", "elu", "swish", "bn", *COMPARED) == 0
    lines = warned(capsys)
    assert [line.partition(": ")[2].partition(":")[0] for line in lines] == ["elu and bn", "swish and bn"]
    for line in lines:
        assert "the learning rate (optim.learning_rate)" in line
        assert line.endswith("[more-than-one-difference]")


@pytest.mark.slow
def test_a_strict_comparison_is_refused_before_the_first_one_is_trained(command, capsys):
    assert command("--compare", "elu", "bn", *COMPARED, "--strict") == 2
    assert warned(capsys)[0].startswith("error: --strict: elu and bn: the two differ in")
    assert command("--compare", "elu", "swish", *COMPARED, "--strict", "--optim.learning-rate", "3") == 2
    assert "[rate-out-of-range]" in warned(capsys)[0]
    assert command("--compare", "alpha_dropout", "selu", *COMPARED, "--optim.learning-rate", "5e-4", "--strict",
                   "--model.activation", "elu") == 2  # fmt: skip
    assert "[alpha-dropout-without-selu]" in warned(capsys)[0]
    assert not Path("runs").exists()
    assert command("--compare", "elu", "swish", *COMPARED, "--strict") == 0


@pytest.mark.parametrize("flag", ["--summary", "--find-lr"])
def test_strict_is_refused_where_nothing_is_trained(command, capsys, flag):
    assert command(*QUICK, "--data", "cifar10", flag, "--strict") == 2
    assert warned(capsys) == [
        "error: --strict has no effect with --summary or --find-lr, which train nothing. Remove it."
    ]
