"""Trials trained together are the runs alone but for rounding, however the study is divided, stopped or continued."""

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from shutil import rmtree
from typing import Any, NamedTuple
from unittest import mock

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_data import SMALL, lean_compilation, small_arrays

from jaxdeep.config import Config, Regularize, Schedule
from jaxdeep.config.config import TRACED
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.folds import stratified_folds
from jaxdeep.errors import UserError
from jaxdeep.study import batched, batched_memory
from jaxdeep.study.batched import fit_batched
from jaxdeep.study.batched_memory import BatchedPrograms, planned_bytes, sizes_of, sizes_that_fit
from jaxdeep.study.trial import Trial
from jaxdeep.train import memory
from jaxdeep.train.fit import Run, fit
from jaxdeep.train.history import EpochRecord
from jaxdeep.train.programs import ProgramSpec, compiled, spec_of

pytestmark = pytest.mark.filterwarnings("ignore:.* diverged:jaxdeep.errors.JaxdeepWarning")
"""One of the runs diverges on purpose."""

BASE = replace(
    SMALL,
    model=replace(SMALL.model, use_bias=False, batch_norm=True, dropout_sites="after_hidden", dropout_rate=0.1),
    schedule=Schedule("plateau", factor=0.5, patience_epochs=1),
    regularize=Regularize(l1=1e-5, l2=1e-5, max_norm=2.0),
    train=replace(SMALL.train, epochs=9, patience=2),
)
VALUES = {
    "optim.learning_rate": 1e-2,
    "optim.beta_1": 0.5,
    "model.dropout_rate": 0.4,
    "regularize.l1": 0.1,
    "regularize.l2": 0.1,
    "regularize.max_norm": 0.5,
    "schedule.factor": 0.1,
}
ROUNDING = 5e-7
"""Of 1 + |x|; found: 1.7e-7. Biases before batch normalisation would drift apart: their gradients are noise."""
WILD = 1
EPOCHS = [6, 1, 3, 5, 6, 9, 9, 7, 5]
"""Of the study's trials: early stopping sees to it."""


def varied(config: Config, name: str, value: float) -> Config:
    part, _, name = name.partition(".")
    return replace(config, **{part: replace(getattr(config, part), **{name: value})})


def soon_overfitted() -> Dataset:
    """Half of the validation labels say nothing."""
    images, labels = small_arrays(200)
    labels[:25] = np.random.default_rng(5).permutation(labels[:25])
    return Dataset.from_arrays(images, labels, *small_arrays(60, seed=1), data=SMALL.data)


DATA = soon_overfitted()


class Task(NamedTuple):
    """What one trial is trained on, and where it is kept: the arguments of `fit`."""

    config: Config
    data: Dataset
    seed: int
    checkpoints: Path | None = None


def fit_tasks(tasks: Sequence[Task], **options: Any) -> list[Run]:
    trials = [Trial(task.config, task.seed) for task in tasks]
    return fit_batched(trials, [task.data for task in tasks], [task.checkpoints for task in tasks], **options)


def spec_of_tasks(tasks: Sequence[Task]) -> ProgramSpec:
    return spec_of(tasks[0].config, [task.data for task in tasks])


def study(folder: Path | None = None) -> list[Task]:
    """Trials that differ in every traced number and in the seed, one of which diverges."""
    elsewhere = {"transfer.rate_factor", "regularize.label_smoothing"}  # test_transfer and test_row_weights vary them
    assert {*VALUES} | elsewhere == set(TRACED)
    configs = [BASE, varied(BASE, "optim.learning_rate", 1e38), *(varied(BASE, *item) for item in VALUES.items())]
    seeds = [3] * 8 + [4]
    return [
        Task(config, DATA, seed, folder and folder / str(index))
        for index, (config, seed) in enumerate(zip(configs, seeds, strict=True))
    ]


@dataclass
class Story:
    """What was heard of a study, and which programs it asked for."""

    runs: list[Run] = field(default_factory=list)
    epochs: dict[int, list[int]] = field(default_factory=dict)
    ends: list[int] = field(default_factory=list)
    programs: list[tuple[str, int]] = field(default_factory=list)

    def sizes(self, name: str) -> list[int]:
        return [size for program, size in self.programs if program == name]


def story_of(
    tasks: Sequence[Task], stop_at: tuple[int, int] | None = None, fail_at: int | None = None, **options: Any
) -> Story:
    """Train a study; stop it at a trial's epoch, or let its nth epoch fail for all."""
    story = Story()

    def asked(names: tuple[str, ...], spec: ProgramSpec, size: int) -> Any:
        story.programs += [(name, size) for name in names]
        if fail_at is not None and len(story.sizes("epoch")) == fail_at:
            raise MemoryError
        return compiled(names, spec, size)

    def on_epoch(index: int, history: Sequence[EpochRecord]) -> None:
        assert [record.epoch for record in history] == [*range(1, len(history) + 1)]
        story.epochs.setdefault(index, []).append(len(history))
        if (index, len(history)) == stop_at:
            raise InterruptedError

    def on_end(index: int, run: Run) -> None:
        assert (run.config, run.seed) == (tasks[index].config, tasks[index].seed)
        story.ends.append(index)

    ends = nullcontext() if stop_at is fail_at is None else pytest.raises((InterruptedError, MemoryError))
    with mock.patch.object(batched_memory, "compiled", asked), ends:
        story.runs = fit_tasks(tasks, on_epoch=on_epoch, on_end=on_end, **options)
    return story


def assert_alike(runs: Sequence[Run], others: Sequence[Run]) -> None:
    """All but the seconds; the numbers to the rounding of float32."""
    for one, other in zip(runs, others, strict=True):
        assert (one.config, one.seed, id(one.data)) == (other.config, other.seed, id(other.data))
        assert_same_figures(figures(one), figures(other))


def figures(run: Run) -> dict[str, Any]:
    return {
        "counts": (run.best_epoch, run.diverged, len(run.history)),
        "hits": (run.val_correct, run.test_correct),
        "history": np.asarray([record[:-1] for record in run.history]),
        "kept": np.asarray([run.val_loss, run.val_accuracy, run.test_loss, run.test_accuracy]),
        "weights": [np.asarray(leaf) for leaf in jax.tree.leaves((run.params, run.batch_stats))],
    }


def assert_same_figures(one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    assert one["counts"] == other["counts"]
    for left, right in zip(one["hits"], other["hits"], strict=True):
        np.testing.assert_array_equal(left, right)
    for name in ("history", "kept", "weights"):
        for left, right in zip(one[name], other[name], strict=True):
            np.testing.assert_allclose(left, right, rtol=ROUNDING, atol=ROUNDING)


@pytest.fixture(scope="module", autouse=True)
def lean() -> Iterator[None]:
    with lean_compilation():
        yield


@pytest.fixture(scope="module")
def alone(lean: None) -> list[Run]:
    return [fit(*task[:3]) for task in study()]


@pytest.fixture(scope="module")
def whole(lean: None) -> Story:
    return story_of(study())


def bytes_of(tasks: Sequence[Task], size: int) -> int:
    """What so many trials are planned to need."""
    return planned_bytes(BatchedPrograms(spec_of_tasks(tasks)), size)


def test_every_member_is_the_run_alone_but_for_rounding(whole: Story, alone: list[Run]) -> None:
    assert_alike(whole.runs, alone)
    assert [len(run.history) for run in whole.runs] == EPOCHS
    assert [run.diverged for run in whole.runs] == [index == WILD for index in range(9)]
    losses = [run.val_loss for run in whole.runs if not run.diverged]
    assert len(set(losses)) == len(losses)


def test_members_that_are_over_are_left_out_as_soon_as_a_smaller_program_does(whole: Story) -> None:
    going = [sum(epochs > epoch for epochs in EPOCHS) for epoch in range(9)]
    assert going == [9, 8, 8, 7, 7, 5, 3, 2, 2]
    assert whole.sizes("epoch") == [9, 9, 9, 9, 9, 9, 4, 2, 2]


@pytest.mark.parametrize(("trials_at_once", "chunks", "compactions"), [(9, 1, 2), (4, 3, 4)])
def test_chunks_compactions_and_transfers_are_counted(trials_at_once: int, chunks: int, compactions: int) -> None:
    """An epoch reads its figures and who has ended, each in one piece. All that end together go to the host at once."""
    tasks, counts = study(), dict.fromkeys(("_Chunk", "on_host", "_seat", "device_get"), 0)
    memory = bytes_of(tasks, trials_at_once)

    def counted(owner: Any, name: str) -> Any:
        function = getattr(owner, name)

        def call(*arguments: Any, **named: Any) -> Any:
            counts[name] += 1
            return function(*arguments, **named)

        return mock.patch.object(owner, name, call)

    with (
        counted(batched._Chunk, "_seat"),
        counted(batched, "on_host"),
        counted(batched, "_Chunk"),
        counted(jax, "device_get"),
    ):
        fit_tasks(tasks, memory=memory)
    of_chunks = [EPOCHS[begin : begin + trials_at_once] for begin in range(0, 9, trials_at_once)]
    ends = sum(len(set(epochs)) for epochs in of_chunks)
    assert counts["_Chunk"] == chunks == len(of_chunks)
    assert counts["_seat"] == 2 * chunks + compactions
    assert counts["on_host"] == ends
    # a chunk also reads who has ended before it begins, its best weights and their evaluations
    assert counts["device_get"] == 2 * sum(map(max, of_chunks)) + ends + 3 * chunks


@pytest.mark.parametrize(("less", "tried"), [(0, [9, 4]), (1, [9, 4, 2])])
def test_members_that_do_not_fit_are_trained_in_turns(alone: list[Run], less: int, tried: list[int]) -> None:
    tasks = study()
    story = story_of(tasks, memory=bytes_of(tasks, 4) - less)
    assert story.sizes("epoch")[: len(tried)] == tried
    assert max(story.sizes("epoch")[len(tried) :]) == tried[-1]
    assert story.sizes("start") == story.sizes("evaluate")[1:] == [tried[-1]] * -(-9 // tried[-1])
    assert story.sizes("evaluate")[0] == tried[-1]  # when it was planned
    assert_alike(story.runs, alone)
    assert story.epochs == {index: [*range(1, epochs + 1)] for index, epochs in enumerate(EPOCHS)}
    assert sorted(story.ends) == [*range(9)]
    seconds = sum(compiled((name,), spec_of_tasks(tasks), size).compile_seconds for name, size in {*story.programs})
    assert story.runs[-1].compile_seconds == pytest.approx(seconds)


def test_what_does_not_fit_alone_is_refused_in_words() -> None:
    with pytest.raises(UserError, match=r"training takes [\d.]+ KiB of memory, and there are 1.0 KiB"):
        fit_tasks(study(), memory=1024)


@pytest.mark.parametrize("size", [9, 4])
def test_the_arrays_on_the_device_are_never_more_than_was_planned(tmp_path: Path, size: int) -> None:
    tasks, live = study(tmp_path), []
    planned = bytes_of(tasks, size)
    shared = sum(leaf.nbytes for leaf in jax.tree.leaves(DATA))
    # what other tests hold, the data set left out, which the plan counts too
    others = sum(array.nbytes for array in jax.live_arrays()) - shared
    write = batched._Chunk._write

    def look(*_: Any) -> None:
        live.append(sum(array.nbytes for array in jax.live_arrays()) - others)

    def look_and_write(*arguments: Any) -> None:
        look()
        write(*arguments)

    def compiled_and_seen(*arguments: Any) -> Any:
        look()
        return compiled(*arguments)

    with (
        mock.patch.object(batched, "SECONDS_BETWEEN_CHECKPOINTS", 0.0),
        mock.patch.object(batched._Chunk, "_write", look_and_write),
        mock.patch.object(batched_memory, "compiled", compiled_and_seen),
    ):
        fit_tasks(tasks, on_epoch=look, on_end=look, memory=planned)
    assert len(live) > 50
    assert shared < max(live) <= planned


def test_what_is_in_use_already_is_not_planned_with() -> None:
    tasks = study()
    shared = BatchedPrograms(spec_of_tasks(tasks)).shared_bytes
    needed = bytes_of(tasks, 4)
    for in_use, expected in ((shared, 4), (shared + 1, 2)):
        stats = {"bytes_limit": int(needed / 0.9) + 1, "bytes_in_use": in_use}
        with mock.patch.object(memory, "_stats", lambda stats=stats: stats):
            assert sizes_that_fit(BatchedPrograms(spec_of_tasks(tasks)), 9, None)[0] == expected


def test_a_study_that_is_stopped_goes_on_where_each_member_was(tmp_path: Path, alone: list[Run]) -> None:
    without, lost = 6, 7
    tasks = study(tmp_path)
    tasks[without] = tasks[without]._replace(checkpoints=None)
    stopped = story_of(tasks, stop_at=(3, 5))
    assert stopped.epochs[3] == [1, 2, 3, 4, 5]
    assert not stopped.ends
    rmtree(tmp_path / str(lost))
    story = story_of(tasks)
    begins = {index: 1 if index in (without, lost) else min(5, epochs) for index, epochs in enumerate(EPOCHS)}
    assert story.epochs == {index: [*range(begins[index], epochs + 1)] for index, epochs in enumerate(EPOCHS)}
    assert sorted(story.ends) == [*range(9)]
    assert_alike(story.runs, alone)


def test_a_member_goes_on_together_with_others_or_alone(tmp_path: Path, alone: list[Run]) -> None:
    tasks = study(tmp_path)
    for index in (4, 7):
        fit(*tasks[index][:3], checkpoints=tasks[index].checkpoints, until=2)
    paused = story_of(tasks, until=4)
    begins = {index: 2 if index in (4, 7) else 1 for index in range(9)}
    assert paused.epochs == {index: [*range(begins[index], min(4, epochs) + 1)] for index, epochs in enumerate(EPOCHS)}
    assert_alike(paused.runs, [fit(*task[:3], until=4) for task in tasks])

    for index in (0, 7):
        heard: list[int] = []
        *run, folder = tasks[index]
        continued = fit(*run, checkpoints=folder, on_epoch=lambda history, heard=heard: heard.append(len(history)))
        assert heard == [*range(4, EPOCHS[index] + 1)]
        assert_alike([continued], [alone[index]])
    story = story_of(tasks)
    begins = {index: epochs if index in (0, 7) else min(4, epochs) for index, epochs in enumerate(EPOCHS)}
    assert story.epochs == {index: [*range(begins[index], epochs + 1)] for index, epochs in enumerate(EPOCHS)}
    assert_alike(story.runs, alone)


def test_checkpoints_are_kept_while_a_study_goes_on(tmp_path: Path, alone: list[Run]) -> None:
    tasks = study(tmp_path)
    with mock.patch.object(batched, "SECONDS_BETWEEN_CHECKPOINTS", 0.0):
        story_of(tasks, fail_at=2)
    story = story_of(tasks)
    assert story.sizes("epoch") == [9, 9, 9, 9, 9, 4, 2, 2]  # from the second on
    assert story.epochs == {index: [*range(1, epochs + 1)] for index, epochs in enumerate(EPOCHS)}
    assert_alike(story.runs, alone)
    again = story_of(tasks)
    assert again.epochs == {index: [epochs] for index, epochs in enumerate(EPOCHS)}
    assert not again.sizes("epoch")


@pytest.fixture(scope="module")
def folds() -> list[Task]:
    """Two seeds on each of two folds."""
    config = replace(SMALL, train=replace(SMALL.train, epochs=2))
    return [Task(config, fold, seed) for fold in stratified_folds(DATA, config.data, 2) for seed in (1, 2)]


@pytest.fixture(scope="module")
def folds_alone(lean: None, folds: list[Task]) -> list[Run]:
    return [fit(*task[:3]) for task in folds]


def test_members_on_folds_share_the_images_and_the_programs(folds: list[Task], folds_alone: list[Run]) -> None:
    leaves, _ = jax.tree.flatten_with_path(folds[0].data)
    names = (jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in leaves)
    own = {name for name, is_own in zip(names, spec_of_tasks(folds).is_own, strict=True) if is_own}
    assert own == {"train.rows", "valid.rows", "mean", "scale"}
    before = compiled.cache_info().misses
    whole = story_of(folds)
    assert_alike(whole.runs, folds_alone)
    turns = story_of(folds, memory=bytes_of(folds, 2))  # a fold at a time
    assert turns.sizes("start") == [2, 2]
    assert_alike(turns.runs, folds_alone)
    assert compiled.cache_info().misses - before == len({*whole.programs, *turns.programs})


def test_members_of_other_programs_are_trained_after_each_other(
    alone: list[Run], folds: list[Task], folds_alone: list[Run]
) -> None:
    one, two = study()[5:7]
    story = story_of([one, *folds[:3], two, folds[3]])
    assert_alike(story.runs, [alone[5], *folds_alone[:3], alone[6], folds_alone[3]])
    assert story.sizes("epoch") == [2] * 9 + [4] * 2
    assert sorted(story.ends) == [*range(6)]


def test_checkpoints_of_another_run_are_refused(tmp_path: Path) -> None:
    tasks = study(tmp_path)
    fit(*tasks[WILD][:3], checkpoints=tasks[2].checkpoints)
    with pytest.raises(UserError, match="holds another run"):
        fit_tasks(tasks)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (replace(SMALL, train=replace(SMALL.train, dtype="float64")), "jax_enable_x64"),
        (replace(SMALL, schedule=Schedule("cosine", total_steps=7)), "total_steps"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_compiled(config: Config, message: str) -> None:
    never = mock.patch.object(batched_memory, "compiled", side_effect=AssertionError)
    with never, pytest.raises(UserError, match=message):
        fit_tasks([*study(), Task(config, DATA, 1)])


@given(st.integers(1, 5_000), st.integers(1, 64))
def test_the_sizes_fall_by_halves_from_all_members_to_one_a_device(trials: int, devices: int) -> None:
    sizes = sizes_of(trials, devices)
    assert trials <= sizes[0] < trials + devices
    assert sizes[-1] == devices
    assert len(sizes) <= 1 + np.log2(-(-trials // devices))
    for size, smaller in pairwise([*sizes, 0]):
        assert size % devices == 0
        assert size // devices <= 2 * (smaller // devices) + 1


TOLD = [WILD, 3, 4, 5, 6]
"""The trials of the study on two devices."""


def epoch_of(tasks: Sequence[Task], size: int) -> Any:
    """The compiled program of an epoch of so many trials."""
    return compiled(("epoch",), spec_of_tasks(tasks), size).calls["epoch"]


def tell(folder: Path) -> None:
    """In a process of its own: stop a study, continue it, and write down what became of it."""
    tasks = [study(folder)[index] for index in TOLD]
    with lean_compilation():
        stopped = story_of(tasks, stop_at=(1, 5))
        story = story_of(tasks)
        told = {
            "figures": [figures(run) for run in story.runs],
            "epochs": story.epochs,
            "sizes": stopped.sizes("epoch") + story.sizes("epoch"),
            "programs": {size: epoch_of(tasks, size).as_text() for size in (6, 2)},
            "predicted": story.runs[-1].predict(np.asarray(DATA.test.images)),
        }
    (folder / "told").write_bytes(pickle.dumps(told))


@pytest.mark.slow
def test_devices_divide_the_members_and_do_not_communicate(tmp_path: Path, alone: list[Run]) -> None:
    script = (
        "import sys, jax, pathlib; jax.config.update('jax_num_cpu_devices', 2);"
        "import test_batched; test_batched.tell(pathlib.Path(sys.argv[1]))"
    )
    # on few cores, two devices can wait for each other for ever where XLA has a thread for each core only
    environment = {**os.environ, "NPROC": "32"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, str(tmp_path)],
        cwd=Path(__file__).parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = pickle.loads((tmp_path / "told").read_bytes())
    expected = [alone[index] for index in TOLD]
    assert told["epochs"] == {
        index: [*range(min(5, len(run.history)), len(run.history) + 1)] for index, run in enumerate(expected)
    }
    assert told["sizes"] == [6, 6, 6, 6, 6, 6, 2, 2, 2]
    for found, run in zip(told["figures"], expected, strict=True):
        assert_same_figures(found, figures(run))
    probabilities = expected[-1].predict(np.asarray(DATA.test.images))
    np.testing.assert_allclose(told["predicted"], probabilities, rtol=3e-6)  # found: 7e-7
    for size, text in told["programs"].items():
        assert "num_partitions=2" in text
        assert f"u32[{size // 2},2]" in text  # the keys of a device's share
        for collective in ("all-reduce", "all-gather", "all-to-all", "collective-permute", "reduce-scatter"):
            assert collective not in text


def test_rates_of_layers_are_trained_side_by_side_each_trial_with_its_own() -> None:
    rates = [(0.0, 0.1, 0.0, 0.3), (0.0, 0.3, 0.0, 0.1)]
    configs = [replace(BASE, model=replace(SMALL.model, dropout_rate=each)) for each in rates]
    tasks = [Task(config, DATA, 3) for config in configs]
    story = story_of(tasks)
    assert story.sizes("epoch")[0] == 2
    assert_alike(story.runs, [fit(*task[:3]) for task in tasks])
    assert story.runs[0].history[0].train_loss != story.runs[1].history[0].train_loss
