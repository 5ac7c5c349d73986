"""Checkpoints by Orbax: the whole state of a run, written in the background, verified when it is read.

A checkpoint holds the state's leaves by name and a JSON record: the run's history, what the run is, and digests, since
a flipped byte would otherwise be restored in silence. `arrays` is the digest of the leaves, and `digest` that of all
the rest of the record. In earlier versions `digest` was that of the leaves, and nothing covered the record. No key says
which of both it is. A record that its `digest` does not cover is believed only if the leaves have just this digest, so
nothing that is altered makes a new record pass for an earlier one.

The last two checkpoints are kept. When the latest is damaged, the one before it is used.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import jax
import numpy as np

from jaxdeep.config.extension import check_continues
from jaxdeep.errors import JaxdeepWarning, UserError
from jaxdeep.train.plain_path import plain_path
from jaxdeep.train.quiet import quieten_orbax

Leaves = dict[str, np.ndarray]
Verify = Callable[[Any, Mapping[str, Any]], None]
UNFINISHED: Final = "*.orbax-checkpoint-tmp*"
REASONS: Final = tuple(
    os.strerror(number)
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EMFILE, errno.EIO)
)
"""What the system says of a file that cannot be written; the libraries between quote it somewhere in their texts."""


class Restored(NamedTuple):
    """What a checkpoint held.

    Attributes:
        state: the pytree that was saved.
        record: the JSON values that were saved beside it.
    """

    state: Any
    record: dict[str, Any]


class CheckpointStore:
    """The checkpoints of one run, in a folder of their own; a context whose end waits for what is being written.

    Nobody else may use the folder meanwhile: see `jaxdeep.locks`.
    """

    def __init__(self, folder: Path, run: Mapping[str, Any]) -> None:
        """Open the folder, or make it, and remove what killed processes did not finish.

        Args:
            folder: of this run's own.
            run: what the run is, as nested JSON values.

        Raises:
            UserError: the folder cannot be used.
        """
        import orbax.checkpoint as ocp  # 0.4 s, and not every run keeps checkpoints

        quieten_orbax()
        self._folder, self._run = Path(os.path.expanduser(folder)).absolute(), run
        self._args = ocp.args
        self._as_numpy = ocp.RestoreArgs(restore_type=np.ndarray)
        # the folders of several runs in one process: made in the background, one's would pass for the other's
        in_turn = ocp.AsyncOptions(create_directories_asynchronously=False)
        options = ocp.CheckpointManagerOptions(max_to_keep=2, enable_async_checkpointing=True, async_options=in_turn)
        self._closing = contextlib.ExitStack()
        try:
            place = self._closing.enter_context(plain_path(self._folder))
            for entry in self._folder.glob(UNFINISHED):
                shutil.rmtree(entry, ignore_errors=True)
            self._manager = ocp.CheckpointManager(place, options=options)
        except Exception as error:
            self._closing.close()
            raise UserError(f"{self._folder}: cannot be used for checkpoints ({_reason(error)})") from error

    def save(self, step: int, state: Any, record: Mapping[str, Any]) -> None:
        """Start writing a checkpoint; a step that is there already is left alone.

        Args:
            step: number of the checkpoint; rises.
            state: any pytree of arrays; it is copied to the host before this returns, so it may be donated.
            record: JSON values; `step`, `run`, `arrays` and `digest` are added.

        Raises:
            UserError: this checkpoint cannot be written, or the one before could not.
        """
        leaves = _leaves(state)
        whole = {**record, "step": step, "run": self._run, "arrays": _digest(leaves)}
        with self._saving():
            self._manager.save(
                step,
                args=self._args.Composite(
                    state=self._args.PyTreeSave(leaves),
                    record=self._args.JsonSave({**whole, "digest": _record_digest(whole)}),
                ),
            )

    def check(self) -> None:
        """Notice without waiting that what was being written has failed.

        Raises:
            UserError: it has; says why.
        """
        with self._saving():
            if not self._manager.is_saving_in_progress():
                self._manager.wait_until_finished()  # it has finished, and raises what ended it

    def restore(self, like: Any, verify: Verify = lambda state, record: None) -> Restored | None:
        """Read the latest checkpoint that is whole; those behind it are removed, with a warning.

        Args:
            like: a pytree of the structure, shapes and types that are expected.
            verify: called with state and record; what it raises makes the checkpoint a damaged one.

        Returns:
            The state, on the device, and its record; None where there is no checkpoint.

        Raises:
            UserError: they are another run's, or all are damaged.
        """
        expected = _leaves(like)
        damaged: list[int] = []
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                record = self._record(step)
            except Exception as error:  # a truncated file raises anything, bare Exception included
                damaged.append(self._report(step, error))
                continue
            check_continues(str(self._folder), record["run"], self._run)
            try:
                leaves = self._arrays(step, expected)
                _check(leaves, expected, record["arrays"])
                state = _like(leaves, like)
                verify(state, record)
            except Exception as error:
                damaged.append(self._report(step, error))
                continue
            with self._saving():
                for later in damaged:  # they stand where the next ones are to be saved
                    self._manager.delete(later)
            return Restored(state, record)
        if damaged:
            raise UserError(
                f"{self._folder}: no checkpoint can be read. Remove the folder, or give --overwrite, to start anew"
            )
        return None

    def _record(self, step: int) -> dict[str, Any]:
        """A checkpoint's record, with `arrays` where an earlier version wrote it."""
        record = self._read(step, record=self._args.JsonRestore()).record
        claimed = record.pop("digest")
        if _record_digest(record) == claimed:
            if record["step"] != step:
                raise ValueError(f"it is checkpoint {record['step']}")
        elif "arrays" in record:
            raise ValueError("its digest is not that of its record")
        if not isinstance(record["run"], dict):
            raise ValueError("its record names no run")
        return {"arrays": claimed, **record}

    def _arrays(self, step: int, expected: Leaves) -> Leaves:
        restore_args = jax.tree.map(lambda _: self._as_numpy, expected)
        args = self._args.PyTreeRestore(item=expected, restore_args=restore_args)
        found = self._read(step, state=args).state
        return {name: found[name] for name in expected}  # Orbax sorts them

    def _read(self, step: int, **args: Any) -> Any:
        return self._manager.restore(step, args=self._args.Composite(**args))

    @contextlib.contextmanager
    def _saving(self) -> Iterator[None]:
        """Say in one line why nothing can be written, whichever library found out."""
        try:
            yield
        except Exception as error:
            raise UserError(
                f"{self._folder}: a checkpoint cannot be saved ({_reason(error)}). What was saved before is "
                "whole. Mend that, and the same command goes on from there"
            ) from error

    def _report(self, step: int, error: Exception) -> int:
        text = f"{self._folder / str(step)}: damaged checkpoint, not used ({_reason(error)})"
        warnings.warn(text, JaxdeepWarning, stacklevel=4)
        return step

    def __enter__(self) -> "CheckpointStore":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Finish writing.

        Raises:
            UserError: it failed, and nothing else has been said yet.
        """
        try:
            with self._saving():
                self._manager.close()
        except BaseException as error:
            with contextlib.suppress(Exception):
                self._manager.close()  # what the failure left open
            if not isinstance(error, UserError) or kind is None or not issubclass(kind, UserError):
                raise
        finally:
            self._closing.close()


def _reason(error: BaseException) -> str:
    """In a few words why something failed."""
    text = str(error)
    for reason in REASONS:
        if reason in text:
            return reason
    return text.splitlines()[0][:120] if text.strip() else type(error).__name__


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


def _record_digest(record: Mapping[str, Any]) -> str:
    """The digest of JSON values, in whatever order their keys stand."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _check(found: Leaves, expected: Leaves, digest: str) -> None:
    for name, leaf in expected.items():
        if (found[name].shape, found[name].dtype) != (leaf.shape, leaf.dtype):
            raise ValueError(f"{name} is {found[name].dtype}{found[name].shape}, expected {leaf.dtype}{leaf.shape}")
    if _digest(found) != digest:
        raise ValueError("its digest is not that of its arrays")
