"""A pickled run is as large as its network, predicts in another process, and has no rows."""

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from small_data import SMALL, lean_compilation, small_arrays
from small_runs import trained_run
from test_saved import NEEDING_ROWS, assert_same_run, refused

from jaxdeep import Data, Dataset, Run
from jaxdeep.compress import finetune, prune
from jaxdeep.config import Config
from jaxdeep.data.row_ranges import dim_share
from jaxdeep.train.fit import fit
from jaxdeep.train.leaves import leaves_of

ROOT = Path(__file__).parent.parent
ROWS = small_arrays(20, seed=5)[0]
ELSEWHERE = """
import pickle, sys
import numpy as np
with open(sys.argv[1], "rb") as file:
    run = pickle.load(file)
np.save(sys.argv[2], run.predict(np.load(sys.argv[3])))
print(repr(run))
"""


@pytest.fixture(scope="module", autouse=True)
def lean() -> Iterator[None]:
    with lean_compilation():
        yield


def unpickled(run: Run) -> Run:
    return pickle.loads(pickle.dumps(run))


def test_another_process_predicts_the_same_bits(tmp_path) -> None:
    run = trained_run()
    (tmp_path / "run.pickle").write_bytes(pickle.dumps(run))
    np.save(tmp_path / "rows.npy", ROWS)
    paths = [tmp_path / name for name in ("run.pickle", "found.npy", "rows.npy")]
    command = [sys.executable, "-c", ELSEWHERE, *map(str, paths)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == repr(run)
    np.testing.assert_array_equal(np.load(tmp_path / "found.npy"), unpickled(run).predict(ROWS))
    np.testing.assert_array_equal(unpickled(run).predict(ROWS), run.predict(ROWS))


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_has_all_figures_and_no_rows(protocol) -> None:
    run = trained_run()
    found = pickle.loads(pickle.dumps(run, protocol))
    assert_same_run(found, run)
    data = found.data
    assert [len(split.images) for split in (data.train, data.valid, data.test)] == [0, 0, 0]
    assert (data.train.images.dtype, data.mean.dtype) == (run.data.train.images.dtype, run.data.mean.dtype)
    assert dim_share(data) == dim_share(run.data)
    assert_same_run(unpickled(found), run)
    assert run.data.train.size == 150


def test_a_pickle_is_as_large_as_its_network() -> None:
    rng = np.random.default_rng(0)
    config = Config(Data(valid_size=1_000)).updated({"model.units": (8,)})
    data = Dataset.from_arrays(rng.random((9_000, 100)), np.arange(9_000) % 2, data=config.data)
    run = fit(config.updated({"train.epochs": 1}), data)
    weights = sum(leaf.nbytes for leaf in leaves_of({"params": run.params}).values())
    size, rows = len(pickle.dumps(run)), data.train.images.nbytes
    assert rows > 2_500_000
    assert size < weights + 20_000


def test_a_subset_that_shares_its_images_leaves_them_all_out() -> None:
    config = SMALL.updated({"data.resample": True, "train.epochs": 1})
    run = fit(config, Dataset.from_arrays(*small_arrays(200), data=config.data), seed=3)
    found = unpickled(run).data
    assert found.info == run.data.info
    assert len(found.train.images) == len(found.valid.labels) == 0


def test_the_runs_of_pickles_are_saved_alike(tmp_path) -> None:
    for name, run in {"one": trained_run(), "other": unpickled(trained_run())}.items():
        run.save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


@pytest.mark.parametrize("name", NEEDING_ROWS)
def test_what_needs_rows_says_that_a_pickled_run_has_none(name) -> None:
    with refused("the data set arrays has no rows, because a saved or pickled run keeps none"):
        NEEDING_ROWS[name](unpickled(trained_run()).data)


@pytest.mark.parametrize("change", [lambda run: prune(run, 0.5), lambda run: finetune(run, {"train.epochs": 1})])
def test_a_pickled_run_is_not_evaluated_or_trained_again(change: Callable[[Run], Run]) -> None:
    with refused("has no rows, because a saved or pickled run keeps none"):
        change(unpickled(trained_run()))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_keeps_the_rows(copied: Callable[[Run], Run]) -> None:
    run = trained_run()
    found = copied(run)
    assert_same_run(found, run)
    assert found.data.train.size == 150
    np.testing.assert_array_equal(found.data.train.images, run.data.train.images)
