"""Tables of arms, as claims show them."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from experiments.lab.claim import Table
from experiments.lab.kept import Arm
from experiments.lab.lab import values_of
from jaxdeep.analysis.statistics import mean_over_runs
from jaxdeep.study.tuned import TriedRate

OWN_RATE: Final = "Each at its own best learning rate"


def estimate_text(values: Sequence[float], digits: int = 4) -> str:
    """Return a mean with half of its 95% interval as text.

    Args:
        values: Figure of each seed. Values that are not finite do not count.
        digits: Number of decimals.
    """
    of = mean_over_runs(values)
    if of.mean is None:
        return "none"
    half = "" if of.low is None else f" ± {of.mean - of.low:.{digits}f}"
    return f"{of.mean:.{digits}f}{half}"


def arms_table(arms: Mapping[str, Arm], more: Mapping[str, Sequence[str]] | None = None) -> Table:
    """Return a row for each arm: learning rate, validation loss, test accuracy, training accuracy, diverged seeds.

    Args:
        arms: Trained arms by name.
        more: Cells of further columns by heading, one for each arm.
    """
    columns = ["", "learning rate", "seeds", "val loss", "test accuracy", "training accuracy", "diverged"]
    rows = []
    for index, (name, arm) in enumerate(arms.items()):
        figures = [estimate_text(values_of(arm, of)) for of in ("val_loss", "test_accuracy", "train_accuracy")]
        further = [cells[index] for cells in (more or {}).values()]
        rows.append([name, f"{arm.rate:g}", str(len(arm.study.trials)), *figures, str(arm.study.diverged), *further])
    return Table(OWN_RATE, [*columns, *(more or {})], rows)


def rates_table(arms: Mapping[str, Arm]) -> Table:
    """Return the validation loss of every learning rate that was searched.

    Args:
        arms: Tuned arms by name.
    """
    rows = []
    for name, arm in arms.items():
        if arm.tuning is not None:
            for tried in arm.tuning.configurations[0].rates:
                loss = mean_loss(tried)
                text = "none" if loss is None else f"{loss:.4f}"
                rows.append([name, f"{tried.rate:g}", text, str(sum(tried.diverged))])
    return Table("Searches of the learning rate", ["", "learning rate", "mean val loss", "diverged"], rows)


def mean_loss(tried: TriedRate) -> float | None:
    """Return the mean validation loss of a learning rate over the seeds of a search, or None if no seed has one.

    Args:
        tried: Trials of a learning rate.
    """
    finite = [loss for loss in tried.val_loss if loss is not None]
    return float(np.mean(finite)) if finite else None
