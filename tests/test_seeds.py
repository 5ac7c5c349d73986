"""Seeds are whole numbers that JAX's keys tell apart, wherever they enter."""

import jax
import numpy as np
import pytest
from small_data import SMALL, small_dataset

from experiments.cifar import CONFIGS
from jaxdeep.cli.command import parse
from jaxdeep.cli.recipe import Experiment
from jaxdeep.config.seeds import LARGEST_SEED, plain_seed, plain_seeds
from jaxdeep.errors import UserError
from jaxdeep.study.design import LARGEST_STUDY, Design
from jaxdeep.study.trial import Trial
from jaxdeep.train.lr_finder import find_learning_rate

WRONG = [
    -1,
    2**32,
    10**400,
    -(2**63),
    1.0,
    0.5,
    float("nan"),
    True,
    np.True_,
    "1",
    b"1",
    None,
    (1,),
    [1],
    1j,
    np.ones(1),
]


@pytest.mark.parametrize("seed", WRONG, ids=lambda seed: repr(seed)[:20])
def test_a_seed_out_of_its_range_or_of_another_type_is_refused(seed) -> None:
    with pytest.raises(UserError, match=r"^seed is .*\. Allowed: a whole number in 0 \.\. 4294967295\.$"):
        plain_seed(seed)
    with pytest.raises(UserError, match=r"^seed is "):
        Trial(SMALL, seed)
    with pytest.raises(UserError, match=r"^seeds is "):
        find_learning_rate(SMALL, small_dataset(SMALL), [0, seed])


@pytest.mark.parametrize("seed", [0, 42, LARGEST_SEED])
@pytest.mark.parametrize("of", [int, np.int64, np.uint32, np.array])
def test_a_seed_is_made_a_plain_int(seed, of) -> None:
    assert plain_seed(of(seed)) == seed
    assert type(plain_seed(of(seed))) is int
    assert type(Trial(SMALL, of(seed)).seed) is int
    assert Trial(SMALL, of(seed)) == Trial(SMALL, seed)


def test_the_bound_is_that_of_the_keys() -> None:
    first, last, beyond = (jax.random.key_data(jax.random.key(seed)) for seed in (0, LARGEST_SEED, LARGEST_SEED + 1))
    assert (first == beyond).all()
    assert (first != last).any()


@pytest.mark.parametrize(
    "seeds", [[], (), "12", {0: 1}, 5, None, [1, 1], np.ones((1, 1)), [[1]], np.array(3)], ids=repr
)
def test_seeds_are_one_or_more_different_ones(seeds) -> None:
    with pytest.raises(UserError, match=r"^seeds is "):
        plain_seeds(seeds)
    with pytest.raises(UserError, match=r"^seeds is "):
        find_learning_rate(SMALL, small_dataset(SMALL), seeds)


@pytest.mark.parametrize("seeds", [range(2), [0, 1], np.arange(2), np.arange(2, dtype=np.uint8), (np.int64(0), 1)])
def test_seeds_are_made_plain(seeds) -> None:
    assert plain_seeds(seeds) == (0, 1)
    assert all(type(seed) is int for seed in plain_seeds(seeds))


def command(*flags: str) -> Design:
    return parse(Experiment("cifar", "cifar10", CONFIGS), ["--config", "sanity", *flags]).design


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--seed", "4294967296"), "--seed is 4294967296. Allowed: a whole number in 0 .. 4294967295"),
        (("--seed", "-1"), "--seed is -1. Allowed: a whole number in 0 .. 4294967295"),
        (("--seed", "4294967295", "--seeds", "2"), "ends at 4294967296. Give a last seed of 4294967295 at most"),
        (("--seeds", "1000000000000"), f"--seeds is 1000000000000. Give {LARGEST_STUDY:,} at most"),
        (("--folds", "1000000000000"), "a study of 1,000,000,000,000 runs"),
        (("--space", "optim.beta_1=0.1:0.9", "--samples", "1000000000000"), "a study of 1,000,000,000,000 runs"),
        (
            ("--space", "optim.beta_1=0.1:0.9", "--halving", "hyperband", "--train.epochs", "2000000000"),
            "runs (candidates x seeds x folds) is too large. Give 100,000 at most",
        ),
        (
            [word for part in ["data.shift_pixels", "optim.beta_1", "optim.beta_2", "optim.epsilon", "train.epochs"]
             for word in ("--grid", f"{part}={','.join(str(n) for n in range(1, 41))}")],
            "a study of 102,400,000 runs",
        ),
    ],
)  # fmt: skip
def test_a_study_is_refused_before_its_seeds_are_made(flags, message) -> None:
    with pytest.raises(UserError) as refusal:
        command(*flags)
    assert message in str(refusal.value)


def test_the_last_seed_may_be_the_largest() -> None:
    assert command("--seed", str(LARGEST_SEED - 1), "--seeds", "2").seeds == (LARGEST_SEED - 1, LARGEST_SEED)


@pytest.mark.parametrize("fold", [-1, 0.5, True, "0", (0,), np.ones(1)], ids=repr)
def test_a_fold_is_an_index(fold) -> None:
    with pytest.raises(UserError, match=r"^fold is .*\. Allowed: 0 or more, or None\.$"):
        Trial(SMALL, 1, {}, fold)


def test_a_member_is_plain_and_says_what_its_configuration_says() -> None:
    trial = Trial(SMALL, np.int64(3), {"optim.learning_rate": np.float64(3e-3)}, np.int64(1))
    assert (type(trial.fold), trial.name) == (int, "optim.learning_rate=0.003,seed_3,fold_1")
    with pytest.raises(UserError, match=r"optim.learning_rate is 0.1, and the configuration's is 0.003"):
        Trial(SMALL, 3, {"optim.learning_rate": 0.1})
    with pytest.raises(UserError, match=r"^config is .*\. Allowed: a Config\.$"):
        Trial("selu", 3)  # pyright: ignore[reportArgumentType]
