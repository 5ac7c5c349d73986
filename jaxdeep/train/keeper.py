"""One run kept in a folder while it goes on, and found there again."""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxdeep.errors import UserError
from jaxdeep.locks import alone_in
from jaxdeep.train.checkpoint import CheckpointStore
from jaxdeep.train.folders import refusing
from jaxdeep.train.history import EpochRecord, from_rows, to_rows
from jaxdeep.train.state import TrainState

SECONDS_BETWEEN_CHECKPOINTS = 20.0


class RunKeeper:
    """Keeps a run's state and history; a context that ends when all is on disk. Without a folder it keeps nothing.

    Attributes:
        seconds: how long the loop has waited for it.
    """

    def __init__(self, folder: Path | str | None, identity: Mapping[str, Any]) -> None:
        """Open the folder, or make it, and let nobody else use it meanwhile.

        Args:
            folder: of this run's own, or None; ~ is the user's home.
            identity: what the run is, as nested values for JSON; NumPy's numbers and arrays are taken too.

        Raises:
            UserError: the folder cannot be used, somebody else uses it, or the identity is not for JSON.
        """
        self.seconds = 0.0
        run = as_json(identity)
        self._store: CheckpointStore | None = None
        self._kept_at = time.perf_counter()
        with ExitStack() as stack:
            if folder is not None:
                path = Path(os.path.expanduser(folder))
                stack.enter_context(_claimed(path))
                self._store = stack.enter_context(CheckpointStore(path, run))
            self._closing = stack.pop_all()

    def __enter__(self) -> "RunKeeper":
        return self

    def __exit__(self, *raised: Any) -> None:
        began = time.perf_counter()
        self._closing.__exit__(*raised)
        self.seconds += time.perf_counter() - began

    def resume(self, fresh: TrainState) -> tuple[TrainState, list[EpochRecord]]:
        """The state and history that were kept, or the fresh state and no history.

        Args:
            fresh: the state before the first epoch.

        Raises:
            UserError: another run is kept there, or what is kept is damaged.
        """
        restored = self._store and self._store.restore(like=fresh, verify=_check_history)
        if restored is None:
            return fresh, []
        return restored.state, from_rows(restored.record["history"])

    def keep(self, state: TrainState, history: Sequence[EpochRecord], *, at_once: bool) -> None:
        """Keep a state between two epochs, if the last time is 20 seconds ago.

        Args:
            state: may be donated afterwards.
            history: of its epochs.
            at_once: keep it however short ago the last time was.

        Raises:
            UserError: it cannot be written, or the one before could not.
        """
        if self._store is None:
            return
        began = time.perf_counter()
        self._store.check()
        if at_once or began - self._kept_at > SECONDS_BETWEEN_CHECKPOINTS:
            self._store.save(len(history), state, {"history": to_rows(history)})
            self._kept_at = time.perf_counter()
            self.seconds += self._kept_at - began


def as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as JSON gives them back: NumPy's numbers and arrays as Python's, tuples as lists.

    Args:
        values: nested, with names as keys.

    Raises:
        UserError: there is a value that JSON has not.

    >>> import numpy as np
    >>> as_json({"seed": np.int64(3), "units": (8, np.int32(4))})
    {'seed': 3, 'units': [8, 4]}
    """

    def plain(value: Any) -> Any:
        if isinstance(value, np.generic | np.ndarray | jax.Array):
            return value.tolist()
        raise UserError(f"a run cannot be recorded with {value!r} in it. Give numbers, texts and lists of these")

    return json.loads(json.dumps(values, default=plain))


@contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    """Make a folder where it is not there, and use it alone."""
    with ExitStack() as stack:
        with refusing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(alone_in(folder))
        yield


def _check_history(state: TrainState, record: Mapping[str, Any]) -> None:
    """Find that a record's history is not that of its state."""
    epochs = len(from_rows(record["history"]))
    if epochs != int(state.epoch):
        raise ValueError(f"it has figures of {epochs} epochs, and weights of epoch {int(state.epoch)}")
