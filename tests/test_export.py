"""An exported network gives the run's probabilities without its training code, and a damaged folder is one line."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import a_users_own
import jax
import numpy as np
import pytest
from small_data import SMALL, lean_compilation, small_arrays, small_dataset
from small_runs import TRAINED, drawn_run, trained_run
from test_saved import NAMED, frame, named_dataset

from jaxdeep import Dataset, ExportedNetwork, JaxdeepWarning, Run, UserError, fit, load, load_exported
from jaxdeep.train import exported, exporting
from jaxdeep.train.exported_file import FILES, NETWORK, RECORD, _digest

pytest.importorskip("flatbuffers", reason="flatbuffers is not installed, and jax.export serialises with it")

BN = TRAINED.updated({"model.batch_norm": True})
ROWS = small_arrays(40, seed=5)[0]


@pytest.fixture(scope="module", autouse=True)
def lean() -> Iterator[None]:
    with lean_compilation():
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    trained_run().export(tmp_path / "served", platforms=("cpu",))
    return tmp_path / "served"


def called_back(x: jax.Array) -> jax.Array:
    """An activation that calls Python."""
    return jax.pure_callback(np.tanh, x, x, vmap_method="sequential")


def refused(text: str) -> AbstractContextManager[object]:
    """A context that must raise a UserError of one line with this text."""
    return pytest.raises(UserError, match=rf"\A.*{re.escape(text)}.*\Z")


def exported_again(run: Run, folder: Path) -> ExportedNetwork:
    run.export(folder, platforms=("cpu",))
    return load_exported(folder)


def assert_same_answers(run: Run, network: ExportedNetwork, rows: np.ndarray = ROWS) -> None:
    np.testing.assert_allclose(network.probabilities(rows), run.predict(rows), atol=1e-5)


def is_folded(folder: Path) -> bool:
    return json.loads((folder / RECORD).read_text())["batch_norm_folded"]


def rewritten(folder: Path, change: Callable[[dict], object], *, sealed: bool = True) -> None:
    """Change the record, with a new digest or with the old one."""
    record = json.loads((folder / RECORD).read_text())
    change(record)
    if sealed:
        record.pop("digest")
        record["digest"] = _digest(record)
    (folder / RECORD).write_text(json.dumps(record))


SERVE = """
import sys
import numpy as np
from jaxdeep import load_exported

network = load_exported("served")
rows = np.load("rows.npy")
np.save("found.npy", network.probabilities(rows))
np.save("labels.npy", network.predict(rows))
print(*sorted({"flax", "optax", "orbax", "matplotlib", "tyro", "jaxdeep.nn"} & set(sys.modules)))
"""


def test_another_process_serves_it_without_the_training_code(tmp_path) -> None:
    run = fit(NAMED, named_dataset(), seed=3)
    run.export(tmp_path / "served")
    rows = frame(7).to_numpy()
    np.save(tmp_path / "rows.npy", rows)
    paths = os.pathsep.join([str(Path(__file__).parent.parent), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    done = subprocess.run(
        [sys.executable, "-c", SERVE],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == ""
    expected = run.predict(rows)
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), expected, atol=1e-5)
    labels = np.load(tmp_path / "labels.npy")  # text without pickles
    assert labels.tolist() == [("blue", "green", "red")[index] for index in expected.argmax(1)]


def test_one_export_serves_any_number_of_rows(folder) -> None:
    network, before = load_exported(folder), (folder / NETWORK).read_bytes()
    for count in (1, 2, 33, 1_000):
        assert_same_answers(trained_run(), network, small_arrays(count, seed=6)[0])
    assert (folder / NETWORK).read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == [RECORD, NETWORK]


def keys_of(record: dict, before: str = "") -> set[str]:
    """Return each key with the keys above it. The names of files are no keys."""
    keys = set()
    for key, value in record.items():
        is_inner = isinstance(value, dict) and key != "files"
        keys |= keys_of(value, f"{before}{key}.") if is_inner else {f"{before}{key}"}
    return keys


def test_the_schema_describes_every_key_of_the_record(folder) -> None:
    page = (Path(__file__).parent.parent / "docs" / "schema.md").read_text()
    section = page.partition("\n## export.json\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([\w., ]+) \|", section.partition("|---|")[2], re.MULTILINE)
    assert {key for row in rows for key in row.split(", ")} == keys_of(json.loads((folder / RECORD).read_text()))


def test_plain_jax_serves_it_too(folder) -> None:
    rows = ROWS.reshape(len(ROWS), -1).astype(np.float32)
    found = jax.export.deserialize(bytearray((folder / NETWORK).read_bytes())).call(rows)
    np.testing.assert_allclose(found, trained_run().predict(ROWS), atol=1e-5)


def test_platforms_are_chosen_and_a_missing_one_is_named(tmp_path, monkeypatch) -> None:
    trained_run().export(tmp_path / "all")
    assert load_exported(tmp_path / "all").platforms == ("cpu", "cuda", "tpu")
    assert_same_answers(trained_run(), load_exported(tmp_path / "all"))
    trained_run().export(tmp_path / "tpu", platforms=["tpu"])
    with refused("was exported for tpu, and JAX runs on cpu here. Export the run again with platforms=('cpu',)."):
        load_exported(tmp_path / "tpu")
    for wrong in ((), ("cpu", "npu"), "cpu", 3):
        with refused("one or more of cpu, cuda, rocm, tpu"):
            trained_run().export(tmp_path / "all", platforms=wrong)


PLACES = {
    **{place: BN.updated({"model.batch_norm_place": place}) for place in ("before", "after", "input")},
    "of the input": BN.updated({"model.batch_norm_input": True}),
    "with skips, before": BN.updated({"model.skip": True}),
}


@pytest.mark.parametrize("place", PLACES)
def test_batch_normalisation_is_folded(place, tmp_path) -> None:
    run = drawn_run(PLACES[place], 0.2)
    assert_same_answers(run, exported_again(run, tmp_path / "served"))
    assert is_folded(tmp_path / "served")


def test_what_cannot_be_folded_is_exported_as_it_is(tmp_path) -> None:
    run = drawn_run(BN.updated({"model.skip": True, "model.batch_norm_place": "after"}), 0.2)
    assert_same_answers(run, exported_again(run, tmp_path / "served"))
    assert not is_folded(tmp_path / "served")


NETWORKS = {
    "sigmoid head": {"model.head": "sigmoid", "data.classes": (0, 1)},
    "dropout": {"model.dropout_sites": "every", "model.dropout_rate": 0.4},
    "slopes": {"model.activation": "prelu"},
    "random slopes": {"model.activation": "rrelu"},
    "short products": {"train.matmul_precision": "bfloat16"},
    "your own": {"model.activation": a_users_own.snake},
    "raw rows": {"data.scaling": "none"},
}


@pytest.mark.parametrize("name", NETWORKS)
def test_other_networks(name, tmp_path) -> None:
    config = SMALL.updated({"train.epochs": 1, **NETWORKS[name]})
    run = fit(config, small_dataset(config))
    network = exported_again(run, tmp_path / "served")
    assert_same_answers(run, network)
    np.testing.assert_array_equal(network.probabilities(ROWS), network.probabilities(ROWS))


def test_a_run_from_a_transfer_is_exported_whole(tmp_path) -> None:
    trained_run().save(tmp_path / "source.npz")
    changes = {"transfer.source": str(tmp_path / "source.npz"), "transfer.layers": 2}
    config = TRAINED.updated({"train.epochs": 1, **changes})
    run = fit(config, small_dataset(config))
    assert_same_answers(run, exported_again(run, tmp_path / "served"))


def test_a_loaded_run_is_exported_and_folded(tmp_path) -> None:
    drawn_run(BN, 0.2).save(tmp_path / "run.npz")
    loaded = load(tmp_path / "run.npz")
    assert_same_answers(loaded, exported_again(loaded, tmp_path / "served"))
    assert is_folded(tmp_path / "served")
    unknown = replace(loaded, data=replace(loaded.data, info=None))
    assert_same_answers(unknown, exported_again(unknown, tmp_path / "served"))
    assert load_exported(tmp_path / "served").class_names == ("0", "1", "2", "3")


@pytest.mark.parametrize(
    "labels", [np.array(["a", "bee"]), np.array([False, True]), np.array([-7, 2**40]), np.array([0, 1])]
)
def test_labels_are_kept_as_they_were_given(labels, tmp_path) -> None:
    rows, classes = small_arrays(200)
    given = labels[classes % 2]
    run = fit(SMALL.updated({"train.epochs": 1}), Dataset.from_arrays(rows, given, data=SMALL.data))
    network = exported_again(run, tmp_path / "served")
    found = network.predict(ROWS)
    assert network.labels == tuple(labels.tolist())
    assert found.dtype.kind == labels.dtype.kind
    np.testing.assert_array_equal(found, labels[run.predict(ROWS).argmax(1)])


def test_rows_are_checked_in_the_words_of_the_run(tmp_path) -> None:
    run = fit(NAMED, named_dataset(), seed=3)
    network = exported_again(run, tmp_path / "served")
    rows = frame(5)
    reversed_columns = rows[rows.columns[::-1]]
    assert_same_answers(run, network, reversed_columns)
    infinite = rows.to_numpy().copy()
    infinite[1, 2] = np.inf
    for wrong in (rows.drop(columns="height"), rows.to_numpy()[0], rows.to_numpy()[:0], infinite, [["a", "b", "c"]]):
        messages = []
        for ask in (run.predict, network.probabilities, network.predict):
            with pytest.raises(UserError) as caught:
                ask(wrong)
            messages.append(str(caught.value))
        assert len(set(messages)) == 1
    with pytest.warns(JaxdeepWarning, match=r"outside the range.*column 'width'"):
        network.predict(rows + np.array([50, 0, 0]))
    network.predict(rows + np.array([50, 0, 0]), check=False)
    bright = load_exported(tmp_path / "served")
    assert bright.row_shape == (3,)


def test_pixels_on_another_scale_are_refused(folder) -> None:
    with refused("all rows are within 0..1, and the training rows were in"):
        load_exported(folder).predict(ROWS / 255)


@pytest.mark.usefixtures("x64")
def test_float64_is_kept_and_needs_jax_to_have_it(tmp_path) -> None:
    config = SMALL.updated({"train.dtype": "float64", "train.epochs": 1})
    run = fit(config, small_dataset(config))
    network = exported_again(run, tmp_path / "served")
    assert network.probabilities(ROWS).dtype == np.float64
    np.testing.assert_allclose(network.probabilities(ROWS), run.predict(ROWS), atol=1e-12)
    with jax.enable_x64(False), refused("computes in float64, which needs JAX's 64-bit types"):
        load_exported(tmp_path / "served")


def test_an_untrained_run_and_a_function_that_calls_python_are_refused(tmp_path) -> None:
    with refused("untrained"):
        replace(trained_run(), best_epoch=0).export(tmp_path / "served")

    run = trained_run()
    config = TRAINED.updated({"model.activation": called_back})
    with refused("called_back, which jax.export cannot export"):
        replace(run, config=config).export(tmp_path / "served")
    assert not (tmp_path / "served").exists()


def test_flatbuffers_is_asked_for_in_one_line(folder, monkeypatch) -> None:
    monkeypatch.setattr(exported, "find_spec", lambda _: None)
    with refused("Run.export needs the package flatbuffers, which is not installed. Install jaxdeep[export]."):
        trained_run().export(folder)
    with refused("load_exported needs the package flatbuffers"):
        load_exported(folder)


def test_a_folder_with_other_files_is_left_alone(folder) -> None:
    (folder / "mine.txt").write_text("mine")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with refused("has other files, such as mine.txt. Choose an empty folder, or a new one."):
        trained_run().export(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    with refused("mine.txt is a file. Choose a folder."):
        trained_run().export(folder / "mine.txt")
    with refused("cannot be written (Not a directory). Choose a folder that can be written."):
        trained_run().export(folder / "mine.txt" / "served")
    with refused("folder is 3. Allowed: a path"):
        trained_run().export(3)  # type: ignore[arg-type]


def test_an_earlier_export_is_replaced(folder) -> None:
    run = fit(SMALL.updated({"train.epochs": 1}), small_dataset(SMALL))
    assert_same_answers(run, exported_again(run, folder))


def test_what_a_later_version_adds_is_ignored_and_a_later_format_refused(folder) -> None:
    rewritten(folder, lambda record: record.update(later={"a": 1}))
    assert_same_answers(trained_run(), load_exported(folder))
    rewritten(folder, lambda record: record.update(format=2, jaxdeep="9.1"))
    with refused("has format 2, written by jaxdeep 9.1. This version reads formats up to 1"):
        load_exported(folder)


@pytest.mark.parametrize("file", FILES[:2])
@pytest.mark.parametrize("at", [0.0, 0.1, 0.5, 0.9])
def test_a_cut_or_flipped_file_is_one_line(folder, file, at) -> None:
    content = (folder / file).read_bytes()
    place = int(at * len(content))
    for damaged in (content[:place], content[:place] + bytes([content[place] ^ 8]) + content[place + 1 :]):
        (folder / file).write_bytes(damaged)
        try:
            network, message = load_exported(folder), ""
        except UserError as error:
            network, message = None, str(error)
        if network is None:
            assert str(folder) in message
            assert "\n" not in message
        else:  # a byte that says nothing, such as a space between two keys
            assert file == RECORD
            assert_same_answers(trained_run(), network)
    (folder / file).unlink()
    with refused("cannot be read (No such file or directory). Give the folder that Run.export wrote."):
        load_exported(folder)


WRONG: dict[str, Callable[[dict], object]] = {
    "no labels": lambda record: record.pop("labels"),
    "no rows": lambda record: record.update(rows=3),
    "no platforms": lambda record: record.update(platforms=None),
    "no ranges": lambda record: record["rows"]["columns"].pop("low"),
}


@pytest.mark.parametrize("name", WRONG)
def test_content_that_does_not_fit_together_is_one_line(folder, name) -> None:
    rewritten(folder, WRONG[name])
    with refused("cannot be read as an exported network"):
        load_exported(folder)
    rewritten(folder, lambda record: record.update(seed=9), sealed=False)
    with refused("damaged or changed"):
        load_exported(folder)


def test_what_another_jax_cannot_read_is_one_line(folder, monkeypatch) -> None:
    def refuse(_: bytearray) -> None:
        raise ValueError("version 99 is later\nthan this one")

    monkeypatch.setattr(exported.export, "deserialize", refuse)
    with refused(f"cannot read what JAX {jax.__version__} wrote (version 99 is later). Export the run again."):
        load_exported(folder)


def test_a_fold_that_changes_answers_is_not_exported(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(exporting, "TOLERANCE", -1.0)
    assert_same_answers(drawn_run(BN, 0.2), exported_again(drawn_run(BN, 0.2), tmp_path / "served"))
    assert not is_folded(tmp_path / "served")
