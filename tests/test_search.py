"""Searches by halving: the papers' tables, decisions that are those of the runs trained whole, and every run the run
alone, bit for bit."""

import itertools
import math
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_data import SMALL, lean_compilation, small_dataset

from jaxdeep.config import Config, Regularize
from jaxdeep.study import halving as search
from jaxdeep.study.brackets import Bracket, Rung, epochs_of, hyperband, successive_halving
from jaxdeep.study.halving import fit_by_halving, train_by_halving
from jaxdeep.study.trial import Trial
from jaxdeep.train.fit import Run, fit
from jaxdeep.train.history import EpochRecord

pytestmark = pytest.mark.filterwarnings("ignore:.* diverged:jaxdeep.errors.JaxdeepWarning")
"""One of the runs diverges on purpose."""

NINE = replace(
    SMALL,
    model=replace(SMALL.model, dropout="alpha_dropout", dropout_sites="head", dropout_rate=0.1),
    train=replace(SMALL.train, epochs=9, patience=3),
)
DATA = small_dataset(SMALL)


@pytest.fixture(scope="module", autouse=True)
def lean():
    with lean_compilation():
        yield


def test_the_rounds_are_those_of_hyperbands_table() -> None:
    """Table 1 of Li et al. (2018): R = 81, eta = 3."""
    table = {
        4: [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
        3: [(34, 3), (11, 9), (3, 27), (1, 81)],
        2: [(15, 9), (5, 27), (1, 81)],
        1: [(8, 27), (2, 81)],
        0: [(5, 81)],
    }
    assert [list(map(tuple, rungs)) for rungs in hyperband(81)] == list(table.values())


@given(st.integers(1, 5_000), st.integers(2, 5))
def test_hyperbands_brackets_are_algorithm_1_in_exact_arithmetic(epochs: int, eta: int) -> None:
    most = max(s for s in range(14) if eta**s <= epochs)
    expected = []
    for s in range(most, -1, -1):
        count = math.ceil(Fraction((most + 1) * eta**s, s + 1))
        rounds = [(count // eta**done, math.ceil(Fraction(epochs, eta ** (s - done)))) for done in range(s + 1)]
        expected.append(rounds)
    assert [list(map(tuple, rungs)) for rungs in hyperband(epochs, eta)] == expected


@given(st.integers(1, 500), st.integers(1, 500), st.integers(2, 5))
def test_points_fall_by_eta_as_epochs_rise_to_a_whole_run(candidates: int, epochs: int, eta: int) -> None:
    for rungs in (successive_halving(candidates, epochs, eta), *hyperband(epochs, eta)):
        counts, lengths = zip(*rungs, strict=True)
        assert lengths[-1] == epochs
        assert lengths[0] >= 1
        for more, fewer in itertools.pairwise(counts):
            assert fewer == more // eta >= 1
        for shorter, longer in itertools.pairwise(lengths):
            assert shorter < longer <= eta * shorter
            assert longer > eta * (shorter - 1)
    rungs = successive_halving(candidates, epochs, eta)
    assert rungs[0].candidates == candidates
    assert rungs[-1].candidates < eta or epochs < eta ** len(rungs)  # more go on only where the epochs are too few


# ---- decisions, on runs whose losses are made up


@dataclass
class MadeUp:
    """Stands in for `fit_all`: each trial's losses are given, and it remembers how far each got, as a folder would.

    Attributes:
        losses: by trial, [epochs, 2]: train_loss and val_loss of each epoch of the trial's whole run; it stops where
            they end.
        reached: by trial, epochs trained.
        trained: by trial and epoch, how often.
        stop_at: raise when so many epochs have been trained in all.
    """

    losses: Mapping[str, np.ndarray]
    reached: dict[str, int] = field(default_factory=dict)
    trained: Counter = field(default_factory=Counter)
    stop_at: int | None = None

    def fit_all(self, trials, data, *, checkpoints, on_epoch, until, source) -> list[Any]:
        assert source is None
        del data, checkpoints
        runs = []
        for index, trial in enumerate(trials):
            losses, name = self.losses[trial.name], trial.name
            while self.reached.get(name, 0) < min(until, len(losses)):
                self.reached[name] = self.reached.get(name, 0) + 1
                self.trained[name, self.reached[name]] += 1
                on_epoch(index, self._history(name))
                if self.trained.total() == self.stop_at:
                    raise KeyboardInterrupt
            runs.append(SimpleNamespace(history=self._history(name), config=trial.config, name=name))
        return runs

    def _history(self, name: str) -> tuple[EpochRecord, ...]:
        rows = self.losses[name][: self.reached[name]]
        return tuple(EpochRecord(epoch, train, 0.5, val, 0.5, 1e-3, 1.0) for epoch, (train, val) in enumerate(rows, 1))

    def search(self, trials: Sequence[Trial], brackets: Sequence[Bracket]) -> tuple[list[Any], list[Any]]:
        """The runs, and what was told of each rung."""
        rungs: list[tuple[Rung, int]] = []
        with mock.patch.object(search, "train_all", self.fit_all):
            runs = train_by_halving(
                trials, DATA, brackets, checkpoints=lambda _: Path(), on_rung=lambda *told: rungs.append(told)
            )
        return runs, rungs


def reference(trials: Sequence[Trial], losses: Mapping[str, np.ndarray], brackets: Sequence[Bracket], keep: str):
    """From the definition, on whole runs: the epochs of each trial, and the candidates of each rung in order."""
    reached: dict[str, int] = defaultdict(int)
    taken = []
    for candidates, rungs in brackets:
        left = list(candidates)
        for count, epochs in rungs:
            left = left[:count]
            taken.append(left)
            means = {}
            for candidate in left:
                names = [trial.name for trial in trials if trial.candidate == candidate]
                for name in names:
                    reached[name] = max(reached[name], min(epochs, len(losses[name])))
                seen = [losses[name][:epochs] for name in names]
                finished = [rows for rows in seen if np.isfinite(rows).all()]
                scores = [rows[-1, 1] if keep == "last" else rows[:, 1].min() for rows in finished]
                means[candidate] = (len(seen) - len(finished), np.mean(scores) if scores else np.inf)
            left = sorted(left, key=lambda candidate: means[candidate])
    return dict(reached), taken


def member_of(config: Config, l2: float, seed: int) -> Trial:
    return Trial(replace(config, regularize=Regularize(l2=l2)), seed, {"regularize.l2": l2})


@st.composite
def searches(draw) -> tuple[list[Trial], dict[str, np.ndarray], list[Bracket], str]:
    """Trials, their losses, brackets and which weights are kept; candidates of several brackets, runs that stop early,
    equal losses, and divergence among them."""
    epochs, seeds = draw(st.integers(1, 27)), draw(st.integers(1, 3))
    keep = draw(st.sampled_from(["best", "last"]))
    count = draw(st.integers(1, 30))
    config = replace(SMALL, train=replace(SMALL.train, epochs=epochs, keep=keep))
    trials = [member_of(config, float(candidate), seed) for candidate in range(count) for seed in range(seeds)]
    names = list(dict.fromkeys(trial.candidate for trial in trials))
    if draw(st.booleans()):
        brackets = [Bracket(tuple(names), successive_halving(count, epochs))]
    else:
        rng = np.random.default_rng(draw(st.integers(0, 99)))
        chosen = [rng.permutation(names)[: rungs[0].candidates].tolist() for rungs in hyperband(epochs)]
        brackets = [Bracket(tuple(of), rungs) for of, rungs in zip(chosen, hyperband(epochs), strict=True)]
        inside = {name for of in chosen for name in of}
        trials = [trial for trial in trials if trial.candidate in inside]
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    losses = {}
    for trial in trials:
        length = draw(st.sampled_from([epochs, epochs, int(rng.integers(1, epochs + 1))]))
        rows = rng.integers(1, 9, (length, 2)) / 8  # few values: ties
        if rng.random() < 0.2:
            rows = rows[
                : rng.integers(1, length + 1)
            ]  # often early, so that all candidates of a rung may have lost a run
            rows[-1, rng.integers(2)] = rng.choice([np.nan, np.inf])  # a diverged run is over
        losses[trial.name] = rows
    return trials, losses, brackets, keep


@settings(max_examples=200)
@given(searches(), st.floats(0, 1))
def test_the_points_that_go_on_are_those_with_the_lowest_mean_loss_interrupted_or_not(found, share: float) -> None:
    trials, losses, brackets, keep = found
    reached, taken = reference(trials, losses, brackets, keep)
    whole = MadeUp(losses)
    runs, rungs = whole.search(trials, brackets)
    assert whole.reached == reached
    assert rungs == [
        (rung, len(candidates))
        for rung, candidates in zip((rung for of in brackets for rung in of.rungs), taken, strict=True)
    ]
    assert [(run.name, len(run.history)) for run in runs] == [(trial.name, reached[trial.name]) for trial in trials]
    assert set(whole.trained.values()) == {1}
    assert whole.trained.total() <= epochs_of(brackets, trials)

    stopped = MadeUp(losses, stop_at=math.ceil(share * whole.trained.total()) or 1)
    with pytest.raises(KeyboardInterrupt):
        stopped.search(trials, brackets)
    again, rungs_again = stopped.search(trials, brackets)
    assert repr(list(map(vars, again))) == repr(list(map(vars, runs)))
    assert (stopped.reached, stopped.trained, rungs_again) == (reached, whole.trained, rungs)


def test_the_points_with_the_fewest_diverged_runs_go_on_whatever_their_losses() -> None:
    """Three candidates of three seeds, then one: a lower loss never makes up for a lost seed, even one lost late."""
    config = replace(SMALL, train=replace(SMALL.train, epochs=9))
    rates = (0.1, 0.2, 0.3)
    trials = [
        Trial(replace(config, regularize=replace(config.regularize, l2=rate)), seed, {"regularize.l2": rate})
        for rate in rates
        for seed in range(3)
    ]
    brackets = [Bracket(tuple(dict.fromkeys(trial.candidate for trial in trials)), (Rung(3, 3), Rung(1, 9)))]

    def losses(level: float, lost: int) -> list[np.ndarray]:
        """Of one candidate: [epochs, 2] of each seed, the last ones of which diverge at epoch 2."""
        return [np.full((9, 2), level)] * (3 - lost) + [np.asarray([(level, level), (level, np.nan)])] * lost

    for lost, best in (((0, 1, 1), 0), ((1, 0, 2), 1), ((2, 3, 1), 2), ((1, 1, 1), 2), ((3, 2, 2), 2)):
        found = itertools.chain.from_iterable(map(losses, (0.9, 0.5, 0.1), lost))
        made_up = MadeUp(dict(zip((trial.name for trial in trials), found, strict=True)))
        made_up.search(trials, brackets)
        went_on = {trial.candidate for trial in trials if made_up.reached[trial.name] > 3}
        assert went_on == ({brackets[0].candidates[best]}), lost


@given(st.integers(1, 40), st.integers(1, 30), st.integers(1, 3))
def test_the_epochs_that_are_foretold_are_those_of_runs_that_never_stop_early(
    epochs: int, most: int, seeds: int
) -> None:
    config = replace(SMALL, train=replace(SMALL.train, epochs=epochs))
    names = map("regularize.l2={}.0".format, itertools.count())
    brackets = [
        Bracket(tuple(itertools.islice(names, min(rungs[0].candidates, most))), rungs) for rungs in hyperband(epochs)
    ]
    candidates = [float(name.partition("=")[2]) for bracket in brackets for name in bracket.candidates]
    trials = [member_of(config, candidate, seed) for candidate in candidates for seed in range(seeds)]
    made_up = MadeUp({trial.name: np.ones((epochs, 2)) for trial in trials})
    made_up.search(trials, brackets)
    assert epochs_of(brackets, trials) == made_up.trained.total()


# ---- real runs


def same(one: Run, other: Run) -> bool:
    """But for the seconds: figures by epoch, kept weights, what they tell of the test images."""
    histories = [repr([record[:-1] for record in run.history]) for run in (one, other)]
    leaves = zip(*(jax.tree.leaves((run.params, run.batch_stats)) for run in (one, other)), strict=True)
    figures = [
        repr((run.best_epoch, run.val_loss, run.test_loss, run.test_accuracy, run.diverged)) for run in (one, other)
    ]
    return histories[0] == histories[1] and figures[0] == figures[1] and all(np.array_equal(a, b) for a, b in leaves)


RATES = (1e38, 1e-30, 1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)  # the second moves no weight: stops after 4 epochs
MEMBERS = [
    Trial(replace(NINE, optim=replace(NINE.optim, learning_rate=rate)), seed, {"optim.learning_rate": rate})
    for rate in RATES
    for seed in (0, 1)
]
CHOSEN = (RATES, (1e-4, 1e-3, 1e38, 1e-2, 3e-3), (1e-30, 3e-2, 3e-1))
BRACKETS = [
    Bracket(tuple(f"optim.learning_rate={rate}" for rate in rates), rungs)
    for rates, rungs in zip(CHOSEN, hyperband(9), strict=True)
]


@dataclass
class Heard:
    """What a search told."""

    histories: dict[int, list[list[EpochRecord]]] = field(default_factory=lambda: defaultdict(list))
    rungs: list[tuple[Rung, int]] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)

    def on_epoch(self, index: int, history: Sequence[EpochRecord]) -> None:
        assert not self.ended
        self.histories[index].append(list(history))

    def on_end(self, index: int, run: Run) -> None:
        self.ended.append(index)

    def on_rung(self, rung: Rung, candidates: int) -> None:
        self.rungs.append((rung, candidates))


@pytest.fixture(scope="module")
def alone() -> list[Run]:
    """Every trial to the end of its run."""
    return [fit(trial.config, DATA, trial.seed) for trial in MEMBERS]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[list[Run], Heard]:
    """Hyperband of 9 epochs, without a folder for its checkpoints."""
    heard, folder = Heard(), tmp_path_factory.mktemp("temporary")
    with mock.patch.object(tempfile, "tempdir", str(folder)):
        runs = fit_by_halving(
            MEMBERS, DATA, BRACKETS, on_epoch=heard.on_epoch, on_end=heard.on_end, on_rung=heard.on_rung
        )
    assert not list(folder.iterdir())
    return runs, heard


def decided(alone: Sequence[Run]) -> tuple[dict[str, int], list[list[str]]]:
    losses = {
        trial.name: np.asarray([(record.train_loss, record.val_loss) for record in run.history])
        for trial, run in zip(MEMBERS, alone, strict=True)
    }
    return reference(MEMBERS, losses, BRACKETS, "best")


def test_a_searchs_runs_are_the_runs_alone_as_far_as_their_points_get(alone, whole) -> None:
    reached, _ = decided(alone)
    lengths = [reached[trial.name] for trial in MEMBERS]
    assert len(set(lengths)) >= 4  # dropped at 1 and at 3, stopped early, whole
    assert [run.diverged for run in alone] == [trial.config.optim.learning_rate == 1e38 for trial in MEMBERS]
    runs, heard = whole
    assert heard.ended == list(range(len(MEMBERS)))
    for trial, run, trained_whole, epochs in zip(MEMBERS, runs, alone, lengths, strict=True):
        assert len(run.history) == epochs
        expected = trained_whole
        if epochs < len(trained_whole.history):
            expected = fit(trial.config, DATA, trial.seed, until=epochs)
        assert same(run, expected), trial.name


def test_a_point_of_several_brackets_is_trained_once(alone, whole) -> None:
    _, taken = decided(alone)
    runs, heard = whole
    assert [candidates for _, candidates in heard.rungs] == list(map(len, taken)) == [9, 3, 1, 5, 1, 3]
    for index, histories in heard.histories.items():
        for before, after in itertools.pairwise([[], *histories]):
            assert repr(after[: len(before)]) == repr(before)  # with its seconds: it was not trained anew
        assert repr(tuple(histories[-1])) == repr(runs[index].history)


@pytest.mark.slow
@pytest.mark.parametrize("bracket", [0, 1])
def test_a_search_that_is_stopped_in_a_later_rung_decides_the_same_and_ends_in_the_same_runs(
    alone, whole, tmp_path, bracket
) -> None:
    class Stop(Exception):
        pass

    _, taken = decided(alone)
    (finalist,) = (taken[2], taken[4])[bracket]
    index = next(index for index, trial in enumerate(MEMBERS) if trial.candidate == finalist)
    heard = Heard()

    def stop_in_the_last_rung(of: int, history: Sequence[EpochRecord]) -> None:
        if of == index and len(history) == 5:
            raise Stop

    def folder(trial: Trial) -> Path:
        return tmp_path / trial.name

    with pytest.raises(Stop):
        fit_by_halving(MEMBERS, DATA, BRACKETS, checkpoints=folder, on_epoch=stop_in_the_last_rung)
    runs = fit_by_halving(
        MEMBERS, DATA, BRACKETS, checkpoints=folder, on_epoch=heard.on_epoch, on_end=heard.on_end, on_rung=heard.on_rung
    )
    assert len(heard.histories[index][0]) == 5
    assert heard.rungs == whole[1].rungs
    assert heard.ended == whole[1].ended
    assert all(map(same, runs, whole[0]))
