"""`--help`: every flag once, in groups, within a page and a width; each mistake in one line."""

import re
from dataclasses import fields

import pytest

import jaxdeep.cli.main
from experiments.cifar import CONFIGS
from jaxdeep.cli.command import Command, flags
from jaxdeep.cli.help import GROUPS, descriptions
from jaxdeep.cli.recipe import Experiment
from jaxdeep.cli.table_flags import TableFlags
from jaxdeep.config.parts import ALIASES, PARTS

EXPERIMENT = Experiment("cifar", "cifar10", CONFIGS)


def helped(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert jaxdeep.cli.main.main("cifar", "cifar10", CONFIGS, argv) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_each_flag_of_a_command_is_in_one_group_and_has_a_text() -> None:
    names = [name for group in GROUPS.values() for name in group]
    own = [field.name for of in (Command, TableFlags) for field in fields(of) if field.name != "config"]
    assert sorted(names) == sorted([*own, *ALIASES.values()])
    for of in (Command, TableFlags, *PARTS.values()):
        assert set(descriptions(of)) == {field.name for field in fields(of)}


@pytest.mark.parametrize("columns", ["80", "60", "200"])
def test_the_common_help_is_a_page_and_does_not_wrap(capsys, monkeypatch, columns) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    lines = helped(capsys, "--help").splitlines()
    assert len(lines) < (100 if columns == "80" else 140)
    assert max(map(len, lines)) <= int(columns)
    assert lines[-1].split()[-1] == "others."
    assert any(line.startswith("--help-all lists the flags of the configuration") for line in lines)
    assert "\n".join(lines).isascii()


def test_all_help_lists_every_flag(capsys) -> None:
    found = helped(capsys, "--help-all")
    listed = re.findall(r"^  (--\S+)", found, re.MULTILINE)
    words = [flag.word for flag in flags(EXPERIMENT)]
    long = {f"--{field.replace('_', '-')}": f"--{short}" for short, field in ALIASES.items()}
    assert sorted(set(listed)) == sorted({long.get(word, word) for word in words})


@pytest.mark.parametrize("name", ["selu", "onecycle"])
def test_help_shows_the_defaults_of_the_chosen_configuration(capsys, name) -> None:
    config = CONFIGS[name].config
    for argv in (["--config", name, "--help"], ["-h", f"--config={name}"]):
        found = " ".join(helped(capsys, *argv).split())
        assert f"here of --config {name}." in found
        for short, value in (
            ("epochs", config.train.epochs),
            ("lr", config.optim.learning_rate),
            ("batch-size", config.train.batch_size),
        ):
            assert re.search(rf" --{short} \w [^\[]*\[{re.escape(str(value))}\]", found)


def test_help_wins_over_what_is_wrong_and_a_misspelled_configuration_does_not(capsys) -> None:
    assert "usage:" in helped(capsys, "--help", "--train.epoch", "x")
    assert jaxdeep.cli.main.main("cifar", "cifar10", CONFIGS, ["--config", "selv", "--help"]) == 2
    assert capsys.readouterr().err.endswith(". Perhaps you mean selu.\n")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--config", "selv"], "--config is 'selv'. Give one of elu, swish,"),
        (["--config", "selv"], ". Perhaps you mean selu"),
        (["--model.activation", "relv"], ". Perhaps you mean relu"),
        (["--optim.optimizer", "admw"], ". Perhaps you mean adamw"),
        (["--data", "cifar100"], "--data is 'cifar100'. Allowed: auto, cifar10, synthetic. Perhaps you mean cifar10"),
        (["--grid", "lr=1e-3,1e-2", "--halving", "hyberband"], ". Perhaps you mean hyperband"),
        (["--grid", "model.activation=selu,relv"], "model.activation is 'relv'. Allowed: linear,"),
        (["--regularize.penalized", "haed"], "or indices such as 0 1. Perhaps you mean head"),
        (["--seed"], "--seed has no value. Allowed: one value"),
        (["--seed", "1", "2"], "--seed is '1 2'. Allowed: one value"),
        (
            ["--epochs", "3", "--train.epochs=4"],
            "--epochs and --train.epochs are both given, and mean the same. Give one of them.",
        ),
        (["--lr=1", "--optim.learning_rate", "4"], "--lr and --optim.learning-rate are both given, and mean the same"),
        (["--epoch", "3"], "there is no flag --epoch. Perhaps you mean --epochs"),
        (["--overwrite", "stray"], "'stray' belongs to no flag"),
        (["--overwritten"], "there is no flag --overwritten. Perhaps you mean --overwrite"),
        (["--grid"], "--grid"),
        (
            ["--optim.optimizer", "adam", "--optim.rho", "0.5"],
            "optim.rho is 0.5 and has no effect with adam. Remove it, or use rmsprop.",
        ),
    ],
)
def test_a_mistake_is_one_line_with_what_is_allowed(command, capsys, argv, message) -> None:
    first = [] if "--config" in argv else ["--config", "sanity"]
    assert command(*first, *argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_a_misspelled_configuration_to_compare_has_its_nearest_name(command, capsys) -> None:
    assert command("--compare", "elu", "bm") == 2
    assert capsys.readouterr().err.endswith(". Perhaps you mean bn.\n")
