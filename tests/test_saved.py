"""A saved run predicts the same bits when it is loaded, and a file that is not whole is refused in one line."""

import io
import json
import re
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import fields, replace
from pathlib import Path

import a_users_own
import jax
import numpy as np
import pandas as pd
import pytest
from small_data import SMALL, lean_compilation, small_arrays, small_dataset

from jaxdeep import (
    Data,
    Dataset,
    JaxdeepWarning,
    Run,
    UserError,
    fit,
    fit_all,
    lint,
    load,
    mc_predict,
    run_study,
    stratified_folds,
)
from jaxdeep.study.trial import Trial
from jaxdeep.train import saved_file
from jaxdeep.train.leaves import leaves_of
from jaxdeep.train.lr_finder import find_learning_rate
from jaxdeep.train.saved import load_all, network_digest

FIXTURE = Path(__file__).parent / "saved_1.npz"
"""Written in format 1, before a run had train_loss and confusions: NAMED on named_dataset(), seed 3."""
CONFIG = SMALL.updated({"train.epochs": 2, "model.dropout_sites": "head", "model.dropout_rate": 0.25})
NAMED = CONFIG.updated(
    {
        "model.units": (6, 6),
        "model.batch_norm": True,
        "model.activation": "prelu",
        "model.kernel_init": "he_normal",
        "model.dropout_sites": "none",
        "model.dropout_rate": 0.0,
    }
)
ROWS = small_arrays(20, seed=5)[0]
PREDICTED = [[0.26335, 0.34453, 0.39212], [0.25626, 0.17093, 0.57281], [0.13944, 0.32936, 0.53120]]
"""Of the first three rows, by FIXTURE."""


@pytest.fixture(scope="module", autouse=True)
def lean() -> Iterator[None]:
    with lean_compilation():
        yield


@pytest.fixture(scope="module")
def run() -> Run:
    return fit(CONFIG, small_dataset(CONFIG))


@pytest.fixture
def path(run: Run, tmp_path: Path) -> Path:
    run.save(tmp_path / "run.npz")
    return tmp_path / "run.npz"


def refused(text: str) -> AbstractContextManager[object]:
    """A context that must raise a UserError of one line with this text."""
    return pytest.raises(UserError, match=rf"\A.*{re.escape(text)}.*\Z")


def frame(count: int) -> pd.DataFrame:
    """Rows of three columns, one of them far from 0, so that it is stored less its mean."""
    rng = np.random.default_rng(7)
    table = rng.normal(size=(count, 3)) * [1.0, 0.01, 5.0] + [0.0, 1_000.0, 0.0]
    return pd.DataFrame(table, columns=["width", "far", "height"])


def named_dataset() -> Dataset:
    rows = frame(200)
    labels = np.where(rows["width"] > 0.5, "red", np.where(rows["height"] > 0, "green", "blue"))
    return Dataset.from_arrays(rows, labels, data=NAMED.data, name="colours")


def assert_same_run(one: Run, other: Run) -> None:
    """All fields but the data set."""
    for field in fields(Run):
        found, expected = getattr(one, field.name), getattr(other, field.name)
        if field.name == "data":
            assert found.info == expected.info
            assert (found.classes, found.image_shape, found.inputs) == (
                expected.classes,
                expected.image_shape,
                expected.inputs,
            )
        elif field.name in ("params", "batch_stats"):
            found, expected = leaves_of(found), leaves_of(expected)
            assert found.keys() == expected.keys()
            for name, leaf in found.items():
                assert leaf.dtype == expected[name].dtype
                np.testing.assert_array_equal(leaf, expected[name])
        elif isinstance(found, np.ndarray):
            np.testing.assert_array_equal(found, expected)
        else:
            assert found == expected, field.name


def rewritten(path: Path, change: Callable[[dict, dict], None], *, sealed: bool = True) -> Path:
    """Change the record and the arrays of a file, with a new digest or with the old one."""
    with np.load(path) as archive:
        arrays = dict(archive)
    record, digest = json.loads(arrays.pop("record").tobytes()), arrays.pop("digest")
    change(record, arrays)
    arrays["record"] = np.frombuffer(json.dumps(record).encode(), np.uint8)
    np.savez(path, **arrays, digest=np.array(saved_file._digest(arrays)) if sealed else digest)
    return path


def test_a_loaded_run_is_the_saved_one_to_the_bit(run, path) -> None:
    loaded = load(path)
    assert_same_run(loaded, run)
    assert repr(loaded) == repr(run)
    np.testing.assert_array_equal(loaded.predict(ROWS), run.predict(ROWS))
    found, expected = (mc_predict(of, ROWS, jax.random.key(0), samples=5) for of in (loaded, run))
    for one, other in zip(found[:4], expected[:4], strict=True):
        np.testing.assert_array_equal(one, other)
    assert network_digest(loaded) == network_digest(run)
    assert (loaded.data.train.size, loaded.data.valid.size, loaded.data.test.size) == (0, 0, 0)


def test_a_loaded_run_is_saved_to_the_same_bytes_in_place_of_its_file(path) -> None:
    before = path.read_bytes()
    load(str(path)).save(str(path))
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["run.npz"]


def test_other_weights_have_another_digest(run) -> None:
    other = fit(CONFIG, small_dataset(CONFIG), seed=1)
    assert network_digest(other) != network_digest(run)
    wide = replace(run, data=replace(run.data, image_shape=(36,)))
    assert network_digest(wide) != network_digest(run)


def test_batch_norm_prelu_strings_and_column_names_are_kept(tmp_path) -> None:
    run = fit(NAMED, named_dataset(), seed=3)
    assert run.data.info.columns.offset is not None
    run.save(tmp_path / "named.npz")
    loaded = load(tmp_path / "named.npz")
    assert_same_run(loaded, run)
    assert loaded.data.info.class_names == loaded.data.info.label_values == ("blue", "green", "red")
    rows = frame(5)  # all within the training rows
    reversed_columns = rows[rows.columns[::-1]]
    np.testing.assert_array_equal(loaded.predict(reversed_columns), run.predict(rows))
    with refused("height"):
        loaded.predict(rows.drop(columns="height"))
    for of in (run, loaded):
        with pytest.warns(JaxdeepWarning, match=r"outside the range.*column 'width'"):
            of.predict(rows + np.array([50, 0, 0]))


def test_format_1_is_read_and_predicts_what_it_did() -> None:
    loaded = load(FIXTURE)
    assert (loaded.seed, loaded.config, loaded.best_epoch) == (3, NAMED, 2)
    assert repr(loaded) == "Run(seed=3, best_epoch=2 of 2, val_accuracy=0.0800, test_accuracy=0.1000)"
    assert loaded.data.info.name == "colours"
    assert (np.isnan(loaded.train_loss), loaded.confusion) == (True, None)
    np.testing.assert_allclose(loaded.predict(frame(3)), PREDICTED, atol=2e-5)
    assert FIXTURE.stat().st_size < 20_000


@pytest.mark.usefixtures("x64")
def test_float64_is_kept_and_needs_jax_to_have_it(tmp_path) -> None:
    config = CONFIG.updated({"train.dtype": "float64"})
    run = fit(config, small_dataset(config))
    run.save(tmp_path / "run.npz")
    loaded = load(tmp_path / "run.npz")
    assert_same_run(loaded, run)
    np.testing.assert_array_equal(loaded.predict(ROWS), run.predict(ROWS))
    assert loaded.predict(ROWS).dtype == np.float64
    with jax.enable_x64(False), refused("jax_enable_x64"):
        load(tmp_path / "run.npz")


def test_a_float32_network_is_the_same_with_and_without_64_bit_types(run, path) -> None:
    expected = run.predict(ROWS)
    with jax.enable_x64(True):
        loaded = load(path)
        assert network_digest(loaded) == network_digest(run)
        np.testing.assert_array_equal(loaded.predict(ROWS), expected)


def test_rows_on_another_scale_are_judged_as_before(tmp_path) -> None:
    """Whether training rows were dim is counted when a run is saved, since a loaded one has no rows."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 256, (120, 12)).astype(np.float64)
    rows[30:40] = rng.integers(0, 2, (10, 12))  # a tenth of the training rows is dim
    config = CONFIG.updated({"data.valid_size": 20})
    for table in (rows, np.maximum(rows, 100)):
        run = fit(config, Dataset.from_arrays(table, np.arange(120) % 2, data=config.data))
        run.save(tmp_path / "run.npz")
        answers = []
        for of in (run, load(tmp_path / "run.npz")):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", JaxdeepWarning)
                try:
                    answers.append(of.predict(np.ones((3, 12))).tolist())
                except UserError as error:
                    answers.append(str(error))
        assert answers[0] == answers[1]
        assert isinstance(answers[0], str) is (table is not rows)


def test_a_run_that_diverged_is_kept_with_its_history(tmp_path) -> None:
    config = CONFIG.updated({"optim.optimizer": "sgd", "optim.learning_rate": 1e30})
    with pytest.warns(JaxdeepWarning, match="diverged"):
        run = fit(config, small_dataset(config))
    run.save(tmp_path / "run.npz")
    loaded = load(tmp_path / "run.npz")
    assert loaded.diverged
    assert np.isnan(loaded.val_loss)
    assert repr(loaded) == repr(run)
    with refused("untrained"):
        loaded.predict(ROWS)


NEEDING_ROWS: dict[str, Callable[[Dataset], object]] = {
    "fit": lambda data: fit(CONFIG, data),
    "fit_all": lambda data: fit_all([Trial(CONFIG, 1), Trial(CONFIG, 2)], data),
    "run_study": lambda data: run_study(CONFIG, data),
    "lint": lambda data: lint(CONFIG, data),
    "stratified_folds": lambda data: stratified_folds(data, CONFIG.data, 2),
    "find_learning_rate": lambda data: find_learning_rate(CONFIG, data, (1,)),
}


@pytest.mark.parametrize("name", NEEDING_ROWS)
def test_what_needs_rows_says_that_a_loaded_run_has_none(path, name) -> None:
    with refused("the data set arrays has no rows, because a saved or pickled run keeps none"):
        NEEDING_ROWS[name](load(path).data)


def test_functions_of_a_users_own_are_given_again(tmp_path) -> None:
    config = CONFIG.updated({"model.activation": a_users_own.snake, "optim.learning_rate": 1e-2})
    run = fit(config, small_dataset(config))
    run.save(tmp_path / "run.npz")
    with refused("hold: model.activation 'a_users_own.snake'. Give load the configuration that was trained, as config"):
        load(tmp_path / "run.npz")
    loaded = load(tmp_path / "run.npz", config=config)
    np.testing.assert_array_equal(loaded.predict(ROWS), run.predict(ROWS))
    moved = config.updated({"model.activation": a_users_own.snail})  # under another name
    assert load(tmp_path / "run.npz", config=moved).config == moved
    for changes in ({"optim.learning_rate": 0.1}, {"model.activation": "relu"}):
        with refused(f"another configuration than config: {next(iter(changes))} differ"):
            load(tmp_path / "run.npz", config=config.updated(changes))
    with refused("config is 'selu'. Allowed: a Config, or None"):
        load(tmp_path / "run.npz", config="selu")  # type: ignore[arg-type]


def test_a_library_function_is_made_again(tmp_path) -> None:
    config = CONFIG.updated({"model.kernel_init": jax.nn.initializers.he_normal()})
    fit(config, small_dataset(config)).save(tmp_path / "run.npz")
    assert load(tmp_path / "run.npz").config == config


def test_what_a_later_version_adds_is_ignored_and_a_later_format_refused(run, path) -> None:
    def add(record: dict, arrays: dict) -> None:
        record["later"] = {"a": 1}
        record["figures"]["later"] = 0.5
        arrays["later"] = np.ones(3)

    assert_same_run(load(rewritten(path, add)), run)
    rewritten(path, lambda record, _: record.update(format=2, jaxdeep="9.1"))
    with refused("has format 2, written by jaxdeep 9.1. This version reads formats up to 1"):
        load(path)


def test_a_configuration_of_fewer_fields_takes_their_defaults(run, path) -> None:
    def remove(record: dict, _: dict) -> None:
        del record["config"]["train"]["keep"]
        del record["config"]["regularize"]

    assert load(rewritten(path, remove)).config == run.config


CHANGES: dict[str, Callable[[dict, dict], None]] = {
    "a weight": lambda _, arrays: arrays.update({name: of + 1 for name, of in arrays.items() if "bias" in name}),
    "the scale": lambda _, arrays: arrays.update(scale=arrays["scale"] * 2),
    "a class": lambda record, _: record["data"].update(class_names=["a", "b", "c", "d"]),
    "the seed": lambda record, _: record.update(seed=9),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_seen_by_the_digest(path, name) -> None:
    rewritten(path, CHANGES[name], sealed=False)
    with refused("damaged or changed"):
        load(path)


WRONG: dict[str, Callable[[dict, dict], None]] = {
    "no figures": lambda record, _: record.pop("figures"),
    "no weights": lambda _, arrays: arrays.pop(next(name for name in arrays if "kernel" in name)),
    "other weights": lambda _, arrays: arrays.update(
        {name: of[:, :1] for name, of in arrays.items() if "bias" in name}
    ),
    "other inputs": lambda record, _: record["data"].update(inputs=35),
    "an unknown field": lambda record, _: record["config"]["model"].update(later=1),
    "no data": lambda record, _: record.update(data=[1]),
}


@pytest.mark.parametrize("name", WRONG)
def test_content_that_does_not_fit_together_is_one_line(path, name) -> None:
    rewritten(path, WRONG[name])
    with refused(str(path)) as caught:
        load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("at", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_cut_or_flipped_file_is_one_line(run, path, at) -> None:
    content = path.read_bytes()
    place = int(at * len(content))
    for damaged in (content[:place], content[:place] + bytes([content[place] ^ 8]) + content[place + 1 :]):
        path.write_bytes(damaged)
        try:
            loaded, message = load(path), ""
        except UserError as error:
            loaded, message = None, str(error)
        if loaded is None:
            assert str(path) in message
            assert "\n" not in message
        else:  # a byte that says nothing, such as a date in the archive
            assert len(damaged) == len(content)
            assert_same_run(loaded, run)


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_other_files_are_refused_and_never_replaced(run, tmp_path) -> None:
    content = io.BytesIO()
    np.savez(content, record=np.array([{"a": 1}], dtype=object), digest=np.array("0"))
    others = {"text": b"hello\n", "npz": content.getvalue(), "empty": b""}
    for name, bytes_ in others.items():
        path = _written(tmp_path / name, bytes_)
        with refused("no saved run, or a damaged one"):
            load(path)
    for name in ("text", "empty"):
        with refused("exists and is no saved run"):
            run.save(tmp_path / name)
        assert (tmp_path / name).read_bytes() == others[name]
    with refused("cannot be read (No such file or directory)"):
        load(tmp_path / "missing.npz")
    with refused("cannot be written (No such file or directory). Choose a path in a folder that exists"):
        run.save(tmp_path / "missing" / "run.npz")
    with refused("path is 5. Allowed: a path"):
        run.save(5)  # type: ignore[arg-type]
    with refused("is no folder, and seed and name choose a run in a folder"):
        load(tmp_path / "text", seed=1)


def test_a_study_leaves_its_networks_and_keeps_them_when_it_grows(tmp_path) -> None:
    data, folder = small_dataset(CONFIG), tmp_path / "study"
    study = run_study(CONFIG, data, folder=folder)
    assert_same_run(load(folder), replace(study.runs[0], checkpoint_seconds=load(folder).checkpoint_seconds))
    first = (folder / "networks" / "seed_42.npz").read_bytes()
    grown = run_study(CONFIG, data, seeds=2, folder=folder)
    assert sorted(path.name for path in (folder / "networks").iterdir()) == ["seed_42.npz", "seed_43.npz"]
    assert (folder / "networks" / "seed_42.npz").read_bytes() == first
    for choice in ({"seed": 43}, {"name": "seed_43"}, {"seed": 43, "name": "seed_43"}):
        assert network_digest(load(folder, **choice)) == network_digest(grown.runs[1])
    assert {name: of.seed for name, of in load_all(folder).items()} == {"seed_42": 42, "seed_43": 43}
    with refused("has 2 saved runs. Choose one by seed= or name=: seed_42, seed_43."):
        load(folder)
    with refused("no saved run of that seed or name. Choose one by name=: seed_42, seed_43."):
        load(folder, seed=44)
    run_study(CONFIG.updated({"optim.learning_rate": 1e-2}), data, folder=folder, overwrite=True)
    assert [path.name for path in (folder / "networks").iterdir()] == ["seed_42.npz"]
    assert load(folder).config.optim.learning_rate == 1e-2


def test_a_grid_is_chosen_from_by_name(tmp_path) -> None:
    run_study(CONFIG, small_dataset(CONFIG), grid={"optim.learning_rate": [1e-3, 1e-2]}, folder=tmp_path / "study")
    names = [f"optim.learning_rate={rate}+seed_42" for rate in (0.001, 0.01)]
    with refused(f"2 saved runs of that seed or name. Choose one by name=: {names[0]}, {names[1]}."):
        load(tmp_path / "study", seed=42)
    assert load(tmp_path / "study", name=names[1]).config.optim.learning_rate == 1e-2


def test_a_folder_without_networks_says_how_to_get_them(tmp_path) -> None:
    data, folder = small_dataset(CONFIG), tmp_path / "study"
    study = run_study(CONFIG, data, folder=folder)
    shutil.rmtree(folder / "networks")
    with refused("Remove its summary.json and give its command again"):
        load(folder)
    (folder / "summary.json").unlink()
    with refused("It is not finished. Give its command again"):
        load_all(folder)
    run_study(CONFIG, data, folder=folder)
    assert network_digest(load(folder)) == network_digest(study.runs[0])
    with refused("has no saved run. Give a saved run, or the folder of a finished study"):
        load(tmp_path)


def test_a_data_set_without_info_is_saved_too(run, tmp_path) -> None:
    replace(run, data=replace(run.data, info=None)).save(tmp_path / "run.npz")
    loaded = load(tmp_path / "run.npz")
    assert loaded.data.info is None
    np.testing.assert_array_equal(loaded.predict(ROWS), run.predict(ROWS))


def test_resampled_rows_are_scaled_as_the_seed_drew_them(tmp_path) -> None:
    config = CONFIG.updated({"data.resample": True})
    run = fit(config, small_dataset(config), seed=5)
    run.save(tmp_path / "run.npz")
    np.testing.assert_array_equal(load(tmp_path / "run.npz").predict(ROWS), run.predict(ROWS))
    assert load(tmp_path / "run.npz").data.info.data == Data(valid_size=50, resample=True)


OF_TABLES = {
    "saved_table_0_2.npz": [[0.29958, 0.70042], [0.38798, 0.61202], [0.32386, 0.67614]],
    "saved_numbers_0_2.npz": [2248.68, 2439.226, 2042.88],
}
"""Networks on tables, written by version 0.2, and what each predicts of VISITS."""
VISITS = {"age": [70.0, 57.0, None], "city": ["Bern", "Rome", "Bern"], "active": [False, False, True]}


@pytest.mark.parametrize("name", OF_TABLES)
def test_networks_on_tables_of_version_0_2_take_frames(name: str) -> None:
    loaded = load(Path(__file__).parent / name)
    np.testing.assert_allclose(loaded.predict(pd.DataFrame(VISITS), check=False), OF_TABLES[name], rtol=1e-4)
    if loaded.data.task == "classification":
        assert loaded.data.info.label_values == ("no", "yes")
