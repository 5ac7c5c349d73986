"""A study: its trials are the runs alone, in one program, and it can be stopped anywhere."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_data import SMALL, compilations, lean_compilation, small_dataset

from jaxdeep.config import Config, Model, Optim, Regularize
from jaxdeep.config.config import TRACED
from jaxdeep.errors import UserError
from jaxdeep.study.runner import fit_all
from jaxdeep.study.trial import Trial
from jaxdeep.train.fit import Run, fit
from jaxdeep.train.history import EpochRecord
from jaxdeep.train.lr_finder import find_learning_rate

pytestmark = pytest.mark.filterwarnings("ignore:.* diverged:jaxdeep.errors.JaxdeepWarning")
"""One of the runs diverges on purpose."""

DATA = small_dataset(SMALL)
DROPPED = replace(
    SMALL,
    model=replace(SMALL.model, dropout="alpha_dropout", dropout_sites="head", dropout_rate=0.1),
    regularize=Regularize(l1=1e-5, l2=1e-5, max_norm=2.0, label_smoothing=1e-3),
)


@pytest.fixture(scope="module", autouse=True)
def lean():
    with lean_compilation():
        yield


def varied(config: Config, field: str, value: float) -> Config:
    part, _, name = field.partition(".")
    return replace(config, **{part: replace(getattr(config, part), **{name: value})})


def study(epochs: int = 4) -> list[Trial]:
    """Trials that differ in every traced number but the plateau's; one of them diverges."""
    base = replace(DROPPED, train=replace(DROPPED.train, epochs=epochs, patience=2))
    values = {
        "optim.learning_rate": 1e-2,
        "optim.beta_1": 0.5,
        "model.dropout_rate": 0.4,
        "regularize.l1": 1e-3,
        "regularize.l2": 1e-2,
        "regularize.max_norm": 0.5,
        "regularize.label_smoothing": 0.2,
    }
    assert {*values, "schedule.factor", "transfer.rate_factor"} == set(TRACED)  # test_transfer varies that one
    trials = [Trial(varied(base, field, value), 3, {field: value}) for field, value in values.items()]
    wild = Trial(varied(base, "optim.learning_rate", 1e38), 3, {"optim.learning_rate": 1e38})
    return [Trial(base, 3), Trial(base, 4), wild, *trials]


def same(one: Run, other: Run) -> bool:
    leaves = zip(*(jax.tree.leaves((run.params, run.batch_stats)) for run in (one, other)), strict=True)
    figures = [[record[:-1] for record in run.history] for run in (one, other)]
    tested = (one.test_loss, one.test_accuracy) == (other.test_loss, other.test_accuracy) or one.diverged
    return tested and repr(figures[0]) == repr(figures[1]) and all(np.array_equal(a, b) for a, b in leaves)


def test_every_member_is_the_run_alone_bit_for_bit_and_all_share_one_program() -> None:
    trials = study()
    fit(trials[0].config, DATA, seed=0)
    with compilations() as heard:
        runs = fit_all(trials, DATA, workers=3)
        alone = [fit(trial.config, DATA, trial.seed) for trial in trials]
    assert not heard
    assert [run.diverged for run in runs] == [index == 2 for index in range(len(trials))]
    assert all(map(same, runs, alone))
    losses = [run.history[-1].train_loss for run in runs if not run.diverged]
    assert len(set(losses)) == len(losses)


EVERYWHERE = [field for field in TRACED if field.partition(".")[0] not in ("schedule", "transfer")]
"""Traced fields but those that only a plateau or reused layers have."""


def test_only_what_is_traced_is_left_out_of_a_program() -> None:
    static = DROPPED.static()
    for field in EVERYWHERE:
        assert varied(DROPPED, field, 0.25).static() == static
    plateau = varied(DROPPED, "schedule.kind", "plateau")
    assert varied(plateau, "schedule.factor", 0.25).static() == plateau.static()
    for field, value in {
        "model.units": (12, 12),
        "model.dropout_sites": "every",
        "optim.beta_2": 0.9,
        "train.batch_size": 16,
        "schedule.warmup_steps": 3,
        "regularize.penalized": "head",
    }.items():
        assert varied(DROPPED, field, value).static() != static
    for field in ("regularize.l1", "regularize.l2"):
        assert varied(DROPPED, field, 0.0).static() != static


def test_what_programs_are_compiled_for_cannot_be_trained_and_has_no_traced_numbers() -> None:
    static, without = DROPPED.static(), SMALL.static()
    for call in (
        lambda: fit(static, DATA),  # pyright: ignore[reportArgumentType]
        lambda: fit_all([Trial(static, 1)], DATA),  # pyright: ignore[reportArgumentType]
        lambda: find_learning_rate(static, DATA, (1,)),  # pyright: ignore[reportArgumentType]
    ):
        with pytest.raises(UserError, match=r"^config is Static\(.*\. Allowed: a Config"):
            call()
    for field in EVERYWHERE:
        part, _, name = field.partition(".")
        number = getattr(getattr(static, part), name)
        for use in (float, bool, jnp.asarray, lambda x: 2.0 * x, lambda x: x > 0.0, lambda x: jnp.ones(2) * x):
            with pytest.raises(TypeError, match="Read it from Hyper"):
                use(number)
    assert (without.model.dropout_rate, without.regularize.l2, without.regularize.max_norm) == (0.0, 0.0, None)
    assert without.schedule.factor == SMALL.schedule.factor


def test_rates_of_layers_share_one_program_where_the_same_layers_have_dropout() -> None:
    rates = [(0.0, 0.1, 0.0, 0.3), (0.0, 0.2, 0.0, 0.2), (0.0, 0.3, 0.0, 0.1)]
    configs = [replace(SMALL, model=replace(SMALL.model, dropout_rate=each)) for each in rates]
    fit(configs[0], DATA, seed=0)
    with compilations() as heard:
        runs = fit_all([Trial(config, 3) for config in configs], DATA, workers=2)
        alone = [fit(config, DATA, 3) for config in configs]
    assert not heard
    assert all(map(same, runs, alone))
    assert len({run.history[-1].train_loss for run in runs}) == 3
    everywhere = replace(SMALL, model=replace(SMALL.model, dropout_rate=(0.1, 0.1, 0.1, 0.1)))
    assert everywhere.static() != configs[0].static()


def test_a_study_that_is_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    trials = study(epochs=6)
    heard: dict[int, list[int]] = defaultdict(list)

    def stop_at_the_third_of_member_4(index: int, history: Sequence[EpochRecord]) -> None:
        if index == 4 and len(history) == 3:
            raise Stop

    def folder(trial: Trial) -> Path:
        return tmp_path / trial.name

    with pytest.raises(Stop):
        fit_all(trials, DATA, checkpoints=folder, on_epoch=stop_at_the_third_of_member_4, workers=2)
    begun = {path.name for path in tmp_path.iterdir()}
    assert trials[4].name in begun
    assert trials[-1].name not in begun
    runs = fit_all(
        trials,
        DATA,
        checkpoints=folder,
        on_epoch=lambda index, history: heard[index].append(len(history)),
        workers=2,
    )
    assert heard[0] == [len(runs[0].history)]  # finished: told, and not run again
    assert heard[4][0] == 3
    assert all(map(same, runs, fit_all(trials, DATA, workers=1)))


def test_each_end_is_told_once() -> None:
    ended: list[int] = []
    trials = study()[:4]
    runs = fit_all(trials, DATA, on_end=lambda index, run: ended.append(index))
    assert sorted(ended) == [0, 1, 2, 3]
    assert [run.seed for run in runs] == [trial.seed for trial in trials]


def test_a_member_is_named_by_what_tells_it_from_the_others() -> None:
    assert Trial(SMALL, 42).name == "seed_42"
    config = replace(SMALL, optim=Optim(learning_rate=1e-3), model=Model(units=(8, 8)))
    trial = Trial(config, 7, {"optim.learning_rate": 1e-3, "model.units": (8, 8)})
    assert trial.name == "optim.learning_rate=0.001,model.units=8-8,seed_7"
    assert len({other.name for other in study()}) == len(study())


def test_an_error_of_a_member_is_the_studys(tmp_path: Path) -> None:
    fit(replace(SMALL, optim=Optim(learning_rate=0.5)), DATA, seed=2, checkpoints=tmp_path / "seed_2")
    trials = [Trial(SMALL, seed) for seed in (1, 2, 3)]
    with pytest.raises(UserError, match="holds another run"):
        fit_all(trials, DATA, checkpoints=lambda trial: tmp_path / trial.name, workers=1)
