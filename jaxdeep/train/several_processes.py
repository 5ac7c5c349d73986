"""A job of several processes, and what they tell each other.

Small messages go through the key-value store of JAX's runtime, and runs through JAX's own gathering of arrays. Each
process beats a heart in the store, so that the others notice its loss.
"""

import itertools
import json
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import jax
import numpy as np

from jaxdeep.errors import UserError
from jaxdeep.train.cores import cores
from jaxdeep.train.job import ALONE, Job, within

SECONDS_BETWEEN_BEATS: Final = 1.0
"""Seconds between two beats of a process's heart."""
LOST_SECONDS: Final = 30.0
"""Seconds without a beat from which a process counts as lost."""
POLL_SECONDS: Final = (0.01, 0.25)
"""Shortest and longest pause between two looks at the store."""
GATHERED_BYTES: Final = 256 * 2**20
"""Bytes of all processes together that are gathered at a time."""
SIGNAL, ERROR = "signal", "error"
"""Reasons for which a process stops all others."""
_NUMBERS: Final = itertools.count()
"""Numbers of the jobs of this process. All processes count alike."""


@contextmanager
def all_processes(
    *,
    data_parallel: bool = False,
    interruption: Callable[[int], BaseException] = lambda number: KeyboardInterrupt(number),
    on_stop: Callable[[int], None] = lambda number: None,
    on_loss: Callable[[str], None] = lambda who: None,
) -> Iterator[Job]:
    """Do the work of a context with all processes that JAX's distributed runtime has joined.

    All processes run the same calls. The context ends when all processes have left it.

    Args:
        data_parallel: Whether all devices train each trial together.
        interruption: Function of a signal's number that returns what is raised after another process got the signal.
        on_stop: Function of a signal's number. A thread calls it when another process got that signal.
        on_loss: Function of the name of a lost process. A thread calls it.

    Yields:
        The job. It is ALONE, or alone with all local devices, if there is one process.

    Raises:
        UserError: Another process had an error, or was lost.
    """
    if jax.process_count() == 1:
        job = Job()
        job.data_parallel = data_parallel
        with within(job):
            yield job
        return
    several = _Several(data_parallel, interruption, on_stop, on_loss)
    try:
        with within(several):
            yield several
    except BaseException as error:
        several.fail(error)
        raise
    finally:
        several.end()


class _Several(Job):
    """A job of two or more processes."""

    def __init__(
        self,
        data_parallel: bool,
        interruption: Callable[[int], BaseException],
        on_stop: Callable[[int], None],
        on_loss: Callable[[str], None],
    ) -> None:
        self.process, self.processes, self.data_parallel = jax.process_index(), jax.process_count(), data_parallel
        self._interruption, self._on_stop, self._on_loss = interruption, on_stop, on_loss
        self._client, self._prefix = _client(), f"jaxdeep/{next(_NUMBERS)}"
        self._names = itertools.count()
        self._signal: int | None = None
        self._heard: tuple[str, str] | None = None
        self._lost: str | None = None
        self._is_over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="jaxdeep heartbeat", daemon=True)
        self._watcher.start()
        places = len(jax.local_devices()) if jax.default_backend() != "cpu" else cores()
        self._places = [int(count) for count in self._exchange(places)]

    def shares(self, groups: Sequence[Hashable]) -> list[list[int]]:
        owners = dealt(groups, self._places)
        return [[at for at, owner in enumerate(owners) if owner == number] for number in range(self.processes)]

    def check(self) -> None:
        if self._signal is not None:
            raise self._interruption(self._signal)
        if self._heard is not None:
            reason, text = self._heard
            if reason == SIGNAL:
                raise self._interruption(int(text))
            raise UserError(text)
        if self._lost is not None:
            raise UserError(f"{self._lost} was lost. Give the same command to all processes again to continue.")

    def check_together(self, error: BaseException | None) -> None:
        # a signal that was heard of before the others are here must not part them: it is among the reasons
        own = [self._signal or getattr(error, "number", None), error and self._words_of(error)]
        reasons = self._exchange(own, heeds_signals=False)
        if signals := [number for number, _ in reasons if number is not None]:
            self._signal = self._signal or signals[0]
            raise self._interruption(signals[0])
        if error is not None:
            raise error
        if errors := [text for _, text in reasons if text is not None]:
            raise UserError(errors[0])

    def once(self, do: Callable[[], Any]) -> Any:
        name = self._name()
        if self.leads:
            try:
                with within(ALONE):
                    value = do()
            except UserError as error:
                self._client.key_value_set(name, json.dumps({"error": str(error)}))
                raise
            self._client.key_value_set(name, json.dumps({"value": value}))
            return value
        for _ in self._until(lambda: False):
            try:
                said = json.loads(self._client.blocking_key_value_get(name, 1_000))
            except jax.errors.JaxRuntimeError as error:
                if "DEADLINE_EXCEEDED" not in str(error):
                    raise
                continue
            if "error" in said:
                raise UserError(said["error"])
            return said["value"]
        raise AssertionError("a wait ends by an answer or by an error")

    def agree(self, value: Any, what: str) -> None:
        values = self._exchange(value)
        if differing := [str(number) for number, other in enumerate(values) if other != values[0]]:
            raise UserError(
                f"process {', '.join(differing)} and process 0 see another {what}. Give all processes the same "
                "command, data and version, and a folder that they share."
            )

    def gather(self, content: bytes) -> list[bytes]:
        from jax.experimental import multihost_utils

        sizes = [int(size) for size in self._exchange(len(content))]  # all are here now, so no gathering waits long
        block = max(GATHERED_BYTES // self.processes, 1)
        parts: list[list[bytes]] = [[] for _ in sizes]
        for begin in range(0, max(sizes), block):
            length = min(max(sizes) - begin, block)
            padded = 1 << (length - 1).bit_length()  # few programs are compiled
            own = np.zeros(padded, np.uint8)
            piece = np.frombuffer(content[begin : begin + block], np.uint8)
            own[: len(piece)] = piece
            found = np.asarray(multihost_utils.process_allgather(own))
            for number, size in enumerate(sizes):
                parts[number].append(found[number, : max(min(size - begin, length), 0)].tobytes())
        return [b"".join(pieces) for pieces in parts]

    def stop(self, number: int) -> None:
        self._signal = number

    @property
    def is_stopping(self) -> bool:
        """Return whether this or another process got a signal."""
        return self._signal is not None or (self._heard is not None and self._heard[0] == SIGNAL)

    def fail(self, error: BaseException) -> None:
        """Tell the other processes why this one stops, unless they know.

        Args:
            error: Exception that ends the work of this process.
        """
        number = getattr(error, "number", None) or self._signal
        if number is None and isinstance(error, KeyboardInterrupt):
            number = 2
        if number is not None:
            self._tell(SIGNAL, str(int(number)))
        elif self._heard is None and self._lost is None:
            self._tell(ERROR, self._words_of(error))

    def _words_of(self, error: BaseException) -> str:
        text = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        return f"process {self.process} stopped: {text}"

    def end(self) -> None:
        """Wait until all processes that were not lost have come to their end, and stop the heart."""
        name = f"{self._prefix}/end/"
        try:
            self._client.key_value_set(f"{name}{self.process}", "", allow_overwrite=True)
            for _ in self._pauses():
                if self._lost is not None or len(self._client.key_value_dir_get(name)) == self.processes:
                    break
        except jax.errors.JaxRuntimeError:
            self.wait_for_loss(LOST_SECONDS)  # process 0 was lost, which holds the store
        finally:
            self._is_over.set()
            self._watcher.join()

    def wait_for_loss(self, seconds: float) -> str | None:
        ends = time.monotonic() + seconds
        while self._lost is None and time.monotonic() < ends:
            time.sleep(POLL_SECONDS[1])
        return self._lost

    def _exchange(self, value: Any, *, heeds_signals: bool = True) -> list[Any]:
        """Return the value of each process. All processes have come here when it returns."""
        name = self._name()
        self._client.key_value_set(f"{name}/{self.process}", json.dumps(value))
        found: list[tuple[str, str]] = []

        def are_here() -> bool:
            found[:] = self._client.key_value_dir_get(f"{name}/")
            return len(found) == self.processes

        for _ in self._until(are_here, heeds_signals):
            pass
        by_process = {int(key.rpartition("/")[2]): json.loads(said) for key, said in found}
        return [by_process[number] for number in range(self.processes)]

    def _name(self) -> str:
        return f"{self._prefix}/say/{next(self._names)}"

    def _until(self, is_so: Callable[[], bool], heeds_signals: bool = True) -> Iterator[None]:
        """Yield with a pause until something is so, another process stops, or one is lost."""
        for _ in self._pauses():
            if is_so():
                return
            if heeds_signals or not self.is_stopping:
                self.check()
            yield

    @staticmethod
    def _pauses() -> Iterator[None]:
        pause, longest = POLL_SECONDS
        while True:
            yield
            time.sleep(pause)
            pause = min(2 * pause, longest)

    def _tell(self, reason: str, text: str) -> None:
        with suppress(jax.errors.JaxRuntimeError):
            name = f"{self._prefix}/stop/{self.process}"
            self._client.key_value_set(name, json.dumps([reason, text]), allow_overwrite=True)

    def _watch(self) -> None:
        """Beat this process's heart, and listen to the others."""
        last: dict[int, tuple[str, float]] = {}
        has_told, failures = False, 0
        for beat in itertools.count():
            now = time.monotonic()
            for number in range(self.processes):
                last.setdefault(number, ("", now))
            try:
                if self._signal is not None and not has_told:
                    self._tell(SIGNAL, str(self._signal))
                    has_told = True
                self._client.key_value_set(f"{self._prefix}/beat/{self.process}", str(beat), allow_overwrite=True)
                for key, said in self._client.key_value_dir_get(f"{self._prefix}/beat/"):
                    number = int(key.rpartition("/")[2])
                    if last[number][0] != said:
                        last[number] = (said, now)
                found = self._client.key_value_dir_get(f"{self._prefix}/end/")
                ended = {int(key.rpartition("/")[2]) for key, _ in found}
                self._listen()
                failures = 0
            except jax.errors.JaxRuntimeError:
                failures += 1  # process 0 holds the store
                silent = [0] if failures * SECONDS_BETWEEN_BEATS > LOST_SECONDS / 2 else []
            else:
                silent = [number for number, (_, at) in last.items() if now - at > LOST_SECONDS and number not in ended]
            if silent and self._lost is None and not self._is_over.is_set():
                self._lost = f"process {', '.join(map(str, silent))}"
                self._on_loss(self._lost)
            if self._is_over.wait(SECONDS_BETWEEN_BEATS):
                return

    def _listen(self) -> None:
        """Hear of the first process that stopped."""
        if self._heard is not None:
            return
        for key, said in self._client.key_value_dir_get(f"{self._prefix}/stop/"):
            if int(key.rpartition("/")[2]) == self.process:
                continue
            reason, text = json.loads(said)
            is_new = not self.is_stopping
            self._heard = (reason, text)
            if reason == SIGNAL and is_new:
                self._on_stop(int(text))
            return


def dealt(groups: Sequence[Hashable], places: Sequence[int]) -> list[int]:
    """Deal trials to processes.

    The trials of a group are dealt one after the other, the next group where the last one ended. So each process gets
    its part of all learning rates, and its part of all trials to one trial.

    Args:
        groups: For each trial, a value that it has in common with the trials of the same programs.
        places: Number of trials that each process trains at a time: its devices, or its cores on a CPU.

    Returns:
        The process of each trial.

    >>> dealt(["selu"] * 5, [1, 1]), dealt(["selu", "bn", "selu", "bn"], [1, 1]), dealt(["selu"] * 6, [2, 1])
    ([0, 1, 0, 1, 0], [0, 0, 1, 1], [0, 1, 0, 0, 1, 0])
    """
    slots = sorted((slot, process) for process, count in enumerate(places) for slot in range(count))
    places_of = {group: place for place, group in enumerate(dict.fromkeys(groups))}
    in_order = sorted(range(len(groups)), key=lambda index: places_of[groups[index]])
    owners = [0] * len(groups)
    for position, index in enumerate(in_order):
        owners[index] = slots[position % len(slots)][1]
    return owners


def _client() -> Any:
    """Return the client of JAX's distributed runtime. JAX has no public name for its key-value store."""
    from jax._src import distributed

    return distributed.global_state.client
