"""A run that goes on from damaged checkpoints has the bits of an uninterrupted one, or there is an error in words."""

import json
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_data import SMALL, lean_compilation, small_dataset

from jaxdeep.errors import JaxdeepWarning, UserError
from jaxdeep.train.fit import Run, fit

KEPT = ("2", "3")
EXAMPLES = settings(
    max_examples=20,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
JSON = (
    st.none() | st.booleans() | st.integers(-2, 9) | st.floats(0, 9) | st.text(max_size=3) | st.just([]) | st.just({})
)


class Trained:
    """A run, and a folder in which it stopped after its third epoch."""

    def __init__(self, folder: Path) -> None:
        self.data = small_dataset(SMALL)
        self.whole = fit(SMALL, self.data, 1)
        self.folder = folder
        for until in KEPT:
            fit(SMALL, self.data, 1, checkpoints=folder, until=int(until))

    def ends_well(self, damage: Callable[[Path], object], *, alone: bool) -> Run | None:
        """Go on from a damaged copy: the same bits, or a UserError, then None."""
        with TemporaryDirectory() as place, warnings.catch_warnings():
            warnings.simplefilter("ignore", JaxdeepWarning)
            folder = Path(place, "kept")
            shutil.copytree(self.folder, folder)
            if alone:
                shutil.rmtree(folder / KEPT[0])
            damage(folder)
            words = ""
            try:
                run = fit(SMALL, self.data, 1, checkpoints=folder)
            except UserError as error:
                run, words = None, str(error)
        if run is None:
            assert "\n" not in words
            return None
        assert [record[:-1] for record in run.history] == [record[:-1] for record in self.whole.history]
        for one, other in zip(jax.tree.leaves(run.params), jax.tree.leaves(self.whole.params), strict=True):
            np.testing.assert_array_equal(one, other)
        return run


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Iterator[Trained]:
    with lean_compilation():
        yield Trained(tmp_path_factory.mktemp("trained") / "kept")


def places(values: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of nested JSON values."""
    if not isinstance(values, dict | list):
        return []
    keys = list(values) if isinstance(values, dict) else list(range(len(values)))
    return [(values, key) for key in keys] + [place for key in keys for place in places(values[key])]


@EXAMPLES
@given(data=st.data(), alone=st.booleans())
def test_whatever_value_of_the_record_is_altered(trained, data, alone) -> None:
    path = Path(KEPT[-1], "record", "metadata")
    record = json.loads((trained.folder / path).read_text())
    found = places(record)
    container, key = found[data.draw(st.integers(0, len(found) - 1), label="place")]
    how = data.draw(st.sampled_from(["replace", "remove", "rename"]), label="how")
    before = json.dumps(container[key])
    if how == "replace":
        container[key] = data.draw(JSON.filter(lambda value: json.dumps(value) != before), label="value")
    elif how == "rename" and isinstance(container, dict):
        container[f"{key}_"] = container.pop(key)
    else:
        del container[key]
    run = trained.ends_well(lambda folder: (folder / path).write_text(json.dumps(record)), alone=alone)
    assert (run is None) == alone  # altered, it is never believed


@EXAMPLES
@given(data=st.data(), alone=st.booleans())
def test_whatever_bit_of_a_file_is_flipped(trained, data, alone) -> None:
    files = sorted(path.relative_to(trained.folder) for path in trained.folder.glob("3/**/*") if path.is_file())
    path = data.draw(st.sampled_from(files), label="file")
    content = bytearray((trained.folder / path).read_bytes())
    bit = data.draw(st.integers(0, 8 * len(content) - 1), label="bit")
    content[bit // 8] ^= 1 << bit % 8
    run = trained.ends_well(lambda folder: (folder / path).write_bytes(content), alone=alone)
    assert alone or run is not None


@EXAMPLES
@given(data=st.data(), alone=st.booleans())
def test_whatever_file_is_cut_or_lost(trained, data, alone) -> None:
    files = sorted(path.relative_to(trained.folder) for path in trained.folder.glob("3/**/*") if path.is_file())
    path = data.draw(st.sampled_from(files), label="file")
    length = data.draw(st.integers(-1, (trained.folder / path).stat().st_size - 1), label="bytes left")

    def damage(folder: Path) -> None:
        content = (folder / path).read_bytes()
        (folder / path).unlink()
        if length >= 0:
            (folder / path).write_bytes(content[:length])

    run = trained.ends_well(damage, alone=alone)
    assert alone or run is not None


def write(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")


STRAY: dict[str, Callable[[Path], object]] = {
    "a text": lambda folder: write(folder / "notes.txt"),
    "a hidden file": lambda folder: write(folder / ".DS_Store"),
    "a file where the next one goes": lambda folder: write(folder / "4"),
    "an empty folder where the next one goes": lambda folder: (folder / "4").mkdir(),
    "a folder where the next one goes": lambda folder: write(folder / "4" / "state" / "x"),
    "an empty one behind": lambda folder: (folder / "9").mkdir(),
    "what a kill left": lambda folder: write(folder / "4.orbax-checkpoint-tmp" / "state" / "x"),
    "what a kill left long ago": lambda folder: write(folder / "4.orbax-checkpoint-tmp-1700000000" / "x"),
    "a file of that name": lambda folder: write(folder / "4.orbax-checkpoint-tmp"),
    "a number no integer holds": lambda folder: (folder / str(10**30)).mkdir(),
    "a link to nowhere": lambda folder: (folder / "8").symlink_to(folder / "nowhere"),
    "a copy under another number": lambda folder: shutil.copytree(folder / "3", folder / "7"),
    "a copy by a file manager": lambda folder: shutil.copytree(folder / "3", folder / "3 (copy)"),
    "another number": lambda folder: (folder / "3").rename(folder / "5"),
    "another's arrays": lambda folder: (
        shutil.rmtree(folder / "3" / "state"),
        shutil.copytree(folder / "2" / "state", folder / "3" / "state"),
    ),
    "another's record": lambda folder: (
        shutil.rmtree(folder / "3" / "record"),
        shutil.copytree(folder / "2" / "record", folder / "3" / "record"),
    ),
    "no record": lambda folder: shutil.rmtree(folder / "3" / "record"),
    "no arrays": lambda folder: shutil.rmtree(folder / "3" / "state"),
    "a record that is a list": lambda folder: (folder / "3" / "record" / "metadata").write_text("[]"),
    "a record that never ends": lambda folder: (folder / "3" / "record" / "metadata").write_text("[" * 100_000),
}


@pytest.mark.parametrize("stray", STRAY)
def test_whatever_else_is_in_the_folder(trained, stray) -> None:
    assert trained.ends_well(STRAY[stray], alone=False) is not None
