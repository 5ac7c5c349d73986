"""A checkpoint comes back bit for bit, or is not used."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_data import SMALL, small_dataset

from jaxdeep.errors import JaxdeepWarning, UserError
from jaxdeep.train import step
from jaxdeep.train.checkpoint import Checkpointer
from jaxdeep.train.fit import fit
from jaxdeep.train.history import EpochRecord
from jaxdeep.train.state import TrainState


@pytest.fixture(scope="module")
def state() -> TrainState:
    data = small_dataset(SMALL)
    state = step.start(SMALL, SMALL.hyper(), data, jax.random.key(3))
    return step.run_epoch(SMALL, state, SMALL.hyper(), data)[0]


RUN = {"seed": 3}


def leaves(state: TrainState) -> list[np.ndarray]:
    plain = state._replace(key=jax.random.key_data(state.key))
    return [np.asarray(leaf) for leaf in jax.tree.leaves(plain)]


def assert_same(one: TrainState, other: TrainState) -> None:
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for left, right in zip(leaves(one), leaves(other), strict=True):
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)


def history(epochs: int) -> list[EpochRecord]:
    return [EpochRecord(epoch, *(0.5,) * 6) for epoch in range(1, epochs + 1)]


def saved(folder, state: TrainState, steps=(1, 2)) -> None:
    with Checkpointer(folder, RUN) as checkpointer:
        for number in steps:
            epoch = jnp.asarray(number, jnp.int32)
            checkpointer.save(state._replace(epoch=epoch), history(number), at_once=True)


def largest_file(folder):
    """The file that holds most of the arrays."""
    return max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


def test_the_whole_state_comes_back(tmp_path, state) -> None:
    saved(tmp_path, state)
    with Checkpointer(tmp_path, RUN) as checkpointer:
        restored, records = checkpointer.resume(state)
    assert_same(restored, state._replace(epoch=jnp.asarray(2, jnp.int32)))
    assert records == history(2)
    draw = jax.random.uniform(restored.key)
    assert draw == jax.random.uniform(state.key)


def test_an_empty_folder_holds_none(tmp_path, state) -> None:
    with Checkpointer(tmp_path, RUN) as checkpointer:
        fresh, records = checkpointer.resume(state)
    assert fresh is state
    assert records == []


def test_two_are_kept(tmp_path, state) -> None:
    saved(tmp_path, state, steps=(1, 2, 3, 4))
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.isdigit()) == ["3", "4"]


def test_a_state_may_be_donated_right_after_it_is_saved(tmp_path, state) -> None:
    mine = jax.tree.map(jnp.copy, state)
    expected = leaves(mine)
    with Checkpointer(tmp_path, RUN) as checkpointer:
        checkpointer.save(mine, history(1), at_once=True)
        overwrite = jax.jit(lambda tree: jax.tree.map(lambda leaf: leaf * 0, tree), donate_argnums=0)
        jax.block_until_ready(overwrite(mine.params))
    with Checkpointer(tmp_path, RUN) as checkpointer:
        restored, records = checkpointer.resume(state)
    assert records == history(1)
    for left, right in zip(leaves(restored), expected, strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_flipped_byte_is_found_and_the_one_before_is_used(tmp_path, state) -> None:
    saved(tmp_path, state)
    path = largest_file(tmp_path / "2" / "state")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with (
        Checkpointer(tmp_path, RUN) as checkpointer,
        pytest.warns(JaxdeepWarning, match="2: damaged checkpoint, not used"),
    ):
        _, records = checkpointer.resume(state)
    assert records == history(1)
    saved(tmp_path, state, steps=(2,))
    with Checkpointer(tmp_path, RUN) as checkpointer:
        _, records = checkpointer.resume(state)
    assert records == history(2)


def test_truncated_files_everywhere_are_an_error_that_names_the_folder(tmp_path, state) -> None:
    saved(tmp_path, state)
    for number in ("1", "2"):
        path = largest_file(tmp_path / number / "state")
        path.write_bytes(path.read_bytes()[:100])
    with (
        Checkpointer(tmp_path, RUN) as checkpointer,
        pytest.warns(JaxdeepWarning, match="damaged checkpoint"),
        pytest.raises(UserError, match=f"{tmp_path}: no checkpoint can be read"),
    ):
        checkpointer.resume(state)


def as_earlier_versions_wrote_it(folder: Path, **changes: Any) -> None:
    """Rewrite a checkpoint's record: its digest covers the arrays, and nothing but these."""
    path = folder / "record" / "metadata"
    record = json.loads(path.read_text())
    digest = record.pop("arrays")
    path.write_text(json.dumps({**record, "digest": digest, **changes}))


def test_a_checkpoint_of_an_earlier_version_is_restored_and_its_arrays_are_verified(tmp_path, state) -> None:
    saved(tmp_path, state)
    for number in ("1", "2"):
        as_earlier_versions_wrote_it(tmp_path / number)
    with Checkpointer(tmp_path, RUN) as checkpointer:
        _, records = checkpointer.resume(state)
    assert records == history(2)
    largest = largest_file(tmp_path / "2" / "state")
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)
    with Checkpointer(tmp_path, RUN) as checkpointer, pytest.warns(JaxdeepWarning, match="2: damaged checkpoint"):
        _, records = checkpointer.resume(state)
    assert records == history(1)


def test_an_earlier_versions_history_must_be_one_of_as_many_epochs(tmp_path) -> None:
    data = small_dataset(SMALL)
    whole = fit(SMALL, data, seed=1)
    for rows in ([], [[1, "text", 0, 0, 0, 0, 0]], 3, [[epoch] + [0.5] * 6 for epoch in (1, 2, 4)]):
        shutil.rmtree(tmp_path / "kept", ignore_errors=True)
        for until in (2, 3):
            fit(SMALL, data, seed=1, checkpoints=tmp_path / "kept", until=until)
        as_earlier_versions_wrote_it(tmp_path / "kept" / "3", history=rows)
        with pytest.warns(JaxdeepWarning, match="3: damaged checkpoint"):
            run = fit(SMALL, data, seed=1, checkpoints=tmp_path / "kept")
        assert [record[:-1] for record in run.history] == [record[:-1] for record in whole.history]


@pytest.mark.parametrize("field", ["seed", "config", "shape", "data"])
def test_another_runs_checkpoints_are_refused_with_what_differs(tmp_path, field) -> None:
    data = small_dataset(SMALL)
    fit(SMALL, data, seed=1, checkpoints=tmp_path)
    config, seed, message = SMALL, 1, ""
    match field:
        case "seed":
            seed, message = 2, r"seed \(there 1, here 2\)"
        case "config":
            config = replace(SMALL, optim=replace(SMALL.optim, learning_rate=1.0))
            message = r"config.optim.learning_rate \(there 0.003, here 1.0\)"
        case "shape":
            config = replace(SMALL, model=replace(SMALL.model, units=(5,)))
            message = r"config.model.units \(there \[12, 12, 12\], here \[5\]\)"
        case "data":
            assert data.info is not None
            data = replace(data, info=data.info._replace(digest="other"))
            message = "data.digest"
    with pytest.raises(UserError, match=message):
        fit(config, data, seed=seed, checkpoints=tmp_path)


NAMES = ("a[1]b", "what?", "50%20", "a#b", "a\\b", "two\nlines", "{x}", "~x", "3.orbax-checkpoint-tmp", "\udcff")


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_folder_may_have_any_name(tmp_path, state, name) -> None:
    (tmp_path / "a1b").mkdir()  # what a pattern would find
    saved(tmp_path / name, state)
    with Checkpointer(tmp_path / name, RUN) as checkpointer:
        _, records = checkpointer.resume(state)
    assert records == history(2)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["a1b", name])


def test_a_folder_that_is_none_is_refused(tmp_path, state) -> None:
    (tmp_path / "file").write_text("mine")
    for folder, reason in (
        ("file", "not a folder"),
        ("file/deeper", "not a folder"),
        ("a\0b", "null (byte|character)"),
    ):
        with pytest.raises(UserError, match=f"cannot be used for checkpoints.*{reason}"):
            fit(SMALL, small_dataset(SMALL), checkpoints=tmp_path / folder)
    assert (tmp_path / "file").read_text() == "mine"


def test_home_is_where_a_tilde_leads(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    fit(SMALL, small_dataset(SMALL), checkpoints="~/kept", until=1)
    assert (tmp_path / "kept" / "1").is_dir()
