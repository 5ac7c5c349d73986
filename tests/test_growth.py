"""A study grows by seeds, values and samples: only what is new is trained, and the result is that of a fresh study."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from small_data import SMALL, lean_compilation, small_dataset

from jaxdeep.cli.grid import parse_space
from jaxdeep.config import Config, identity
from jaxdeep.errors import UserError
from jaxdeep.run.study import run_design
from jaxdeep.run.training import Title
from jaxdeep.run.uncertainty import UncertaintyRequest
from jaxdeep.run.watch import Training, Watcher
from jaxdeep.study.design import Design
from jaxdeep.study.growth import Relation, relation
from jaxdeep.study.result import StudyResult
from jaxdeep.study.stored import UNCERTAINTY_PICTURES, read_study
from jaxdeep.train.history import EpochRecord

RATE = "optim.learning_rate"
CONFIG = replace(SMALL, train=replace(SMALL.train, epochs=2))
TIMES = ("seconds", "checkpoint_seconds", "wall_seconds", "compile_seconds", "files")


@pytest.fixture(scope="module", autouse=True)
def lean() -> Iterator[None]:
    with lean_compilation():
        yield


# ---- which studies grow


def study(epochs: int = 5, kind: str = "constant", **more: Any) -> dict[str, Any]:
    """What a folder says of a study of one seed."""
    config = replace(SMALL, train=replace(SMALL.train, epochs=epochs)).to_dict()
    config["schedule"] |= {"kind": kind}
    return {"experiment": "e", "name": "n", "config": config, "seeds": [1], "data": {"digest": "0"}, **more}


def grid(*rates: float) -> dict[str, list[float]]:
    return {RATE: list(rates)}


SPACE = {RATE: "0.1:0.2"}
SAME, LONGER, GROWN, SMALLER, OTHER = Relation
CASES: dict[str, tuple[Mapping[str, Any], Mapping[str, Any], Relation]] = {
    "the same": ({}, {}, SAME),
    "more seeds": ({}, {"seeds": [1, 2]}, GROWN),
    "more seeds from another first one": ({}, {"seeds": [0, 1]}, GROWN),
    "fewer seeds": ({"seeds": [1, 2]}, {}, SMALLER),
    "other seeds": ({"seeds": [1, 2]}, {"seeds": [2, 3]}, OTHER),
    "seeds in another order": ({"seeds": [1, 2]}, {"seeds": [2, 1]}, SMALLER),
    "more values": ({"grid": grid(0.1)}, {"grid": grid(0.2, 0.1)}, GROWN),
    "fewer values": ({"grid": grid(0.1, 0.2)}, {"grid": grid(0.1)}, SMALLER),
    "the same values in another order": ({"grid": grid(0.1, 0.2)}, {"grid": grid(0.2, 0.1)}, SMALLER),
    "other values": ({"grid": grid(0.1, 0.2)}, {"grid": grid(0.1, 0.3)}, OTHER),
    "more values and seeds": ({"grid": grid(0.1)}, {"grid": grid(0.1, 0.2), "seeds": [1, 2]}, GROWN),
    "more values and fewer seeds": ({"grid": grid(0.1), "seeds": [1, 2]}, {"grid": grid(0.1, 0.2)}, OTHER),
    "a grid and none": ({}, {"grid": grid(0.1)}, OTHER),
    "none and a grid": ({"grid": grid(0.1)}, {}, OTHER),
    "a field more": ({"grid": grid(0.1)}, {"grid": {**grid(0.1), "optim.beta_1": [0.5]}}, OTHER),
    "more samples": ({"space": SPACE, "samples": 2}, {"space": SPACE, "samples": 3}, GROWN),
    "fewer samples": ({"space": SPACE, "samples": 3}, {"space": SPACE, "samples": 2}, SMALLER),
    "another space": ({"space": SPACE, "samples": 2}, {"space": {RATE: "0.1:0.3"}, "samples": 3}, OTHER),
    "samples and more seeds": (
        {"space": SPACE, "samples": 2},
        {"space": SPACE, "samples": 2, "seeds": [1, 2]},
        GROWN,
    ),
    "samples by another first seed": (
        {"space": SPACE, "samples": 2},
        {"space": SPACE, "samples": 2, "seeds": [0, 1]},
        OTHER,
    ),
    "samples of a larger grid": (
        {"space": SPACE, "samples": 2, "grid": {"optim.beta_1": [0.5]}},
        {"space": SPACE, "samples": 2, "grid": {"optim.beta_1": [0.5, 0.9]}},
        OTHER,
    ),
    "folds and more seeds": ({"folds": 3}, {"folds": 3, "seeds": [1, 2]}, GROWN),
    "folds by another first seed": ({"folds": 3}, {"folds": 3, "seeds": [0, 1]}, OTHER),
    "more folds": ({"folds": 3}, {"folds": 4}, OTHER),
    "folds and none": ({"folds": 3}, {}, OTHER),
    "halving": (
        {"grid": grid(0.1), "halving": "successive"},
        {"grid": grid(0.1), "halving": "successive"},
        SAME,
    ),
    "halving and more seeds": (
        {"grid": grid(0.1), "halving": "successive"},
        {"grid": grid(0.1), "halving": "successive", "seeds": [1, 2]},
        OTHER,
    ),
    "halving and fewer seeds": (
        {"grid": grid(0.1), "halving": "successive", "seeds": [1, 2]},
        {"grid": grid(0.1), "halving": "successive"},
        OTHER,
    ),
    "halving and more epochs": (
        {"grid": grid(0.1), "halving": "successive"},
        {"grid": grid(0.1), "halving": "successive", "epochs": 7},
        OTHER,
    ),
    "more epochs": ({}, {"epochs": 7}, LONGER),
    "fewer epochs": ({"epochs": 7}, {}, OTHER),
    "more epochs and seeds": ({}, {"epochs": 7, "seeds": [1, 2]}, LONGER),
    "more epochs and fewer seeds": ({"seeds": [1, 2]}, {"epochs": 7}, OTHER),
    "fewer epochs and more seeds": ({"epochs": 7}, {"seeds": [1, 2]}, OTHER),
    "more epochs of a cosine": ({"kind": "cosine"}, {"kind": "cosine", "epochs": 7}, OTHER),
    "more seeds of a cosine": ({"kind": "cosine"}, {"kind": "cosine", "seeds": [1, 2]}, GROWN),
    "other rows": ({}, {"seeds": [1, 2], "data": {"digest": "1"}}, OTHER),
    "another name": ({}, {"seeds": [1, 2], "name": "m"}, OTHER),
}


@pytest.mark.parametrize("case", CASES)
def test_how_two_studies_relate(case: str) -> None:
    stored, wanted, expected = CASES[case]
    assert relation(study(**stored), study(**wanted)) is expected


def test_a_field_that_a_version_did_not_have_has_its_default() -> None:
    old = study()
    del old["config"]["train"]["keep"]
    del old["config"]["regularize"]
    assert relation(old, study()) is SAME
    assert relation(old, study(seeds=[1, 2])) is GROWN
    assert relation(old, study(epochs=7)) is LONGER
    other = study(seeds=[1, 2])
    other["config"]["train"]["keep"] = "last"
    assert relation(old, other) is OTHER


def test_what_has_no_effect_may_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    other = study(seeds=[1, 2])
    other["config"]["optim"]["beta_2"] = 0.5
    assert relation(study(), other) is OTHER
    monkeypatch.setattr(identity, "WITHOUT_EFFECT", frozenset({"optim.beta_2"}))
    assert relation(study(), other) is GROWN
    assert relation(study(), {**other, "seeds": [1]}) is SAME
    assert relation(study(seeds=[1, 2, 3]), other) is SMALLER


# ---- a folder that grows


class Heard:
    """What was trained, by the names of the trials, and after how many epochs a run is stopped."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.trained: list[list[str]] = []
        self.epochs: list[tuple[str, int]] = []
        self._stop_after = stop_after

    @contextmanager
    def watch(self, training: Training) -> Iterator[Watcher]:
        self.trained.append([trial.name for trial in training.trials])
        heard = self

        class Listener(Watcher):
            def on_epoch(self, index: int, history: Sequence[EpochRecord]) -> None:
                heard.epochs.append((training.trials[index].name, len(history)))
                if heard._stop_after is not None and len(heard.epochs) >= heard._stop_after:
                    raise KeyboardInterrupt

        yield Listener()


def ask(design: Design, heard: Heard | None = None, config: Config = CONFIG, **options: Any) -> StudyResult:
    watch = (heard or Heard()).watch
    return run_design(config, small_dataset(config), design, title=Title(command="python"), watch=watch, **options)


@cache
def fresh(case: str, which: int = 1) -> StudyResult:
    """The smaller study of a case of GROWTH (0), or the larger one (1), trained in memory and but once."""
    return ask(GROWTH[case][which])


@cache
def fresh_seeds(count: int) -> StudyResult:
    """A study of so many seeds, trained in memory and but once."""
    return ask(seeds(count))


def untimed(of: Any) -> Any:
    """JSON values without what depends on the clock."""
    if isinstance(of, dict):
        return {name: untimed(value) for name, value in of.items() if name not in TIMES}
    return [untimed(value) for value in of] if isinstance(of, list) else of


def assert_same(one: StudyResult, other: StudyResult) -> None:
    """All but the seconds, to the bit."""
    assert untimed(json.loads(json.dumps(one.to_json()))) == untimed(json.loads(json.dumps(other.to_json())))
    records = [[[record._replace(seconds=0.0) for record in of] for of in result.histories] for result in (one, other)]
    assert records[0] == records[1]
    assert one.correct is not None
    assert other.correct is not None
    for part in ("valid", "test"):
        assert getattr(one.correct, part).tolist() == getattr(other.correct, part).tolist()


def read(folder: Path) -> StudyResult:
    return read_study(folder / "summary.json", folder / "metrics.jsonl", folder / "hits.npz")


def content_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def seeds(count: int) -> Design:
    return Design(tuple(range(42, 42 + count)))


def rates(*values: float, count: int = 1) -> Design:
    return Design(seeds(count).seeds, grid={RATE: values})


def samples(count: int) -> Design:
    return Design((42,), space=parse_space(["optim.beta_1=0.5:0.95"]), samples=count)


GROWTH = {
    "seeds": (seeds(2), seeds(4), ["seed_44", "seed_45"]),
    "values": (
        rates(1e-3, 1e-2, count=2),
        rates(1e-3, 5e-3, 1e-2, count=2),
        [f"{RATE}=0.005,seed_42", f"{RATE}=0.005,seed_43"],
    ),
    "values and seeds": (
        rates(1e-3),
        rates(1e-2, 1e-3, count=2),
        [f"{RATE}=0.01,seed_42", f"{RATE}=0.01,seed_43", f"{RATE}=0.001,seed_43"],
    ),
    "folds": (replace(seeds(1), folds=2), replace(seeds(2), folds=2), ["seed_43,fold_0", "seed_43,fold_1"]),
}


@pytest.mark.parametrize("kept", [True, False], ids=["in a folder", "in memory"])
def test_the_same_values_in_another_order_are_shown_without_training(kept: bool, tmp_path: Path) -> None:
    folder = tmp_path / "run" if kept else None
    before = ask(rates(1e-3, 1e-2), folder=folder)
    then = Heard()
    turned = ask(rates(1e-2, 1e-3), then, folder=folder, **({} if kept else {"earlier": before}))
    assert not then.epochs
    assert [trial.values[RATE] for trial in turned.trials] == [1e-2, 1e-3]
    assert [trial.val_loss for trial in turned.trials] == [trial.val_loss for trial in before.trials[::-1]]


@pytest.mark.parametrize("case", GROWTH)
def test_only_new_trials_are_trained_and_the_result_is_that_of_a_fresh_study(case: str, tmp_path: Path) -> None:
    smaller, larger, new = GROWTH[case]
    first, then = Heard(), Heard()
    before = ask(smaller, first, folder=tmp_path / "run")
    grown = ask(larger, then, folder=tmp_path / "run")
    assert then.trained == [new]
    assert {name for name, _ in then.epochs} == set(new)
    fresh = ask(larger, folder=tmp_path / "fresh")
    assert_same(grown, fresh)
    for result in (grown, fresh):
        assert_same(read(tmp_path / ("run" if result is grown else "fresh")), result)
    assert [path.name for path in sorted((tmp_path / "run").iterdir())] == [
        path.name for path in sorted((tmp_path / "fresh").iterdir())
    ]
    for part in ("checkpoints", "tensorboard"):
        names = [sorted(path.name for path in (tmp_path / folder / part).iterdir()) for folder in ("run", "fresh")]
        assert names[0] == names[1]
    assert grown.wall_seconds is not None
    assert before.wall_seconds is not None
    assert grown.wall_seconds > before.wall_seconds
    assert grown.compile_seconds >= before.compile_seconds
    by_name = {trial.name: trial for trial in grown.trials}
    assert all(by_name[trial.name] == trial for trial in before.trials)  # their seconds too


def test_samples_grow_by_further_ones(tmp_path: Path) -> None:
    smaller, larger = Heard(), Heard()
    ask(samples(2), smaller, folder=tmp_path / "run")
    grown = ask(samples(3), larger, folder=tmp_path / "run")
    assert [trial.name for trial in grown.trials] == smaller.trained[0] + larger.trained[0]
    assert len(larger.trained[0]) == 1
    assert_same(grown, ask(samples(3)))


@pytest.mark.parametrize("case", ["seeds", "values and seeds"])
def test_a_growth_that_was_interrupted_goes_on(case: str, tmp_path: Path) -> None:
    smaller, larger, new = GROWTH[case]
    ask(smaller, folder=tmp_path / "run")
    summary = (tmp_path / "run" / "summary.json").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        ask(larger, Heard(stop_after=3), folder=tmp_path / "run")
    assert (tmp_path / "run" / "summary.json").read_bytes() == summary
    rest = Heard()
    grown = ask(larger, rest, folder=tmp_path / "run")
    assert rest.trained == [new]
    assert_same(grown, fresh(case))
    assert_same(read(tmp_path / "run"), grown)


def test_while_a_growth_is_interrupted_the_smaller_study_has_its_results_and_a_larger_one_waits(tmp_path: Path) -> None:
    smaller = ask(seeds(2), folder=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        ask(seeds(4), Heard(stop_after=1), folder=tmp_path)
    with pytest.raises(UserError, match=r"holds a larger study that is not finished\. Finish it by its own command"):
        ask(seeds(3), folder=tmp_path)
    assert_same(ask(seeds(2), folder=tmp_path), smaller)
    assert_same(ask(seeds(1), folder=tmp_path), fresh_seeds(1))
    rest = Heard()
    assert_same(ask(seeds(4), rest, folder=tmp_path), fresh_seeds(4))
    assert rest.trained == [["seed_44", "seed_45"]]


@pytest.mark.parametrize("case", ["seeds", "values", "values and seeds", "folds"])
def test_the_smaller_study_is_a_part_of_the_larger_one_and_nothing_is_written(case: str, tmp_path: Path) -> None:
    smaller, larger, _ = GROWTH[case]
    ask(larger, folder=tmp_path / "run")
    before, heard = content_of(tmp_path / "run"), Heard()
    part = ask(smaller, heard, folder=tmp_path / "run")
    assert heard.trained == []
    assert content_of(tmp_path / "run") == before
    assert_same(replace(part, range_test=None), replace(fresh(case, 0), range_test=None))


def test_of_a_part_nothing_is_asked(tmp_path: Path) -> None:
    ask(seeds(3), folder=tmp_path)
    before = content_of(tmp_path)
    with pytest.raises(UserError, match=r"holds a larger study, of 3 trials\. Ask for its networks' uncertainty by"):
        ask(seeds(2), folder=tmp_path, request=UncertaintyRequest(ensemble=True))
    assert content_of(tmp_path) == before


@pytest.mark.parametrize("name", ["metrics.jsonl", "hits.npz"])
@pytest.mark.parametrize("content", [None, b"", b'{"seed": 42}\n'])
def test_where_the_figures_are_damaged_the_checkpoints_serve(tmp_path: Path, name: str, content: bytes | None) -> None:
    ask(seeds(2), folder=tmp_path / "run")
    path = tmp_path / "run" / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    heard = Heard()
    grown = ask(seeds(3), heard, folder=tmp_path / "run")
    assert {name for name, epochs in heard.epochs if epochs < 2} == {"seed_44"}  # the others are read, not trained
    assert_same(grown, fresh_seeds(3))
    assert_same(read(tmp_path / "run"), grown)


def test_a_damaged_larger_study_is_not_shown_in_part(tmp_path: Path) -> None:
    ask(seeds(3), folder=tmp_path)
    (tmp_path / "metrics.jsonl").unlink()
    before = content_of(tmp_path)
    with pytest.raises(UserError, match=r"metrics\.jsonl is gone\. Mend that by the command of the larger study"):
        ask(seeds(2), folder=tmp_path)
    assert content_of(tmp_path) == before


def test_more_epochs_and_more_seeds_come_together(tmp_path: Path) -> None:
    longer = replace(CONFIG, train=replace(CONFIG.train, epochs=3))
    ask(seeds(1), folder=tmp_path)
    heard = Heard()
    grown = ask(seeds(2), heard, longer, folder=tmp_path)
    assert [epochs for name, epochs in heard.epochs if name == "seed_42"][-1] == 3
    assert ("seed_42", 1) not in heard.epochs
    assert_same(grown, ask(seeds(2), config=longer))


def test_what_was_found_of_the_smaller_studys_networks_goes_with_its_pictures(tmp_path: Path) -> None:
    request = UncertaintyRequest(ensemble=True)
    asked = ask(seeds(2), folder=tmp_path, request=request)
    assert asked.uncertainty is not None
    pictures = {name for name in UNCERTAINTY_PICTURES if (tmp_path / name).exists()}
    assert pictures
    grown = ask(seeds(3), folder=tmp_path)
    assert grown.uncertainty is None
    assert read(tmp_path).uncertainty is None
    assert not any((tmp_path / name).exists() for name in UNCERTAINTY_PICTURES)
    again = ask(seeds(3), folder=tmp_path, request=request)
    assert again.uncertainty is not None
    assert again.uncertainty["seeds"] == [42, 43, 44]
    assert {name for name in UNCERTAINTY_PICTURES if (tmp_path / name).exists()} == pictures


def test_a_finished_study_without_a_command_is_shown_again_as_it_is(tmp_path: Path) -> None:
    """As one of the library is, which no command line started."""
    heard, data = Heard(), small_dataset(CONFIG)
    first = run_design(CONFIG, data, seeds(2), folder=tmp_path)
    before = content_of(tmp_path)
    again = run_design(CONFIG, data, seeds(2), folder=tmp_path, watch=heard.watch)
    assert replace(again, files={}) == first
    assert heard.trained == []
    assert content_of(tmp_path) == before


# ---- in memory


@pytest.mark.parametrize("case", GROWTH)
def test_an_earlier_result_grows_in_memory(case: str) -> None:
    _, larger, new = GROWTH[case]
    earlier, heard = fresh(case, 0), Heard()
    grown = ask(larger, heard, earlier=earlier)
    assert heard.trained == [new]
    assert_same(grown, fresh(case))
    assert sorted(grown.runs) == [index for index, trial in enumerate(grown.trials) if trial.name in new]


def test_an_earlier_result_read_from_files_grows_too(tmp_path: Path) -> None:
    ask(seeds(2), folder=tmp_path)
    heard = Heard()
    assert_same(ask(seeds(3), heard, earlier=read(tmp_path)), fresh_seeds(3))
    assert heard.trained == [["seed_44"]]


def test_an_earlier_result_that_holds_all_is_selected_from() -> None:
    earlier, heard = fresh_seeds(3), Heard()
    assert_same(ask(seeds(2), heard, earlier=earlier), fresh_seeds(2))
    assert_same(ask(seeds(3), heard, earlier=earlier), earlier)
    assert heard.trained == []
    assert sorted(ask(Design((44, 42)), earlier=earlier).runs) == [0, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "other"}, r"earlier is another study: name, seeds\."),
        ({"seeds": (7,)}, r"earlier is another study: seeds\."),
        ({"config": replace(CONFIG, train=SMALL.train).to_dict()}, r"earlier is another study: config\.train\.epochs,"),
        (
            {"config": replace(CONFIG, train=replace(CONFIG.train, epochs=1)).to_dict()},
            "earlier has fewer epochs, and only a folder can continue it",
        ),
        ({"histories": ()}, r"earlier holds no histories\. Read it with its metrics\.jsonl and its hits\.npz"),
        (
            {"correct": None},
            r"earlier holds no rows that are classified correctly\. Read it with",
        ),
    ],
    ids=["name", "seeds", "more epochs", "fewer epochs", "no histories", "no rows"],
)
def test_an_earlier_result_that_does_not_serve_is_refused(change: Mapping[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        ask(seeds(3), earlier=replace(fresh_seeds(2), **change))


def test_an_earlier_result_without_histories_is_selected_from_by_no_one() -> None:
    for count in (1, 2):
        with pytest.raises(UserError, match="earlier holds no histories"):
            ask(seeds(count), earlier=replace(fresh_seeds(2), histories=()))
