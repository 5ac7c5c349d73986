"""Studies before they are run: what is refused, which points are drawn, and what tells one study from another."""

import itertools
import json
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy import stats

from experiments.cifar import CONFIGS, SANITY
from jaxdeep.cli.command import parse
from jaxdeep.cli.grid import parse_grid, parse_space
from jaxdeep.cli.recipe import Experiment
from jaxdeep.errors import UserError
from jaxdeep.study.brackets import Rung
from jaxdeep.study.design import Design
from jaxdeep.study.space import Span
from jaxdeep.study.trial import Trial

RATE, BETA, PATIENCE = "optim.learning_rate", "optim.beta_1", "train.patience"
NINE = replace(SANITY, train=replace(SANITY.train, epochs=9))


@pytest.mark.parametrize(
    ("text", "name", "span"),
    [
        ("optim.learning_rate=1e-5:1e-2:log", RATE, Span(1e-5, 1e-2, True, False)),
        ("optim.learning-rate=0.1:0.5", RATE, Span(0.1, 0.5, False, False)),
        ("train.batch_size=16:256:log", "train.batch_size", Span(16, 256, True, True)),
        ("schedule.decay_steps=1:1e4", "schedule.decay_steps", Span(1, 10_000, False, True)),
        ("optim.clip_value=0:1", "optim.clip_value", Span(0, 1, False, False)),
        ("model.dropout_rate=0:0.5", "model.dropout_rate", Span(0, 0.5, False, False)),
        ("model.init_scale=-1:2", "model.init_scale", Span(-1, 2, False, False)),
    ],
)
def test_a_range_is_read(text, name, span) -> None:
    assert parse_space([text]) == {name: span}


LIMITS = "Give optim.learning_rate=LOW:HIGH with LOW below HIGH, or =LOW:HIGH:log with LOW above 0"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["optim.learning_rat=1:2"], "--space optim.learning_rat=1:2: there is no field 'optim.learning_rat'. Perhaps"),
        (["1:2"], "there is no field '1:2'"),
        (
            ["optim.learning_rate=1:2", "optim.learning-rate=3:4"],
            "--space optim.learning_rate is given twice. Give it once, with all its values.",
        ),
        (["data.valid_size=10:20"], "--space data.valid_size: all trials of a study share it. Run a command"),
        (["model.activation=elu:selu"], "model.activation is no number. Use --grid model.activation=VALUE,"),
        (["model.batch_norm=0:1"], "model.batch_norm is no number. Use --grid"),
        (["model.units=10:20"], "model.units is no number. Use --grid"),
        *(
            ([f"optim.learning_rate{wrong}"], f"--space optim.learning_rate{wrong} is no range. {LIMITS}")
            for wrong in (
                *("", "=", "=1", "=1:", "=:1", "=a:b", "=1:2:3", "=1:2:", "=1:2:log:log", "=1,2", "=1:2:LOG"),
                *("=2:1", "=1:1", "=nan:1", "=1:nan", "=1:inf", "=-inf:1", "=0:1:log", "=-1:1:log"),
            )
        ),
        (["train.batch_size=1.5:4"], "train.batch_size takes whole numbers. Give them as LOW and HIGH"),
        (["train.batch_size=1:4.5:log"], "train.batch_size takes whole numbers. Give"),
    ],
)
def test_a_wrong_range_is_refused_with_what_is_allowed(given, message) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        parse_space(given)


LOG = Span(1e-4, 1e-1, True, False)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"seeds": (-1, 0)}, "--seed is -1. Allowed: a whole number in 0 .. 4294967295"),
        (
            {"grid": {RATE: (1.0,)}, "space": {RATE: LOG}, "samples": 2},
            f"{RATE}: in --grid and in --space. Give it in one",
        ),
        ({"halving": "successive"}, "--halving successive needs candidates. Add --grid or --space"),
        ({"halving": "hyperband"}, "--halving hyperband needs candidates. Add --grid or --space"),
        (
            {"grid": {"train.epochs": (3, 9)}, "halving": "successive"},
            "train.epochs: --halving successive decides it for each candidate. Give one value",
        ),
        ({"samples": 3}, "--samples is 3. Give 1 or more, with --space"),
        ({"grid": {RATE: (1.0, 2.0)}, "samples": 1}, "--samples is 1. Give 1 or more, with --space"),
        ({"space": {RATE: LOG}, "samples": 0}, "--samples is 0. Give 1 or more, with --space"),
        ({"space": {RATE: LOG}}, "--samples is not given. Give the number of candidates with --space"),
        ({"space": {RATE: LOG}, "halving": "successive"}, "--samples is not given. Give the number of candidates"),
        (
            {"space": {RATE: LOG}, "samples": 9, "halving": "hyperband"},
            "--samples is 9. Give the number of candidates ",
        ),
        ({"folds": 1}, "--folds is 1. Give 2 or more"),
        ({"folds": 0}, "--folds is 0. Give 2 or more"),
    ],
)
def test_what_cannot_be_combined_is_refused_with_what_is_allowed(given, message) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        Design(**{"seeds": (42,), **given})


def test_a_space_with_fewer_points_than_are_asked_for_is_refused() -> None:
    few = {PATIENCE: Span(1, 3, False, True), RATE: Span(1.0, 1.02, False, False)}
    assert len(points(Design((0,), space=few, samples=9))) == 9
    with pytest.raises(UserError, match=r"--space has 9 candidates at three digits, and 10 are requested"):
        Design((0,), space=few, samples=10).trials(SANITY)
    with pytest.raises(UserError, match=r"--space has 9 candidates at three digits, and 17 are requested"):
        Design((0,), space=few, halving="hyperband").trials(NINE)


def points(study: Design, config=NINE) -> list[dict]:
    """Each once, in their order."""
    trials = study.trials(config)
    return list({trial.candidate: trial.values for trial in trials}.values())


def test_the_members_are_points_by_seeds_by_folds_in_the_given_order() -> None:
    grid = {RATE: (1e-2, 1e-3), "model.units": ((8, 8), (4,)), "model.batch_norm": (True,)}
    found = Design((5, 6), grid, folds=3).trials(SANITY)
    expected = [
        (rate, units, True, seed, fold)
        for rate in (1e-2, 1e-3)
        for units in ((8, 8), (4,))
        for seed in (5, 6)
        for fold in (0, 1, 2)
    ]
    assert [(*trial.values.values(), trial.seed, trial.fold) for trial in found] == expected
    for (rate, units, norm, *_), trial in zip(expected, found, strict=True):
        model = replace(SANITY.model, units=units, batch_norm=norm)
        assert trial.config == replace(SANITY, model=model, optim=replace(SANITY.optim, learning_rate=rate))
    assert Design((5,)).trials(SANITY) == (Trial(SANITY, 5, {}, None),)


@given(
    st.floats(-1e9, 1e9),
    st.floats(1e-9, 1e9),
    st.booleans(),
    st.booleans(),
    st.integers(0, 2**32),
)
def test_a_draw_is_in_its_range_whole_where_asked_and_else_of_three_digits(low, width, log, whole, seed) -> None:
    if log:
        low = max(abs(low), 1e-9)
    high = low + width
    if whole:
        low, high = float(int(low) or 1), float(int(high) or 1)
    assume(low < high)
    rng = np.random.default_rng(seed)
    for _ in range(20):
        value = Span(low, high, log, whole).draw(rng)
        assert low <= value <= high
        assert type(value) is (int if whole else float)
        assert whole or value in (low, high, float(f"{value:.2e}"))


def test_a_momentum_below_one_is_never_rounded_to_one() -> None:
    study = Design((0,), space={BETA: Span(0.99, 0.9999, False, False), RATE: LOG}, samples=500)
    values = [trial.config.optim.beta_1 for trial in study.trials(SANITY)]
    assert max(values) == 0.9999


def p_value(values: np.ndarray, low: float, high: float) -> float:
    """The p-value of a Kolmogorov-Smirnov test for a uniform distribution."""
    return stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue


def test_draws_are_uniform_or_uniform_in_the_logarithm_and_independent() -> None:
    """Fixed seeds: a p-value of these is one draw from [0, 1], and a wrong distribution's is below 1e-9."""
    space = {RATE: Span(1e-5, 1e-1, True, False), BETA: Span(0.2, 0.8, False, False)}
    drawn = points(Design((3,), space=space, samples=2_000))
    assert len({tuple(point.values()) for point in drawn}) == len(drawn) == 2_000
    rates, betas = (np.asarray([point[name] for point in drawn]) for name in (RATE, BETA))
    assert p_value(np.log(rates), np.log(1e-5), np.log(1e-1)) > 0.05
    assert p_value(betas, 0.2, 0.8) > 0.05
    assert p_value(rates, 1e-5, 1e-1) < 1e-9
    assert p_value(np.log(betas), np.log(0.2), np.log(0.8)) < 1e-9
    assert stats.spearmanr(rates, betas).pvalue > 0.05


def test_whole_numbers_are_as_likely_as_their_range_says_both_ends_included() -> None:
    space = {PATIENCE: Span(1, 4, False, True), "train.batch_size": Span(8, 255, True, True), RATE: LOG}
    drawn = points(Design((4,), space=space, samples=2_000))
    patience = Counter(point[PATIENCE] for point in drawn)
    assert sorted(patience) == [1, 2, 3, 4]
    assert stats.chisquare(list(patience.values())).pvalue > 0.05
    octaves = Counter(point["train.batch_size"].bit_length() for point in drawn)  # 8 .. 15, ..., 128 .. 255
    assert sorted(octaves) == [4, 5, 6, 7, 8]
    assert stats.chisquare(list(octaves.values())).pvalue > 0.05


MIXED = Design(
    (7,), {"model.activation": ("elu", "selu", "relu")}, {RATE: LOG, BETA: Span(0.0, 0.5, False, False)}, samples=40
)


def test_the_first_seed_decides_the_points_and_nothing_else_does() -> None:
    first = points(MIXED)
    assert points(MIXED) == first
    assert points(replace(MIXED, seeds=(7, 8, 9), folds=4)) == first
    turned = replace(MIXED, space=dict(reversed(MIXED.space.items())))
    assert turned == MIXED
    assert points(turned) == first
    others = points(replace(MIXED, seeds=(8, 7)))
    assert not {tuple(point.values()) for point in first} & {tuple(point.values()) for point in others}
    assert MIXED.brackets(NINE) == ()
    (search,) = replace(MIXED, halving="successive").brackets(NINE)
    assert search.candidates == tuple(dict.fromkeys(trial.candidate for trial in MIXED.trials(NINE)))
    assert search.rungs == (Rung(40, 1), Rung(13, 3), Rung(4, 9))


def test_a_grids_field_beside_a_space_draws_each_of_its_values_alike_often() -> None:
    counts = Counter(point["model.activation"] for point in points(replace(MIXED, samples=600)))
    assert set(counts) == {"elu", "selu", "relu"}
    assert stats.chisquare(list(counts.values())).pvalue > 0.05


@pytest.mark.parametrize("size", [2, 4, 12])
def test_hyperband_over_a_grid_takes_at_most_its_points(size) -> None:
    grid = {RATE: tuple(np.geomspace(1e-4, 1e-1, size // 2).tolist()), "model.batch_norm": (True, False)}
    of_grid = {tuple(values) for values in itertools.product(*grid.values())}
    study = Design((42, 43), grid, halving="hyperband")
    brackets = study.brackets(NINE)
    assert [len(bracket.candidates) for bracket in brackets] == [min(count, size) for count in (9, 5, 3)]
    assert all(len(set(bracket.candidates)) == len(bracket.candidates) for bracket in brackets)
    taken = [tuple(point.values()) for point in points(study)]
    assert len(set(taken)) == len(taken)
    assert set(taken) <= of_grid
    trials = study.trials(NINE)
    assert {trial.candidate for trial in trials} == {name for bracket in brackets for name in bracket.candidates}
    assert len(trials) == 2 * len(taken)
    turned = replace(study, grid=dict(reversed(grid.items())))
    assert {frozenset(point.items()) for point in points(turned)} == {
        frozenset(point.items()) for point in points(study)
    }
    if size == 12:
        assert points(replace(study, seeds=(1,))) != points(study)


def test_hyperband_over_a_space_draws_as_many_as_it_wants_all_different() -> None:
    study = Design((1,), space={RATE: LOG}, halving="hyperband")
    names = [bracket.candidates for bracket in study.brackets(NINE)]
    assert list(map(len, names)) == [9, 5, 3]
    assert len(set(itertools.chain(*names))) == 17
    assert list(itertools.chain(*names)) == [trial.candidate for trial in study.trials(NINE)]


FIELDS = {
    RATE: st.floats(1e-9, 1e3),
    BETA: st.floats(0, 0.99),
    "optim.clip_value": st.none() | st.floats(1e-3, 1e3),
    "model.units": st.lists(st.integers(1, 999), min_size=1, max_size=3).map(tuple),
    "model.activation": st.sampled_from(["elu", "selu", "relu"]),
    "model.batch_norm": st.booleans(),
    "train.batch_size": st.integers(1, 10**6),
}
SPACES = {RATE: (1e-9, 1e3), BETA: (0, 0.99), "optim.momentum_decay": (0, 1e6), "train.batch_size": (1, 10**6)}


@st.composite
def a_study(draw) -> Design:
    names = draw(st.lists(st.sampled_from(list(FIELDS)), max_size=3, unique=True))
    grid = {name: tuple(draw(st.lists(FIELDS[name], min_size=1, max_size=3, unique=True))) for name in names}
    space = {}
    for name in draw(
        st.lists(st.sampled_from([name for name in SPACES if name not in names]), max_size=2, unique=True)
    ):
        whole = name == "train.batch_size"
        ends = st.integers(*SPACES[name]).map(float) if whole else st.floats(*SPACES[name])
        low, high = sorted(draw(st.lists(ends, min_size=2, max_size=2, unique=True)))
        space[name] = Span(low, high, low > 0 and draw(st.booleans()), whole)
    halving = draw(st.sampled_from([None, "successive", "hyperband"] if grid or space else [None]))
    samples = draw(st.integers(1, 5)) if space and halving != "hyperband" else None
    first, count = draw(st.integers(0, 99)), draw(st.integers(1, 4))
    folds = draw(st.none() | st.integers(2, 9))
    study = Design(tuple(range(first, first + count)), grid, space, samples, folds, halving)
    try:
        study.trials(SANITY)
    except UserError:  # a range too narrow for its samples
        assume(False)
    return study


LAYERS = {"regularize.l1": (1e-4, 0.1), "regularize.penalized": ("every", "head", (0, 1), (2,))}


@settings(max_examples=60)
@given(a_study())
@example(Design((42,), LAYERS))
@example(Design((42,), {"schedule.kind": ("constant", "cosine")}, {RATE: Span(1.23456789e-4, 0.1, True, False)}, 3))
def test_the_words_of_a_study_ask_for_it(study) -> None:
    arguments = parse(Experiment("cifar", "cifar10", CONFIGS), ["--config", "sanity", *study.words()])
    assert arguments.design == study
    assert arguments.config == SANITY
    types = [[type(value) for value in values] for of in (study, arguments.design) for values in of.grid.values()]
    assert types[: len(types) // 2] == types[len(types) // 2 :]
    assert arguments.design.trials(SANITY) == study.trials(SANITY)


@settings(max_examples=300)
@given(a_study(), st.data())
def test_studies_that_differ_are_told_apart_by_words_name_and_identity(study, data) -> None:
    other = data.draw(a_study() | st.builds(replace, st.just(study), folds=st.none() | st.integers(2, 9)))
    assume(study != other)
    assert study.words() != other.words()
    is_grown = replace(study, seeds=other.seeds) == other and study.seeds[0] == other.seeds[0] and not study.halving
    assert (study.parts_of_name() == other.parts_of_name()) == is_grown  # one folder, in which it grows by seeds
    assert ",".join(study.old_parts_of_name()) != ",".join(other.old_parts_of_name())
    identities = [json.dumps(of.identity(), sort_keys=True, allow_nan=False) for of in (study, other)]
    assert identities[0] != identities[1]


def test_a_value_of_a_grid_is_read_in_its_fields_type() -> None:
    texts = ["optim.clip_value=None,1", "model.units=8 8,16", "model.batch_norm=True,False", "train.batch_size=8,16"]
    assert list(parse_grid(texts).values()) == [(None, 1.0), ((8, 8), (16,)), (True, False), (8, 16)]
    texts = ["model.batch_norm=True False,False True,True", "model.dropout_rate=0 0 0.1,0.2"]
    assert list(parse_grid(texts).values()) == [((True, False), (False, True), True), ((0.0, 0.0, 0.1), 0.2)]
    with pytest.raises(UserError, match=r"model.batch_norm is 'no'. Allowed: True, False"):
        parse_grid(["model.batch_norm=True no"])
    with pytest.raises(UserError, match=r"model.batch_norm has no value. Allowed: one value"):
        parse_grid(["model.batch_norm="])
