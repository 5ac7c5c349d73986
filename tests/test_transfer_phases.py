"""Phases: when each ends, what the next one begins with, and what a killed run continues."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import numpy as np
import pytest
from small_data import SMALL, lean_compilation, small_arrays, small_dataset
from small_transfer import ALL, TARGET, assert_close_run, assert_same_run, changed_layers, drawn_source, is_same

from jaxdeep.data.dataset import Dataset
from jaxdeep.errors import JaxdeepWarning, UserError
from jaxdeep.study.batched import fit_batched
from jaxdeep.study.brackets import Bracket, Rung
from jaxdeep.study.folder import RunFolder
from jaxdeep.study.halving import train_by_halving
from jaxdeep.study.runner import fit_all
from jaxdeep.study.trial import Trial
from jaxdeep.train.fit import Run, fit
from jaxdeep.train.history import EpochRecord
from jaxdeep.train.phases import Entry, Stage, stages_of
from jaxdeep.train.source import Source, layers_of, prepared
from jaxdeep.train.state import TrainState

ROUNDING = 5e-7
"""Of 1 + |x|, as in test_batched."""
THAWED = TARGET.updated(
    {**ALL, "transfer.unfreeze": 2, "transfer.unfreeze_epoch": 2, "train.epochs": 5, "train.patience": 9}
)


@pytest.fixture(scope="module", autouse=True)
def lean() -> Iterator[None]:
    with lean_compilation():
        yield


def soon_overfitted() -> Dataset:
    """Small rows whose validation labels say nothing."""
    images, labels = small_arrays(200)
    labels[:50] = np.random.default_rng(5).permutation(labels[:50])
    return Dataset.from_arrays(images, labels, data=SMALL.data)


def stop_after(epochs: int) -> Callable[[Sequence[EpochRecord]], None]:
    def on_epoch(history: Sequence[EpochRecord]) -> None:
        if len(history) == epochs:
            raise InterruptedError

    return on_epoch


DATA = small_dataset(SMALL)
SOURCE = drawn_source(SMALL, DATA)


class Begun:
    """The layers and the epoch that each phase of a run begins with, and the best ones then."""

    def __init__(self) -> None:
        self.phases: list[tuple[int, Any, Any]] = []
        self.ends: list[Entry] = []

    def __enter__(self) -> "Begun":
        entered, left = Stage.entered, Stage.left

        def follow(stage: Stage, fresh: TrainState, entry: Entry) -> TrainState:
            state = entered(stage, fresh, entry)
            best = state.best
            latest = layers_of(stage.model, state.params, state.batch_stats)
            self.phases.append((int(state.epoch), latest, layers_of(stage.model, best.params, best.batch_stats)))
            return state

        def leave(stage: Stage, state: TrainState, entry: Entry) -> Entry:
            self.ends.append(left(stage, state, entry))
            return self.ends[-1]

        self._patch = mock.patch.multiple(Stage, entered=follow, left=leave)
        self._patch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.stop()


def test_the_second_phase_begins_with_the_latest_weights_behind_its_epoch() -> None:
    config = THAWED.updated({"train.keep": "best", "optim.learning_rate": 0.1})
    with Begun() as begun:
        run = fit(config, DATA, source=SOURCE)
    assert [record.epoch for record in run.history] == [1, 2, 3, 4, 5]
    assert [epoch for epoch, *_ in begun.phases] == [0, 2]
    (end,) = begun.ends
    assert end.best is not None
    _, latest, best = begun.phases[1]
    assert all(is_same(latest[index], end.layers[index]) for index in latest)
    assert all(is_same(best[index], end.best[index]) for index in best)
    losses = [record.val_loss for record in run.history]
    assert run.best_epoch == int(np.argmin(losses)) + 1
    assert run.val_loss == min(losses)


def test_without_an_epoch_the_second_phase_begins_with_the_best_weights_when_the_first_has_stopped() -> None:
    """Its patience counts anew. The best epoch is that of all phases."""
    changes = {"train.keep": "best", "train.patience": 2, "train.epochs": 40, "transfer.unfreeze_epoch": None}
    config, data = THAWED.updated({**changes, "optim.learning_rate": 0.02}), soon_overfitted()
    with Begun() as begun:
        run = fit(config, data, source=drawn_source(SMALL, data))
    losses = [record.val_loss for record in run.history]
    began = begun.phases[1][0]
    assert began == int(np.argmin(losses[:began])) + 1 + 2 < 20
    _, latest, best = begun.phases[1]
    assert all(is_same(latest[index], best[index]) for index in latest)
    assert not all(is_same(latest[index], begun.ends[0].layers[index]) for index in latest)
    best_epoch = int(np.argmin(losses)) + 1
    assert run.best_epoch == best_epoch
    assert len(losses) == max(best_epoch, began) + 2 < 40


def test_a_phase_without_an_epoch_has_its_share_of_the_epochs_at_most() -> None:
    config = THAWED.updated({"transfer.unfreeze_epoch": None, "transfer.gradual": True, "train.epochs": 4})
    with Begun() as begun:
        run = fit(config, DATA, source=SOURCE)
    assert [epoch for epoch, *_ in begun.phases] == [0, 1, 2]
    assert len(run.history) == 4


@pytest.mark.parametrize("until", [1, 2, 3])
def test_a_run_that_was_stopped_in_any_phase_goes_on_to_the_same_bits(tmp_path: Path, until: int) -> None:
    whole = fit(THAWED, DATA, source=SOURCE)
    part = fit(THAWED, DATA, source=SOURCE, checkpoints=tmp_path, until=until)
    assert [record[:-1] for record in part.history] == [record[:-1] for record in whole.history[:until]]
    assert part.best_epoch == until
    seen: list[int] = []
    run = fit(THAWED, DATA, source=SOURCE, checkpoints=tmp_path, on_epoch=lambda of: seen.append(len(of)))
    assert seen[0] == (3 if until == 2 else until)  # between two phases nothing is told again
    assert_same_run(run, whole)


@pytest.mark.parametrize("killed", [1, 2, 3, 4])
def test_a_run_that_was_killed_in_any_phase_goes_on_to_the_same_bits(tmp_path: Path, killed: int) -> None:
    config = THAWED.updated({"train.keep": "best", "optim.learning_rate": 0.1, "optim.optimizer": "nadam"})
    whole = fit(config, DATA, source=SOURCE)
    with pytest.raises(InterruptedError):
        fit(config, DATA, source=SOURCE, checkpoints=tmp_path, on_epoch=stop_after(killed))
    assert (tmp_path / "phase_1").is_dir() is (killed > 2)
    assert_same_run(fit(config, DATA, source=SOURCE, checkpoints=tmp_path), whole)
    assert_same_run(fit(config, DATA, source=SOURCE, checkpoints=tmp_path), whole)  # which is finished


@pytest.mark.parametrize("until", [2, 4])
def test_a_folder_of_a_study_knows_the_epoch_of_the_latest_phase(tmp_path: Path, until: int) -> None:
    folder = RunFolder.__new__(RunFolder)  # which would claim a whole study's folder
    folder.path, trial = tmp_path, Trial(THAWED, 5)
    assert folder.saved_epoch(trial) is None
    fit(THAWED, DATA, 5, source=SOURCE, checkpoints=folder.checkpoints(trial), until=until)
    assert folder.saved_epoch(trial) == until


def test_a_run_that_diverges_in_the_first_phase_ends_there() -> None:
    changes = {"optim.optimizer": "sgd", "optim.learning_rate": 3.0, "train.keep": "best"}
    wild = {"schedule.kind": "piecewise", "schedule.boundaries_epochs": (1,), "schedule.factors": (1.0, 1e38)}
    with Begun() as begun, pytest.warns(JaxdeepWarning, match=r"diverged in epoch 2: .* weights are from epoch 1\."):
        run = fit(THAWED.updated({**changes, **wild}), DATA, source=SOURCE)
    assert len(begun.phases) == 1
    assert run.diverged
    assert len(run.history) == 2
    assert run.best_epoch == 1
    assert np.isfinite([run.test_loss, run.val_loss]).all()
    assert changed_layers(run, SOURCE) == []


def test_more_epochs_continue_a_run_whose_phases_stay(tmp_path: Path) -> None:
    fit(THAWED, DATA, source=SOURCE, checkpoints=tmp_path)
    longer = THAWED.updated({"train.epochs": 7})
    assert_same_run(fit(longer, DATA, source=SOURCE, checkpoints=tmp_path), fit(longer, DATA, source=SOURCE))


def test_more_epochs_are_refused_where_the_phases_depend_on_them(tmp_path: Path) -> None:
    config = THAWED.updated({"transfer.unfreeze_epoch": None, "train.epochs": 2})
    kept = fit(config, DATA, source=SOURCE, checkpoints=tmp_path)
    message = r"train.epochs \(there 2, here 4\)\. The phases of transfer.unfreeze_epoch None depend on the epochs\."
    with pytest.raises(UserError, match=message):
        fit(config.updated({"train.epochs": 4}), DATA, source=SOURCE, checkpoints=tmp_path)
    assert_same_run(fit(config, DATA, source=SOURCE, checkpoints=tmp_path), kept)


FACTORS = (0.5, 0.1)


def several() -> tuple[list[Trial], list[Source]]:
    """Trials of other seeds, factors, phases and sources."""
    configs = [
        THAWED.updated({"transfer.rate_factor": factor, "transfer.frozen": (0,), "transfer.unfreeze": 1})
        for factor in FACTORS
    ]
    configs += [THAWED, THAWED.updated({"transfer.unfreeze": 0, "transfer.unfreeze_epoch": 0})]
    sources = [Source(drawn_source(SMALL, DATA, seed)) for seed in range(4)]
    return [Trial(config, seed) for seed, config in enumerate(configs)], sources


def test_trials_with_sources_of_their_own_are_the_runs_alone_batched_and_not(tmp_path: Path) -> None:
    trials, sources = several()
    data = [prepared(trial.config, DATA, source) for trial, source in zip(trials, sources, strict=True)]
    alone = [
        fit(trial.config, DATA, trial.seed, source=source.run) for trial, source in zip(trials, sources, strict=True)
    ]
    assert len({run.val_loss for run in alone}) == 4
    ended: list[int] = []
    batched = fit_batched(trials, data, [None] * 4, sources=sources, on_end=lambda index, _: ended.append(index))
    assert sorted(ended) == [0, 1, 2, 3]
    by_seed = {trial.seed: source.run for trial, source in zip(trials, sources, strict=True)}
    threads = fit_all(trials, DATA, source=lambda trial: by_seed[trial.seed])
    for one, other, third in zip(batched, alone, threads, strict=True):
        assert_close_run(one, other, ROUNDING)
        assert_same_run(third, other)
    folders = [tmp_path / str(index) for index in range(4)]
    part = fit_batched(trials, data, folders, sources=sources, until=3)
    assert {len(run.history) for run in part} == {3}
    for one, other in zip(fit_batched(trials, data, folders, sources=sources), batched, strict=True):
        assert_close_run(one, other, ROUNDING)


def test_factors_of_the_rate_share_a_program() -> None:
    one, other = (THAWED.updated({"transfer.rate_factor": factor}) for factor in FACTORS)
    (first, *_), (second, *_) = (stages_of(config, DATA) for config in (one, other))
    assert first.static == second.static
    assert one.hyper() != other.hyper()


def test_halving_trains_phases_and_continues_them() -> None:
    """Its rungs end within a phase, at its end and behind it."""
    trials = [
        Trial(THAWED.updated({"transfer.rate_factor": factor}), 3, {"transfer.rate_factor": factor})
        for factor in (1.0, 0.5)
    ]
    brackets = [Bracket(tuple(trial.candidate for trial in trials), (Rung(2, 1), Rung(2, 3), Rung(1, 5)))]
    runs = train_by_halving(trials, DATA, brackets, source=SOURCE)
    lengths = sorted(len(run.history) for run in runs)
    assert lengths == [3, 5]
    (whole,) = (run for run in runs if len(run.history) == 5)
    alone: Run = fit(whole.config, DATA, 3, source=SOURCE)
    assert_same_run(whole, alone)


def test_a_kept_state_has_no_frozen_layers_of_the_optimizer() -> None:
    with Begun() as begun:
        fit(THAWED, DATA, source=SOURCE)
    assert [sorted(layers) for _, layers, _ in begun.phases] == [[3], [1, 2, 3]]  # layer 0 is computed once
    assert jax.tree.leaves(begun.ends[0].before) != []
