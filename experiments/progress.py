"""What is seen while a study goes on: one bar in a terminal, a plain line an epoch elsewhere. On stderr."""

import sys
from collections.abc import Sequence

from tqdm import tqdm

from jaxdeep.train.fit import Run
from jaxdeep.train.history import EpochRecord
from jaxdeep.train.search import Rung
from jaxdeep.train.sweep import Member


class Progress:
    """Follows the histories of a study's members; a context."""

    def __init__(self, members: Sequence[Member], images: int, epochs: int | None = None) -> None:
        """Show a bar at once: the first epoch follows a few seconds of compilation.

        Args:
            members: of the study.
            images: of an epoch.
            epochs: of all members together, of a search that trains few of them to their ends; None: of all to theirs.
        """
        self._members, self._images, self._is_search = members, images, epochs is not None
        self._shown = [0] * len(members)
        self._over = 0
        total = sum(member.config.train.epochs for member in members) if epochs is None else epochs
        title = members[0].name.replace("_", " ") if len(members) == 1 else f"{len(members)} runs"
        self._bar = tqdm(total=total, desc=title, unit="epoch", dynamic_ncols=True, disable=not sys.stderr.isatty())
        self._bar.set_postfix_str("compiling")

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def follow(self, index: int, history: Sequence[EpochRecord]) -> None:
        """Show a member's last epoch.

        Args:
            index: of the member.
            history: all its epochs so far; more than one new where a run was continued, none where a search goes on.
        """
        last, member = history[-1], self._members[index]
        new = last.epoch - self._shown[index]
        if not new:
            return
        self._shown[index] = last.epoch
        figures = (
            f"loss {last.train_loss:.4f}, val_loss {last.val_loss:.4f}, val_accuracy {last.val_accuracy:.4f}, "
            f"{self._images / last.seconds:,.0f} images/s"
        )
        if self._bar.disable:
            name = member.name.replace("seed_", "seed ").replace("fold_", "fold ")
            print(f"{name} epoch {last.epoch}/{member.config.train.epochs}: {figures}", file=sys.stderr, flush=True)
            return
        over = f"{self._over} over, " if len(self._members) > 1 else ""
        self._bar.set_postfix_str(over + figures, refresh=False)
        self._bar.update(new)

    def tell(self, rung: Rung, points: int) -> None:
        """A rung of a search begins.

        Args:
            rung: that begins.
            points: that take part in it.
        """
        counted = f"{points} point{'s' if points > 1 else ''}"
        self._bar.write(f"rung: {counted}, to epoch {rung.epochs}", file=sys.stderr)

    def end(self, index: int, run: Run) -> None:
        """A member is over, perhaps before its last epoch.

        Args:
            index: of the member.
            run: what it found.
        """
        self._over += 1
        if self._is_search:
            return
        epochs = run.config.train.epochs
        self._bar.update(epochs - self._shown[index])
        self._shown[index] = epochs
