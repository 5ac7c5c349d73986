"""A bar on stderr that follows the epochs of one run or of many."""

import sys
from collections.abc import Sequence
from typing import Any, Final

from jaxdeep.terminal import WITHOUT_TERMINAL, width_of
from jaxdeep.train.history import EpochRecord

FORMAT: Final = "{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} {elapsed}<{remaining}{postfix}"
NARROWEST_BAR: Final = 8
AROUND: Final = len(" 100%||  00:00<00:00, ") + NARROWEST_BAR
"""Characters of a line beside its title, its counts and its figures."""


class Bar:
    """A progress bar over all epochs of some runs, and a context. A bar that is not shown does nothing."""

    def __init__(
        self,
        names: Sequence[str],
        epochs: Sequence[int],
        rows: int | Sequence[int],
        *,
        total: int | None = None,
        is_shown: bool = True,
    ) -> None:
        """Show a bar at once: the first epoch follows a few seconds of compilation.

        Args:
            names: Name of each run, such as "seed 42".
            epochs: Number of epochs of each run, without early stopping.
            rows: Number of training rows in an epoch, of all runs or of each run.
            total: Number of epochs of all runs together in a search, which trains few of them to their ends. None:
                every run is trained to its end.
            is_shown: Whether there is a bar at all.
        """
        self._names, self._epochs, self._rows, self._is_search = names, epochs, rows, total is not None
        self._done = [0] * len(names)
        self._over = 0
        self._total = sum(epochs) if total is None else total
        self._bar: Any = None
        if is_shown:
            from tqdm import tqdm  # 20 ms, which a run without a bar saves

            self._bar = tqdm(
                total=self._total, desc=self._title(), bar_format=FORMAT, dynamic_ncols=True, file=sys.stderr
            )
            self._bar.set_postfix_str("compiling")

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def follow(self, index: int, history: Sequence[EpochRecord]) -> None:
        """Show a run's last epoch.

        Args:
            index: Index among the runs.
            history: All its epochs so far. More than one is new where a run was continued, none where a search goes on.
        """
        last = history[-1]
        new = last.epoch - self._done[index]
        if self._bar is None or not new:
            return
        self._done[index] = last.epoch
        used = len(self._title()) + len(f"{self._total}/{self._total}") + AROUND
        width = (width_of(sys.stderr) or WITHOUT_TERMINAL) - used
        name = self._names[index] if len(self._names) > 1 else ""
        self._bar.set_description_str(self._title(), refresh=False)
        self._bar.set_postfix_str(
            within(width, name, epoch_figures(last, rows_of_run(self._rows, index))), refresh=False
        )
        self._bar.update(new)

    def write(self, line: str) -> None:
        """Write a line above the bar.

        Args:
            line: The line, without its end.
        """
        if self._bar is not None:
            self._bar.write(line, file=sys.stderr)

    def end(self, index: int) -> None:
        """Count a run as over, perhaps before its last epoch.

        Args:
            index: Index among the runs.
        """
        self._over += 1
        if self._bar is None or self._is_search:
            return
        self._bar.set_description_str(self._title(), refresh=False)
        self._bar.update(self._epochs[index] - self._done[index])
        self._done[index] = self._epochs[index]

    def _title(self) -> str:
        """Return the only run's name, or how many of several are over."""
        return self._names[0] if len(self._names) == 1 else f"{self._over}/{len(self._names)} runs"


def rows_of_run(rows: int | Sequence[int], index: int) -> int:
    """Return the number of training rows in an epoch of a run.

    Args:
        rows: Number of rows of all runs, or of each run.
        index: Index among the runs.
    """
    return rows if isinstance(rows, int) else rows[index]


def epoch_figures(record: EpochRecord, rows: int) -> tuple[str, ...]:
    """Return the figures of an epoch, from the most words to the fewest.

    Args:
        record: The epoch.
        rows: Number of training rows in it.
    """
    rate = f"{rows / record.seconds:,.0f} images/s"
    valid = f"val_loss {record.val_loss:.4f}, val_accuracy {record.val_accuracy:.4f}"
    return (
        f"loss {record.train_loss:.4f}, {valid}, {rate}",
        f"{valid}, {rate}",
        valid,
        f"val_loss {record.val_loss:.4f}, acc. {record.val_accuracy:.4f}",
        f"val_loss {record.val_loss:.4f}",
    )


def within(width: int, name: str, figures: Sequence[str]) -> str:
    """Return a run's name and as many figures as a width has room for. What still does not fit is cut in the name.

    Args:
        width: Characters at most.
        name: Name of a run, or "".
        figures: The figures, from the most words to the fewest.

    >>> within(30, "seed 42", ["val_loss 1.4321, 9,000 images/s", "val_loss 1.4321"])
    'seed 42: val_loss 1.4321'
    >>> within(30, "learning_rate=0.003 seed 42", ["val_loss 1.4321"])
    '...03 seed 42: val_loss 1.4321'
    """
    begin = f"{name}: " if name else ""
    for of in figures:
        if len(begin) + len(of) <= width:
            return begin + of
    room = width - len(figures[-1]) - len("...: ")
    return f"...{name[-room:]}: {figures[-1]}" if name and room > 0 else figures[-1]
