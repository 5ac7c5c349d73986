"""Commands that are printed are read again as what they stand for."""

import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest
from small_commands import QUICK, summary
from small_data import lean_compilation

import jaxdeep.cli.main
from experiments.cifar import CONFIGS
from jaxdeep.cli.command import parse
from jaxdeep.cli.recipe import Experiment
from jaxdeep.cli.words import best_command, command_of, command_words
from jaxdeep.config import Config
from jaxdeep.errors import UserError
from jaxdeep.run.uncertainty import UncertaintyRequest
from jaxdeep.study.design import Design
from jaxdeep.study.space import Span

EXPERIMENT = Experiment("cifar", "cifar10", CONFIGS)


@pytest.fixture(scope="module", autouse=True)
def lean() -> Iterator[None]:
    with lean_compilation():
        yield


def changed(config: Config, **parts: dict) -> Config:
    return replace(config, **{part: replace(getattr(config, part), **values) for part, values in parts.items()})


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("selu", {}),
        ("selu", {"model": {"batch_norm": True, "use_bias": False, "units": (8, 8, 4)}, "data": {"flip": True}}),
        ("selu", {"model": {"units": (8, 8), "batch_norm": (True, False), "dropout_rate": (0.0, 0.2, 0.1)}}),
        ("selu", {"model": {"units": (8, 8), "skip": True, "head": "sigmoid", "bias_init": "random_normal"}}),
        ("bn", {"model": {"batch_norm": False, "batch_norm_input": False}}),
        ("sanity", {"data": {"train_size": None, "shift_pixels": 2}, "optim": {"clip_norm": 1e-5}}),
        ("onecycle", {"schedule": {"kind": "piecewise", "boundaries_epochs": (1, 2), "factors": (1.0, 0.5, 1e-7)}}),
        ("elu", {"regularize": {"l2": 1e-4, "penalized": (0, 2)}, "train": {"keep": "last", "dtype": "float64"}}),
        ("elu", {"regularize": {"l1": 1e-4, "penalized": "head", "max_norm": 3.0}}),
    ],
)
def test_the_words_of_a_configuration_are_read_as_it(name, parts) -> None:
    config = changed(CONFIGS[name].config, **parts)
    design = Design((7, 8, 9), folds=2)
    words = command_words(EXPERIMENT.program, name, CONFIGS[name].config, config, design)
    assert words[:3] == ["python", "-m", "experiments.cifar"]
    found = parse(EXPERIMENT, words[3:])
    assert (found.name, found.config, found.design) == (name, config, design)
    again = shlex.split(command_of(EXPERIMENT, found))
    assert again == words


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ([], True),
        (["--model.batch-norm"], True),
        (["--model.batch-norm", "True"], True),
        (["--model.batch-norm", "False"], False),
        (["--model.no-batch-norm"], False),
        (["--model.no_batch_norm", "--epochs", "2"], False),
        (["--model.batch-norm", "--model.no-batch-norm"], False),
        (["--model.no-batch-norm", "--model.batch-norm"], True),
        (["--model.batch-norm", "True", "False"], (True, False)),
        (["--model.batch_norm", "False", "True", "--epochs", "2"], (False, True)),
    ],
)
def test_batch_normalisation_is_switched_on_and_off_or_given_for_each_layer(words, value) -> None:
    argv = ["--config", "bn", "--model.units", "8", "8", *words]
    assert parse(EXPERIMENT, argv).config.model.batch_norm == value


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model.batch-norm", "True", "False", "True"], "Allowed: one value, or 2, an entry for each hidden layer"),
        (["--model.batch-norm", "yes"], "model.batch_norm is 'yes'. Allowed: True, False"),
        (["--model.no-batch-norm", "True"], "'True' belongs to no flag"),
        (["--model.no-batch-nor"], "Perhaps you mean --model.no-batch-norm"),
        (["--model.dropout-rate"], "model.dropout_rate has no value. Allowed: one value"),
        (["--model.dropout-rate", "0", "0.1"], "Allowed: one value, or 3, an entry for each dense layer"),
        (["--model.dropout-rate", "0", "0", "x"], "model.dropout_rate is 'x'. Allowed: a number"),
    ],
)
def test_values_that_are_not_of_the_layers_are_refused(words, message) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        parse(EXPERIMENT, ["--config", "bn", "--model.units", "8", "8", *words])


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (None, ("python", "mine.py")),
        (ModuleSpec("experiments.mine", None), ("python", "-m", "experiments.mine")),
    ],
)
def test_a_printed_command_begins_as_the_process_did(monkeypatch, spec: ModuleSpec | None, words) -> None:
    program = ModuleType("__main__")
    program.__spec__ = spec
    begun: list[tuple[str, ...]] = []
    monkeypatch.setitem(sys.modules, "__main__", program)
    monkeypatch.setattr(sys, "argv", ["mine.py", "--list"])
    monkeypatch.setattr(jaxdeep.cli.main, "answer", lambda experiment, given: begun.append(experiment().program) or 0)
    assert jaxdeep.cli.main.main("mine", "mnist", CONFIGS) == 0
    assert begun == [words]


def test_what_is_asked_of_the_networks_is_read_again() -> None:
    words = command_words(
        (), "alpha_dropout", *[CONFIGS["alpha_dropout"].config] * 2, Design((42, 43)), UncertaintyRequest(100, True)
    )
    found = parse(EXPERIMENT, words)
    assert found.asked == UncertaintyRequest(100, True)
    assert found.design.seeds == (42, 43)


def test_the_best_candidate_is_trained_with_the_searchs_seeds_on_the_searchs_data() -> None:
    argv = ["--config", "elu", "--grid", "model.batch_norm=True,False", "--space", "lr=1e-5:1e-3:log", "--samples", "3"]
    argv += ["--halving", "successive", "--seeds", "2", "--data", "synthetic", "--data-dir", "my data", "--epochs", "9"]
    search = parse(EXPERIMENT, argv)
    assert search.design.space == {"optim.learning_rate": Span(1e-5, 1e-3, True, False)}
    line = best_command(EXPERIMENT, search, {"model.batch_norm": True, "optim.learning_rate": 3e-5})
    assert line == (
        "python -m experiments.cifar --config elu --model.batch-norm --optim.learning-rate 3e-05 --train.epochs 9 "
        "--seeds 2 --data synthetic --data-dir 'my data'"
    )
    found = parse(EXPERIMENT, shlex.split(line)[3:])
    assert found.config == changed(
        CONFIGS["elu"].config, model={"batch_norm": True}, optim={"learning_rate": 3e-5}, train={"epochs": 9}
    )
    assert (found.data, found.data_dir) == ("synthetic", Path("my data"))


def test_a_search_ends_with_its_folder_and_the_command_of_its_best_candidate(command, capsys) -> None:
    assert command(*QUICK, "--data", "cifar10", "--model.batch-norm", "--grid", "lr=1e-4,1e-2") == 0
    *_, best, last = capsys.readouterr().out.splitlines()
    folder, _, files = last.partition(": ")
    assert files.split(", ") == ["summary.json", *sorted(path.name for path in Path(folder).glob("*.png"))]
    assert command(*shlex.split(best.removeprefix("best: "))[3:]) == 0
    found = summary(capsys.readouterr().out.splitlines()[-1].partition(": ")[0])
    lowest = min(summary(folder)["runs"], key=lambda run: run["val_loss"])
    assert found["config"]["optim"]["learning_rate"] == lowest["optim.learning_rate"]
    assert found["runs"][0]["val_loss"] == pytest.approx(lowest["val_loss"], rel=1e-4)


def test_a_search_that_has_no_best_candidate_names_none(command, capsys) -> None:
    wild = ("--optim.optimizer", "sgd", "--model.activation", "relu", "--grid", "lr=1e29,1e30")
    assert command(*QUICK, "--data", "cifar10", *wild) == 3
    assert not re.search("^best", capsys.readouterr().out, re.MULTILINE)


def test_the_short_flags_are_the_fields(command) -> None:
    found = parse(EXPERIMENT, ["--config", "elu", "--epochs=3", "--lr", "0.5", "--batch_size", "8"])
    assert found.config == changed(
        CONFIGS["elu"].config, train={"epochs": 3, "batch_size": 8}, optim={"learning_rate": 0.5}
    )
