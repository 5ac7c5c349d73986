"""Checkpoints by Orbax: the whole state of a run, written in the background, verified when it is read.

A checkpoint holds the state's leaves by name and a JSON record: the run's history, what the run is, and a digest of
the leaves, since a flipped byte would otherwise be restored in silence. The last two are kept; when the latest is
damaged, the one before it is used.
"""

import hashlib
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxdeep.config import refuse_other
from jaxdeep.errors import UserError

Leaves = dict[str, np.ndarray]


class Restored(NamedTuple):
    """What a checkpoint held.

    Attributes:
        state: the pytree that was saved.
        record: the JSON values that were saved beside it.
    """

    state: Any
    record: dict[str, Any]


class CheckpointStore:
    """The checkpoints of one run, in a folder of their own; a context whose end waits for what is being written."""

    def __init__(self, folder: Path, run: Mapping[str, Any]) -> None:
        """Open the folder, or make it.

        Args:
            folder: of this run's own.
            run: what the run is, as nested JSON values.
        """
        import orbax.checkpoint as ocp  # 0.4 s, and not every run keeps checkpoints

        logging.getLogger("absl").setLevel(logging.ERROR)
        self._folder, self._run = Path(folder).absolute(), run
        self._args = ocp.args
        self._as_numpy = ocp.RestoreArgs(restore_type=np.ndarray)
        # the folders of several runs in one process: made in the background, one's would pass for the other's
        in_turn = ocp.AsyncOptions(create_directories_asynchronously=False)
        options = ocp.CheckpointManagerOptions(max_to_keep=2, enable_async_checkpointing=True, async_options=in_turn)
        self._manager = ocp.CheckpointManager(self._folder, options=options)

    def save(self, step: int, state: Any, record: Mapping[str, Any]) -> None:
        """Start writing a checkpoint; a step that is there already is left alone.

        Args:
            step: number of the checkpoint; rises.
            state: any pytree of arrays; it is copied to the host before this returns, so it may be donated.
            record: JSON values.
        """
        leaves = _leaves(state)
        self._manager.save(
            step,
            args=self._args.Composite(
                state=self._args.PyTreeSave(leaves),
                record=self._args.JsonSave({**record, "run": self._run, "digest": _digest(leaves)}),
            ),
        )

    def restore(self, like: Any) -> Restored | None:
        """The latest checkpoint that is whole.

        Args:
            like: a pytree of the structure, shapes and types that are expected.

        Returns:
            The state, on the device, and its record; None where there is no checkpoint.

        Raises:
            UserError: they are another run's, or all are damaged.
        """
        expected = _leaves(like)
        damaged: list[int] = []
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                record = self._read(step, record=self._args.JsonRestore()).record
                saved_run, digest = record["run"], record["digest"]
            except Exception as error:  # a truncated file raises anything, bare Exception included
                damaged.append(self._report(step, error))
                continue
            refuse_other(str(self._folder), saved_run, self._run)
            try:
                restore_args = jax.tree.map(lambda _: self._as_numpy, expected)
                found = self._read(step, state=self._args.PyTreeRestore(item=expected, restore_args=restore_args)).state
                leaves = {name: found[name] for name in expected}  # Orbax sorts them
                _check(leaves, expected, digest)
            except Exception as error:
                damaged.append(self._report(step, error))
                continue
            for later in damaged:  # they stand where the next ones are to be saved
                self._manager.delete(later)
            return Restored(_like(leaves, like), record)
        if damaged:
            raise UserError(f"{self._folder}: no checkpoint can be read; --overwrite starts the run anew")
        return None

    def _read(self, step: int, **args: Any) -> Any:
        return self._manager.restore(step, args=self._args.Composite(**args))

    def _report(self, step: int, error: Exception) -> int:
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        print(f"{self._folder / str(step)}: damaged checkpoint, not used ({reason})", file=sys.stderr)
        return step

    def __enter__(self) -> "CheckpointStore":
        return self

    def __exit__(self, *_: object) -> None:
        """Finish writing."""
        self._manager.close()


def _leaves(state: Any) -> Leaves:
    """The leaves by name, copied to the host; random keys as their data."""
    named, _ = jax.tree.flatten_with_path(state)
    return {jax.tree_util.keystr(path, simple=True, separator="."): np.array(_plain(leaf)) for path, leaf in named}


def _plain(leaf: Any) -> Any:
    return jax.random.key_data(leaf) if jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf


def _like(leaves: Leaves, like: Any) -> Any:
    """The inverse of `_leaves`, on the device."""

    def device_leaf(leaf: np.ndarray, template: Any) -> jax.Array:
        if jax.numpy.issubdtype(template.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(jax.numpy.asarray(leaf), impl=jax.random.key_impl(template))
        return jax.numpy.asarray(leaf)

    templates, structure = jax.tree.flatten(like)
    return structure.unflatten(map(device_leaf, leaves.values(), templates))


def _digest(leaves: Leaves) -> str:
    digest = hashlib.sha256()
    for name, leaf in leaves.items():
        digest.update(f"{name} {leaf.dtype} {leaf.shape}".encode())
        digest.update(np.ascontiguousarray(leaf).data)
    return digest.hexdigest()


def _check(found: Leaves, expected: Leaves, digest: str) -> None:
    for name, leaf in expected.items():
        if (found[name].shape, found[name].dtype) != (leaf.shape, leaf.dtype):
            raise ValueError(f"{name} is {found[name].dtype}{found[name].shape}, expected {leaf.dtype}{leaf.shape}")
    if _digest(found) != digest:
        raise ValueError("its digest is not that of its arrays")
