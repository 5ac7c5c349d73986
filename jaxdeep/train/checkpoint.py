"""Checkpoints by Orbax. They hold the whole state of a run, are written in the background and are verified when read.

A checkpoint holds the state's leaves by name and a JSON record. The record holds the run's history, the run's identity
and digests. Without digests a flipped byte would be restored in silence.

`arrays` is the digest of the leaves. `digest` is the digest of the rest of the record. In earlier versions `digest` was
that of the leaves and nothing covered the record. No key says which of the two a record has. A record that its `digest`
does not cover is believed only if the leaves have this digest. So no altered record of the new form passes for an
earlier one.

The last two checkpoints are kept. If the latest is damaged, the one before it is used.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import jax
import numpy as np

from jaxdeep.config.extension import check_continues
from jaxdeep.errors import UserError, warn
from jaxdeep.train.folders import claimed, reason_of
from jaxdeep.train.history import EpochRecord, as_json, from_rows, to_rows
from jaxdeep.train.leaves import Leaves, check_leaves, leaves_digest, leaves_of, record_digest, state_of
from jaxdeep.train.plain_path import plain_path
from jaxdeep.train.quiet import quiet_orbax, stay_quiet
from jaxdeep.train.state import TrainState

SECONDS_BETWEEN_CHECKPOINTS = 20.0
"""Age of the last checkpoint, in seconds, from which the next one is written."""
UNFINISHED: Final = "*.orbax-checkpoint-tmp*"
"""Pattern of the folders that a killed process leaves behind."""


OWN_ARRAYS: Final = "leaves.npz"
"""Name of the file of the arrays in a checkpoint that one of several processes has kept by itself."""


class Checkpointer:
    """The checkpoints of one run in a folder of its own. Without a folder it keeps nothing.

    It is a context whose end waits for checkpoints that are being written. Nobody else can use the folder meanwhile.

    Attributes:
        seconds: Seconds that the training loop has waited for checkpoints.
    """

    def __init__(self, folder: Path | str | None, identity: Mapping[str, Any], *, together: bool = False) -> None:
        """Open or make the folder and remove the unfinished checkpoints of killed processes.

        Args:
            folder: Folder of this run only, or None. `~` is the user's home.
            identity: Nested JSON values that identify the run. NumPy's numbers and arrays are taken too.
            together: Whether all processes of JAX's distributed runtime train this run and call this alike. Process 0
                then writes. Otherwise the run is this process's own.

        Raises:
            UserError: The folder cannot be used, somebody else uses it, or the identity is not for JSON.
        """
        self.seconds = 0.0
        self._run = as_json(identity)
        self._saved_at = time.perf_counter()
        self._manager: Any = None
        with contextlib.ExitStack() as stack:
            if folder is not None:
                path = Path(os.path.expanduser(folder))
                self._folder, self._together = path.absolute(), together
                if not together or jax.process_index() == 0:
                    stack.enter_context(claimed(path))
                self._open(stack)
            self._closing = stack.pop_all()

    def _open(self, stack: contextlib.ExitStack) -> None:
        """Open Orbax's manager of the folder."""
        stack.enter_context(quiet_orbax())
        import orbax.checkpoint as ocp  # takes 0.4 s, and not every run keeps checkpoints

        self._args = ocp.args
        self._as_numpy = ocp.RestoreArgs(restore_type=np.ndarray)
        # made in the background, a folder of one run would pass for another run's in the same process
        in_turn = ocp.AsyncOptions(create_directories_asynchronously=False)
        options = ocp.CheckpointManagerOptions(
            max_to_keep=2, enable_async_checkpointing=True, async_options=in_turn, **self._processes(ocp.options)
        )
        handlers: Any = None
        if self._is_own:
            from jaxdeep.train.own_arrays import OwnArraysHandler

            record = ocp.JsonCheckpointHandler(multiprocessing_options=options.multiprocessing_options)
            handlers = {"state": OwnArraysHandler(), "record": record}
            self._tree_handler = ocp.PyTreeCheckpointHandler(multiprocessing_options=options.multiprocessing_options)
        try:
            place = stack.enter_context(plain_path(self._folder))
            if not self._together or jax.process_index() == 0:
                for entry in self._folder.glob(UNFINISHED):
                    shutil.rmtree(entry, ignore_errors=True)
            self._place = place
            self._manager = ocp.CheckpointManager(place, options=options, item_handlers=handlers)
        except Exception as error:
            reason = reason_of(error)
            message = f"{self._folder}: cannot be used for checkpoints ({reason}). Choose another folder."
            raise UserError(message) from error

    def _processes(self, options: Any) -> dict[str, Any]:
        """Return Orbax's options of the processes that call it for this folder. One process needs none."""
        self._is_own = jax.process_count() > 1 and not self._together
        if jax.process_count() == 1:
            return {}
        own, prefix = jax.process_index(), f"jaxdeep {self._folder}"
        if self._together:
            return {"multiprocessing_options": options.MultiprocessingOptions(barrier_sync_key_prefix=prefix)}
        only = options.MultiprocessingOptions(
            primary_host=own, active_processes={own}, barrier_sync_key_prefix=f"{prefix} {own}"
        )
        return {"multiprocessing_options": only, "create": False}

    def _arrays_to_save(self, leaves: Leaves) -> Any:
        """Return the leaves as Orbax takes them in this process. It writes NumPy arrays in process 0 only."""
        if not self._is_own:
            return self._args.PyTreeSave(leaves)
        from jaxdeep.train.own_arrays import OwnArraysSave

        return OwnArraysSave(leaves)

    def __enter__(self) -> "Checkpointer":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Finish writing.

        Raises:
            UserError: Writing failed and the context has not raised a UserError already.
        """
        began = time.perf_counter()
        with self._closing:
            if self._manager is not None:
                self._close(kind)
        self.seconds += time.perf_counter() - began

    def _close(self, kind: type[BaseException] | None) -> None:
        """Close Orbax's manager. Keep its error back if the context raised a UserError."""
        try:
            with self._saving():
                self._manager.close()
        except BaseException as error:
            with contextlib.suppress(Exception):
                self._manager.close()  # closes what the failure left open
            if not isinstance(error, UserError) or kind is None or not issubclass(kind, UserError):
                raise

    def save(self, state: TrainState, history: Sequence[EpochRecord], *, at_once: bool) -> None:
        """Start writing a checkpoint between two epochs if the last one is 20 seconds old.

        An epoch that has a checkpoint already is left alone.

        Args:
            state: State after the history's last epoch. It is copied before this returns, so it may be donated.
            history: One record for each epoch so far.
            at_once: Whether to write it however young the last one is.

        Raises:
            UserError: This checkpoint or the one before it cannot be written.
        """
        if self._manager is None:
            return
        began = time.perf_counter()
        with self._saving():
            if not self._manager.is_saving_in_progress():
                self._manager.wait_until_finished()  # it has finished, and raises what ended it
        if at_once or self._is_due(began):
            self._write(len(history), leaves_of(state), to_rows(history))
            self._saved_at = time.perf_counter()
            self.seconds += self._saved_at - began

    def _is_due(self, now: float) -> bool:
        """Return whether the last checkpoint is old. The clock of process 0 says so for all that write it together."""
        is_due = now - self._saved_at > SECONDS_BETWEEN_CHECKPOINTS
        if not self._together or jax.process_count() == 1:
            return is_due
        from jax.experimental import multihost_utils

        return bool(multihost_utils.broadcast_one_to_all(np.bool_(is_due)))

    def _write(self, step: int, leaves: Leaves, rows: list[list[Any]]) -> None:
        """Start writing the checkpoint of an epoch."""
        record = {"history": rows, "step": step, "run": self._run, "arrays": leaves_digest(leaves)}
        with self._saving():
            self._manager.save(
                step,
                args=self._args.Composite(
                    state=self._arrays_to_save(leaves),
                    record=self._args.JsonSave({**record, "digest": record_digest(record)}),
                ),
            )

    def resume(self, fresh: TrainState) -> tuple[TrainState, list[EpochRecord]]:
        """Read the latest checkpoint that is whole and remove damaged later ones with a warning.

        Args:
            fresh: State before the first epoch. It has the expected structure, shapes and types.

        Returns:
            The state on the device and the history of its epochs. Without a checkpoint the fresh state and no history.

        Raises:
            UserError: The checkpoints are another run's, or all are damaged.

        Warns:
            JaxdeepWarning: A checkpoint is damaged.
        """
        if self._manager is None:
            return fresh, []
        expected = leaves_of(fresh)
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
                check_leaves(leaves, expected, record["arrays"])
                state, history = state_of(leaves, fresh), from_rows(record["history"])
                _check_history(state, history)
            except Exception as error:
                damaged.append(self._report(step, error))
                continue
            with self._saving():
                for later in damaged:  # the next checkpoints are saved in their place
                    self._manager.delete(later)
            return state, history
        if damaged:
            raise UserError(
                f"{self._folder}: no checkpoint can be read. Remove the folder, or give --overwrite, to start anew."
            )
        return fresh, []

    def _record(self, step: int) -> dict[str, Any]:
        """Return a checkpoint's record in the present form, whichever version wrote it."""
        record = self._read(step, record=self._args.JsonRestore()).record
        digest = record.pop("digest")
        if record_digest(record) == digest:
            if record["step"] != step:
                raise ValueError(f"it is checkpoint {record['step']}")
        elif "arrays" in record:
            raise ValueError("its digest is not that of its record")
        if not isinstance(record["run"], dict):
            raise ValueError("its record names no run")
        return {"arrays": digest, **record}

    def _arrays(self, step: int, expected: Leaves) -> Leaves:
        """Return a checkpoint's leaves in the order of the expected ones, whichever number of processes wrote it."""
        if (own := self._folder / str(step) / "state" / OWN_ARRAYS).exists():
            with np.load(own, allow_pickle=False) as archive:
                return {name: archive[name] for name in expected}
        restore_args = jax.tree.map(lambda _: self._as_numpy, expected)
        args = self._args.PyTreeRestore(item=expected, restore_args=restore_args)
        if self._is_own:  # the manager's own handler reads files of the other kind
            folder: Any = Path(self._place) / str(step) / "state"
            restored = self._tree_handler.restore(folder, args=args)
        else:
            restored = self._read(step, state=args).state
        return {name: restored[name] for name in expected}  # Orbax sorts them

    def _read(self, step: int, **args: Any) -> Any:
        """Read parts of a checkpoint."""
        return self._manager.restore(step, args=self._args.Composite(**args))

    @contextlib.contextmanager
    def _saving(self) -> Iterator[None]:
        """Turn any library's failure to write into an error of one line."""
        try:
            yield
        except Exception as error:
            stay_quiet()
            raise UserError(
                f"{self._folder}: a checkpoint cannot be saved ({reason_of(error)}), and earlier checkpoints are "
                "whole. Remove the cause and give the same command again to continue."
            ) from error

    def _report(self, step: int, error: Exception) -> int:
        """Warn of a damaged checkpoint and return its number."""
        stay_quiet()
        text = f"{self._folder / str(step)}: damaged checkpoint, not used ({reason_of(error)})."
        warn(text)
        return step


def _check_history(state: TrainState, history: Sequence[EpochRecord]) -> None:
    """Refuse a history whose number of epochs is not that of its state."""
    if len(history) != int(state.epoch):
        raise ValueError(f"it has figures of {len(history)} epochs, and weights of epoch {int(state.epoch)}")
