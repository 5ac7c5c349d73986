"""Any words on the command line: read, or refused in one line, and nothing else."""

import contextlib
import io
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from bench.bad_values import fields
from experiments.cifar import CONFIGS
from jaxdeep.cli.command import Command, parse, parse_compared
from jaxdeep.cli.recipe import Experiment
from jaxdeep.config import Config
from jaxdeep.errors import UserError

EXPERIMENT = Experiment("cifar", "cifar10", CONFIGS)
FIELDS = [field.dotted for field in fields()]
COUNTED = ("--seed", "--seeds", "--samples", "--folds", "--mc-samples")
NAMED = ("--config", "--data", "--halving", "--data-dir", "--workdir", "--export")
TRUTHS = ("--overwrite", "--profile", "--summary", "--find-lr", "--ensemble", "--export-onnx")

numbers = st.one_of(st.integers(-3, 12), st.integers(), st.floats()).map(str)
words = st.one_of(
    numbers,
    st.text(max_size=6),
    st.sampled_from(
        ["True", "False", "None", "selu", "elu", "8 8", "hidden", "1e400", "-0", "0x10", "1_0", "٣", "inf"]
    ),
)
values = st.lists(words, min_size=1, max_size=3).map(",".join)
ranges = st.lists(st.one_of(numbers, st.just("log")), min_size=1, max_size=3).map(":".join)
flags = st.one_of(
    st.tuples(st.sampled_from([f"--{name}" for name in FIELDS]), words),
    st.tuples(st.sampled_from(COUNTED), st.one_of(words, numbers)),
    st.tuples(st.sampled_from(NAMED), words),
    st.tuples(st.sampled_from(TRUTHS)),
    st.tuples(st.just("--grid"), st.builds("{}={}".format, st.sampled_from(FIELDS), values)),
    st.tuples(st.just("--space"), st.builds("{}={}".format, st.sampled_from(FIELDS), ranges)),
    st.tuples(st.just("--compare"), words, words),
    st.tuples(words),
)


@settings(max_examples=60)
@given(st.lists(flags, max_size=3))
def test_any_words_are_read_or_refused(given_flags) -> None:
    argv = ["--config", "sanity", *(word for flag in given_flags for word in flag)]
    errors = io.StringIO()
    try:
        with contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
            parse_compared(EXPERIMENT, argv)
            arguments = parse(EXPERIMENT, argv)
    except UserError as error:
        refusal = str(error)
        assert refusal
        assert "\n" not in refusal
        assert not set(refusal) & set("╭╮╰╯│")
        assert errors.getvalue() == ""
        return
    usable(arguments)


def usable(arguments: Command) -> None:
    """The study's trials are configurations that survive JSON, with plain seeds."""
    for trial in arguments.design.trials(arguments.config)[:5]:
        plain = json.loads(json.dumps(trial.config.to_dict(), allow_nan=False))
        assert Config.from_dict(plain) == trial.config
        assert 0 <= trial.seed < 2**32
        assert type(trial.seed) is int
