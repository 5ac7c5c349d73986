"""Command of the Python calls: another type or range is one line that names it, before anything is compiled."""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import a_users_own
import jax
import jax.numpy as jnp
import numpy as np
import own_functions
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_data import SMALL, compilations, lean_compilation, small_arrays, small_dataset

from jaxdeep import (
    Bracket,
    Config,
    Data,
    Dataset,
    Schedule,
    Trial,
    fit,
    fit_all,
    fit_by_halving,
    lint,
    load_images,
    mc_predict,
    stratified_folds,
)
from jaxdeep.config.arguments import check_type, first_twice, optional_whole, several
from jaxdeep.data.labels import as_labels
from jaxdeep.errors import UserError
from jaxdeep.study.brackets import Rung
from jaxdeep.train.checks import check_fits
from jaxdeep.train.folders import checked_folder, checked_folders
from jaxdeep.train.lr_finder import find_learning_rate

DATA = small_dataset(SMALL)
FOLDS = stratified_folds(DATA, SMALL.data, 2)
ONE = (Trial(SMALL, 1),)
KEY = jax.random.key(0)
BRACKET = Bracket(("",), (Rung(1, 1),))
QUICK = replace(SMALL, train=replace(SMALL.train, epochs=1))
WRONG: dict[str, tuple[Any, ...]] = {
    "config": (None, {}, "selu", Config, Data(), ONE[0]),
    "data": (None, {}, "cifar10", np.ones((3, 4)), 5),
    "call": ("print", 5, {}, Path("kept")),
    "trials": (None, SMALL, (SMALL,), [(SMALL, 1)], ONE[0], {ONE[0]: 1}, iter(ONE)),
    "brackets": (None, (), BRACKET, (BRACKET, None), (Bracket((), BRACKET.rungs),), (Bracket(("",), ()),), "x"),
}


@pytest.fixture(scope="module", autouse=True)
def lean() -> Iterator[None]:
    with lean_compilation():
        yield


def refused(call: Callable[[], Any], names: str) -> str:
    """Find that a call is refused in one line that begins with some words, and that nothing was compiled."""
    with compilations() as heard, pytest.raises(UserError, match=f"^{re.escape(names)}") as caught:
        call()
    assert heard == []
    assert "\n" not in str(caught.value)
    return str(caught.value)


CALLS: dict[str, tuple[Callable[[Any], Any], str, tuple[Any, ...]]] = {
    "fit, config": (lambda of: fit(of, DATA), "config is", WRONG["config"]),
    "fit, data": (lambda of: fit(SMALL, of), "data is", (*WRONG["data"], FOLDS)),
    "fit, on_epoch": (lambda of: fit(SMALL, DATA, on_epoch=of), "on_epoch is", WRONG["call"]),
    "find_learning_rate, config": (lambda of: find_learning_rate(of, DATA, (1,)), "config is", WRONG["config"]),
    "find_learning_rate, data": (lambda of: find_learning_rate(SMALL, of, (1,)), "data is", WRONG["data"]),
    "lint, config": (lambda of: lint(of, DATA), "config is", WRONG["config"]),
    "lint, data": (lambda of: lint(SMALL, of), "data is", WRONG["data"]),
    "stratified_folds, dataset": (lambda of: stratified_folds(of, SMALL.data, 2), "dataset is", WRONG["data"]),
    "stratified_folds, data": (lambda of: stratified_folds(DATA, of, 2), "data is", (None, {}, SMALL)),
    "stratified_folds, count": (
        lambda of: stratified_folds(DATA, SMALL.data, of),
        "count is",
        (2.5, "2", None, True, math.nan, (2,)),
    ),
    "stratified_folds, seed": (
        lambda of: stratified_folds(DATA, SMALL.data, 2, of),
        "seed is",
        (-1, 2**32, 0.5, True, "1", None, (1,)),
    ),
    "fit_all, trials": (lambda of: fit_all(of, DATA), "trials", WRONG["trials"]),
    "Trial, fold": (lambda of: Trial(SMALL, 1, {}, of), "fold is", (-1, 0.5, True, "0", (0,), math.nan)),
    "fit_all, data": (lambda of: fit_all(ONE, of), "data", (None, {}, "cifar10", 5, [None], (DATA, SMALL))),
    "fit_all, checkpoints": (lambda of: fit_all(ONE, DATA, checkpoints=of), "checkpoints is", (None, *WRONG["call"])),
    "fit_all, on_epoch": (lambda of: fit_all(ONE, DATA, on_epoch=of), "on_epoch is", (None, *WRONG["call"])),
    "fit_all, on_end": (lambda of: fit_all(ONE, DATA, on_end=of), "on_end is", (None, *WRONG["call"])),
    "fit_by_halving, trials": (lambda of: fit_by_halving(of, DATA, (BRACKET,)), "trials", WRONG["trials"]),
    "fit_by_halving, data": (lambda of: fit_by_halving(ONE, of, (BRACKET,)), "data", (None, {}, "cifar10", [None])),
    "fit_by_halving, brackets": (lambda of: fit_by_halving(ONE, DATA, of), "", WRONG["brackets"]),
    "fit_by_halving, checkpoints": (
        lambda of: fit_by_halving(ONE, DATA, (BRACKET,), checkpoints=of),
        "checkpoints is",
        WRONG["call"],
    ),
    "fit_by_halving, on_rung": (
        lambda of: fit_by_halving(ONE, DATA, (BRACKET,), on_rung=of),
        "on_rung is",
        (None, *WRONG["call"]),
    ),
    "from_arrays, data": (lambda of: Dataset.from_arrays(*small_arrays(99), data=of), "data is", (None, {}, SMALL)),
    "from_arrays, name": (lambda of: Dataset.from_arrays(*small_arrays(99), name=of), "name is", (None, 5, b"x")),
    "from_arrays, source": (lambda of: Dataset.from_arrays(*small_arrays(99), source=of), "source is", (None, 5)),
    "from_arrays, synthetic": (lambda of: Dataset.from_arrays(*small_arrays(99), synthetic=of), "synthetic", (1, "no")),
    "from_arrays, class_names": (
        lambda of: Dataset.from_arrays(*small_arrays(99), data=Data(valid_size=20), class_names=of),
        "class_names is",
        (4, {"a", "b"}, {0: "a"}, b"abcd", np.array("a"), 0.5),
    ),
    "from_images, images": (Dataset.from_images, "images is", (None, {}, small_arrays(99))),
    "from_npz, data": (lambda of: Dataset.from_npz("rows.npz", of), "data is", (None, {}, SMALL)),
    "load_images, name": (load_images, "data set", ("cifar", None, 10, ["mnist"], np.array(["mnist"]), b"mnist")),
    "load_images, source": (lambda of: load_images("mnist", source=of), "source of the data", (None, 1, ("auto",))),
    "load_images, data_dir": (lambda of: load_images("mnist", data_dir=of), "data_dir is", (5, b"x", {}, ("a",))),
    "mc_predict, run": (
        lambda of: mc_predict(of, small_arrays(9)[0], KEY, 2),
        "run is",
        (None, SMALL, "run", DATA),
    ),
}


@pytest.mark.parametrize("case", CALLS)
def test_an_argument_of_another_type_is_refused_by_its_name(case: str) -> None:
    call, names, values = CALLS[case]
    for value in values:
        refused(lambda value=value: call(value), names)


NO_COUNTS = st.one_of(
    st.integers(max_value=0),
    st.integers(min_value=2**31),
    st.floats().filter(lambda value: not value.is_integer() or value < 1 or value > 2**31 - 1),
    st.booleans(),
    st.text(),
    st.tuples(st.integers()),
    st.complex_numbers(),
)


@given(NO_COUNTS)
def test_epochs_and_workers_are_whole_numbers_of_1_and_more(value: Any) -> None:
    calls = {
        "until": (lambda: fit(SMALL, DATA, until=value), lambda: fit_all(ONE, DATA, until=value)),
        "workers": (lambda: fit_all(ONE, DATA, workers=value),),
    }
    for name, of_name in calls.items():
        for call in of_name:
            with pytest.raises(UserError, match=f"^{name} is ") as caught:
                call()
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize("until", [1, np.int64(1), 1.0, np.float32(1), jnp.asarray(1)])
def test_a_whole_number_of_any_library_is_one(until: Any) -> None:
    assert len(fit(SMALL, DATA, until=until).history) == 1
    (run,) = fit_all(list(ONE), DATA, until=until, workers=until)
    assert len(run.history) == 1


def test_a_study_of_nothing_is_nothing() -> None:
    assert fit_all([], DATA) == []
    assert fit_all((), FOLDS) == []


def test_folds_may_come_as_a_list() -> None:
    trials = [Trial(QUICK, 1, {}, fold) for fold in (0, 1)]
    assert len(fit_all(trials, list(FOLDS))) == 2


@pytest.mark.parametrize("where", ["file", "file/below/deeper", "/proc/x", "/proc/x/y", "a\0b", "n" * 300])
def test_a_folder_that_cannot_be_made_is_refused_before_training(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_text("mine")
    folder = tmp_path / where  # an absolute path stays itself
    refused(lambda: fit(SMALL, DATA, checkpoints=folder), f"{folder}: cannot be used for checkpoints")
    refused(lambda: fit(SMALL, DATA, checkpoints=str(folder)), f"{folder}: cannot be used for checkpoints")
    trials = [Trial(SMALL, seed) for seed in range(3)]

    def of_trial(trial: Trial) -> Path:
        return folder if trial.seed == 2 else tmp_path / trial.name

    refused(lambda: fit_all(trials, DATA, checkpoints=of_trial), f"{folder}: cannot be used for checkpoints")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("folder", [5, b"kept", "", (), True, 0.5])
def test_a_folder_is_a_path(folder: Any) -> None:
    refused(lambda: fit(SMALL, DATA, checkpoints=folder), "checkpoints is ")
    trials = [Trial(SMALL, seed) for seed in range(3)]
    call = lambda trial: folder if trial.seed == 1 else None  # noqa: E731
    refused(lambda: fit_all(trials, DATA, checkpoints=call), "checkpoints of trial 1 is ")


def test_a_folder_is_only_looked_at_and_nothing_of_the_trial_stays(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for folder in (tmp_path, tmp_path / "a" / "b", "~", "~/c", str(tmp_path / "d")):
        path = checked_folder(folder)
        assert path is not None
        assert path.is_relative_to(tmp_path)
    assert checked_folder(None) is None
    assert list(tmp_path.iterdir()) == []


def test_two_members_of_one_folder_are_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    trials = [Trial(SMALL, seed) for seed in (5, 6, 7)]
    for other in ("kept", "~/kept", "link", "other/../kept", tmp_path / "kept"):
        folders = {5: tmp_path / "kept", 6: None, 7: other}
        message = refused(lambda of=folders: fit_all(trials, DATA, checkpoints=lambda trial: of[trial.seed]), "")
        assert "the checkpoint folder of two trials, 0 (seed_5) and 2 (seed_7). Give" in message
    same = [Trial(SMALL, 5), Trial(replace(SMALL, optim=replace(SMALL.optim, learning_rate=1e-2)), 5)]
    refused(lambda: fit_all(same, DATA, checkpoints=lambda trial: tmp_path / trial.name), f"{tmp_path}/seed_5: the")
    refused(lambda: fit_by_halving(same, DATA, (BRACKET,)), "trials[0] and trials[1] are both named seed_5")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "link"]
    assert list((tmp_path / "kept").iterdir()) == []
    assert checked_folders([None, None, tmp_path], "abc") == [None, None, tmp_path]


def with_rates(*rates: float) -> list[Trial]:
    """Trials of two seeds for each learning rate."""
    return [
        Trial(replace(QUICK, optim=replace(QUICK.optim, learning_rate=rate)), seed, {"optim.learning_rate": rate})
        for rate in rates
        for seed in (1, 2)
    ]


def test_brackets_begin_with_the_points_of_the_members_and_no_others() -> None:
    trials = with_rates(1e-3, 1e-2)
    one, other = "optim.learning_rate=0.001", "optim.learning_rate=0.01"
    rungs = (Rung(2, 1),)
    for brackets, names in {
        (Bracket((one, "x"), rungs),): "brackets[0].candidates has 'x', and no trial belongs to this candidate",
        (Bracket((one, other), rungs), Bracket((one, one), rungs)): f"brackets[1].candidates has '{one}' twice",
        (Bracket((one,), rungs),): "trials[2] (optim.learning_rate=0.01,seed_1) is in none of the 1 brackets",
        (Bracket((one, 5), rungs),): "brackets[0].candidates[1] is 5",
        (Bracket(one, rungs),): "brackets[0].candidates is ",
        (Bracket((one, other), ((2, 1),)),): "brackets[0].rungs[0] is ",
        (Bracket((one, other), (Rung(2, 0),)),): "brackets[0].rungs[0].epochs is 0",
        (Bracket((one, other), (Rung(2, 1), Rung(0.5, 1))),): "brackets[0].rungs[1].candidates is 0.5",
        (Bracket((one, other), ()),): "brackets[0] has 2 candidates and 0 rungs",
        (Bracket((), rungs),): "brackets[0] has 0 candidates and 1 rungs",
        (): "trials[0] (optim.learning_rate=0.001,seed_1) is in none of the 0 brackets",
    }.items():
        refused(lambda brackets=brackets: fit_by_halving(trials, DATA, brackets), names)
    runs = fit_by_halving(trials, DATA, [Bracket([one], [Rung(1, 1)]), Bracket((other,), rungs)])
    assert [len(run.history) for run in runs] == [1, 1, 1, 1]


def changed(field: str, function: Any) -> Config:
    part, _, name = field.partition(".")
    if part == "schedule":
        return replace(QUICK, schedule=Schedule(function))
    return replace(QUICK, **{part: replace(getattr(QUICK, part), **{name: function})})


TO_REFUSE = [
    ("model.activation", np.tanh, "trace"),
    ("model.activation", math.tanh, "trace"),
    ("model.activation", own_functions.numpys_tanh, "trace"),
    ("model.activation", own_functions.branching, "trace"),
    ("model.activation", own_functions.without_gradient, "differentiate"),
    ("model.activation", own_functions.halved, "returns float32[32, 6] for float32[32, 12]"),
    ("model.activation", own_functions.signs, "returns bool[32, 12] for float32[32, 12]"),
    ("model.activation", own_functions.pair, "returns a value of type tuple for"),
    ("model.kernel_init", own_functions.transposed, "returns float32[12, 36] for (key, (36, 12), 'float32')"),
    ("model.kernel_init", own_functions.ones_of_integers, "returns int32[36, 12] for"),
    ("model.kernel_init", own_functions.seeded_by_numpy, "trace"),
    ("model.kernel_init", np.zeros, "trace"),
    ("model.head_init", own_functions.transposed, "returns float32[4, 12] for"),
    ("optim.optimizer", own_functions.a_number, "returns a value of type int. Allowed: an optax.GradientTransf"),
    ("optim.optimizer", own_functions.at_a_python_rate, "trace"),
    ("optim.optimizer", own_functions.of_numpys_updates, "trace"),
    ("optim.optimizer", own_functions.of_sums, "returns updates of other shapes than the weights"),
    ("optim.optimizer", own_functions.of_growing_state, "changes the shapes or types of its state"),
    ("optim.optimizer", np.sign, "trace"),
    ("schedule.kind", np.cos, "trace"),
    ("schedule.kind", math.sin, "trace"),
    ("schedule.kind", own_functions.by_python, "trace"),
    ("schedule.kind", own_functions.of_a_vector, "returns float32[3] for a number of steps. Allowed: one real"),
]


@pytest.mark.parametrize(("field", "function", "why"), TO_REFUSE)
def test_a_function_that_is_not_for_jax_or_for_its_field_is_refused_by_name(field, function, why) -> None:
    config, name = changed(field, function), f"{function.__module__}.{function.__qualname__}"
    for call in (
        lambda: fit(config, DATA),
        lambda: fit_all([Trial(config, 1)], DATA),
        lambda: find_learning_rate(config, DATA, (1,)),
    ):
        message = refused(call, f"{field} is the function {name}, which ")
        if why in ("trace", "differentiate"):
            assert f"which JAX cannot {why} (" in message
            assert message.endswith(". Write it with jax.numpy, not with NumPy or Python's math")
        else:
            assert why in message


TO_TAKE = [
    ("model.activation", a_users_own.snake),
    ("model.activation", jnp.tanh),
    ("model.activation", jax.nn.silu),
    ("model.activation", own_functions.in_half_precision),
    ("model.kernel_init", a_users_own.flat),
    ("model.kernel_init", own_functions.fixed),
    ("model.head_init", jax.nn.initializers.zeros),
    ("optim.optimizer", a_users_own.heavy_ball),
    ("schedule.kind", a_users_own.sawtooth),
    ("schedule.kind", own_functions.whole),
    ("schedule.kind", jnp.cos),
]


@pytest.mark.parametrize(("field", "function"), TO_TAKE)
def test_a_function_that_trains_is_taken_and_nothing_is_compiled_to_find_that(field, function) -> None:
    config = changed(field, function)
    with jax.numpy_dtype_promotion("standard"):
        with compilations() as heard:
            check_fits(config, DATA)
        assert heard == []
        assert len(fit(config, DATA).history) == 1


def test_float64_that_jax_does_not_have_is_refused_by_the_range_test_too() -> None:
    config = replace(QUICK, train=replace(QUICK.train, dtype="float64"))
    refused(lambda: find_learning_rate(config, DATA, (1,)), "train.dtype is float64, which needs")


def test_a_sigmoid_unit_for_more_than_two_classes_is_refused() -> None:
    config = QUICK.updated({"model.head": "sigmoid"})
    refused(lambda: fit(config, DATA), "model.head is 'sigmoid', which tells two classes apart, and the data have 4")


def test_a_text_is_no_array_of_labels() -> None:
    assert as_labels("abcd", "labels").values.shape == ()
    with pytest.raises(UserError, match=r"labels \(\)"):
        Dataset.from_arrays(np.ones((4, 2)), "abcd")


def test_the_checks_say_what_was_given_and_what_is_allowed() -> None:
    with pytest.raises(UserError, match=r"^name is 5\. Allowed: a string\.$"):
        check_type("name", 5, str, "a string")
    with pytest.raises(UserError, match=r"^rows\[1\] is 'b'\. Allowed: a int\.$"):
        several("rows", [1, "b"], int, "int")
    with pytest.raises(UserError, match=r"^rows is 'ab'\. Allowed: a tuple or a list of int\.$"):
        several("rows", "ab", int, "int")
    assert several("rows", np.arange(2), int, "int") == (0, 1)
    assert optional_whole("until", None, 1) is None
    assert first_twice([]) is None


@given(st.lists(st.integers(0, 5)))
def test_the_first_two_that_are_equal_are_found(values: list[int]) -> None:
    twice = first_twice(values)
    assert (twice is None) == (len(set(values)) == len(values))
    if twice is not None:
        one, other = twice
        assert one < other
        assert values[one] == values[other]
        assert len(set(values[:other])) == other
