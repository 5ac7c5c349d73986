"""The two searches of source 003 on the digits 0 to 4, each as one study by halving.

    python -m experiments.digits rates         # learning rates 1e-2, 1e-3 and 1e-4, 10 epochs
    python -m experiments.digits placements    # learning rate x batch norm before x dropout after each layer

The second one has 3,072 combinations at three learning rates. It draws 32, with learning rates from 1e-4 to 1e-2. Both
rank by the validation accuracy, as the source does. They are commands of `experiments.mnist`, which are printed. More
flags are passed on, such as --data-dir.
"""

import shlex
import sys
from collections.abc import Sequence
from itertools import product
from typing import Final

from experiments.mnist import CONFIGS, DIGITS_0_4
from jaxdeep.cli.main import main as experiment

LAYERS: Final = len(DIGITS_0_4.model.units)
RATE: Final = 0.2
"""Dropout rate of the source."""
SAMPLES: Final = 32
"""Number of candidates. Each has programs of its own, and for 64 XLA runs out of memory on a CPU (LOG.md)."""


def rates() -> list[str]:
    """Return the words of the search for a learning rate."""
    search = ("--grid", "optim.learning_rate=0.01,0.001,0.0001", "--halving", "successive")
    return ["--config", "digits_0_4", "--train.monitor", "val_accuracy", "--epochs", "10", *search, "--seeds", "3"]


def placements() -> list[str]:
    """Return the words of the search for a learning rate and the places of batch normalisation and dropout."""
    norms = ",".join(" ".join(map(str, entries)) for entries in product((False, True), repeat=LAYERS))
    drops = ",".join(" ".join(map(str, (0.0, *entries))) for entries in product((0.0, RATE), repeat=LAYERS))
    grid = ("--grid", f"model.batch_norm={norms}", "--grid", f"model.dropout_rate={drops}")
    space = ("--space", "optim.learning_rate=0.0001:0.01:log", "--samples", str(SAMPLES))
    how = ("--halving", "successive", "--train.monitor", "val_accuracy", "--epochs", "50")
    return ["--config", "digits_0_4_places", *grid, *space, *how]


SEARCHES: Final = {"rates": rates, "placements": placements}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a search.

    Args:
        argv: Name of the search and further flags, or None for the process's own words.

    Returns:
        The exit status of the experiment's command, or 2 for another search.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    if not given or given[0] not in SEARCHES:
        print(f"usage: python -m experiments.digits {{{','.join(SEARCHES)}}} [flags of experiments.mnist]")
        return 0 if given and given[0] in ("-h", "--help") else 2
    words = [*SEARCHES[given[0]](), *given[1:]]
    print(shlex.join(("python", "-m", "experiments.mnist", *words)), file=sys.stderr)
    return experiment("mnist", "mnist", CONFIGS, words)


if __name__ == "__main__":
    raise SystemExit(main())
