"""What is seen while a run goes on: a bar in a terminal, a plain line an epoch elsewhere. On stderr."""

import sys
from collections.abc import Sequence

from tqdm import tqdm

from jaxdeep.train.history import EpochRecord


class Progress:
    """Follows one seed's history; a context."""

    def __init__(self, seed: int, epochs: int, images: int) -> None:
        """Show a bar at once: the first epoch follows a few seconds of compilation.

        Args:
            seed: of the run.
            epochs: at the most.
            images: of an epoch.
        """
        self._seed, self._epochs, self._images = seed, epochs, images
        self._bar = tqdm(
            total=epochs, desc=f"seed {seed}", unit="epoch", dynamic_ncols=True, disable=not sys.stderr.isatty()
        )
        self._bar.set_postfix_str("compiling")

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def follow(self, history: Sequence[EpochRecord]) -> None:
        """Show the last epoch.

        Args:
            history: all epochs so far; more than one new where a run was continued.
        """
        last = history[-1]
        figures = (
            f"loss {last.train_loss:.4f}, val_loss {last.val_loss:.4f}, val_accuracy {last.val_accuracy:.4f}, "
            f"{self._images / last.seconds:,.0f} images/s"
        )
        if self._bar.disable:
            print(f"seed {self._seed} epoch {last.epoch}/{self._epochs}: {figures}", file=sys.stderr, flush=True)
            return
        self._bar.set_postfix_str(figures, refresh=False)
        self._bar.update(last.epoch - self._bar.n)
