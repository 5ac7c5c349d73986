"""One run kept in a folder while it goes on, and found there again."""

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from jaxdeep.train.checkpoint import CheckpointStore
from jaxdeep.train.history import EpochRecord, from_rows, to_rows
from jaxdeep.train.state import TrainState

SECONDS_BETWEEN_CHECKPOINTS = 20.0


class RunKeeper:
    """Keeps a run's state and history; a context that ends when all is on disk. Without a folder it keeps nothing.

    Attributes:
        seconds: how long the loop has waited for it.
    """

    def __init__(self, folder: Path | str | None, identity: Mapping[str, Any]) -> None:
        """Open the folder.

        Args:
            folder: of this run's own, or None.
            identity: what the run is, as JSON values.
        """
        self.seconds = 0.0
        self._closing = ExitStack()
        self._store = None if folder is None else self._closing.enter_context(CheckpointStore(Path(folder), identity))
        self._kept_at = time.perf_counter()

    def __enter__(self) -> "RunKeeper":
        return self

    def __exit__(self, *_: object) -> None:
        began = time.perf_counter()
        self._closing.close()
        self.seconds += time.perf_counter() - began

    def resume(self, fresh: TrainState) -> tuple[TrainState, list[EpochRecord]]:
        """The state and history that were kept, or the fresh state and no history.

        Args:
            fresh: the state before the first epoch.

        Raises:
            UserError: another run is kept there, or what is kept is damaged.
        """
        restored = self._store and self._store.restore(like=fresh)
        if restored is None:
            return fresh, []
        return restored.state, from_rows(restored.record["history"])

    def keep(self, state: TrainState, history: Sequence[EpochRecord], *, at_once: bool) -> None:
        """Keep a state between two epochs, if the last time is 20 seconds ago.

        Args:
            state: may be donated afterwards.
            history: of its epochs.
            at_once: keep it however short ago the last time was.
        """
        began = time.perf_counter()
        if self._store is not None and (at_once or began - self._kept_at > SECONDS_BETWEEN_CHECKPOINTS):
            self._store.save(len(history), state, {"history": to_rows(history)})
            self._kept_at = time.perf_counter()
            self.seconds += self._kept_at - began
