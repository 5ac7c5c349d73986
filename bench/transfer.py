"""`transfer`: seconds to train a new output layer for MNIST's digits 5 to 9 on five frozen layers of digits 0 to 4.

The hidden layers have 100 ELU units each. Their source is trained for two epochs, which is enough for a speed. The
first size has 100 training rows of each digit and 100 epochs, the second has all rows and 5 epochs. Both have batches
of 20, and 30 validation rows of each digit. No training stops early.

jaxdeep-cached is `fit` as it is. It computes the outputs of the frozen layers once. jaxdeep-frozen is told not to, so
that these layers run in every step. Only the output layer has gradients. jaxdeep-all trains all layers. Keras runs on
JAX with hidden layers of `trainable=False`. keras-jax-cached trains its output layer on what `predict` returned once.

A training begins with the rows on the device and ends with the last epoch. It includes `frozen outputs`, the time of
computing them for training and validation rows, and the validation rows after each epoch. The whole call also chooses
the rows, computes outputs for the 4,861 test rows, and evaluates the best weights on all rows. The first call includes
any compilation. Keras's calls evaluate no test rows, and its later calls go on with the weights of the ones before.

`losses differ` is the largest difference of a training or validation loss in any epoch from jaxdeep-cached's. Keras has
another order of the rows, so that only its last loss is judged.
"""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.contest import contest, failed_row
from bench.contestants import TRANSFERS
from bench.networks import TRANSFER
from bench.options import Options, say
from bench.rounds import Spread, ratio, spread
from jaxdeep.errors import UserError
from jaxdeep.report.layout import fitted

QUESTION: Final = "transfer"
REFERENCE: Final = "jaxdeep-cached"
HEADERS: Final = (
    "contestant",
    "training, s",
    "frozen outputs, s",
    "ms a step",
    f"time / {REFERENCE}'s",
    "whole call, s",
    "first call, s",
    "last loss",
    "losses differ",
    "remark",
)
ROUNDING: Final = 1e-4
"""Difference of a loss in nats above which jaxdeep-frozen does other work than jaxdeep-cached."""
ANOTHER_ORDER: Final = 0.1
"""Relative difference of the last training loss above which a library with an order of its own does other work."""


def run(options: Options) -> None:
    """Run a contest for every size, keep an entry and print a table of each.

    Args:
        options: Options of the bench.
    """
    from bench.transfer_workload import mnist, trained_source, workload  # imports JAX

    present, left_out = options.taking_part(tuple(TRANSFERS))
    if not present:
        return
    try:
        images = mnist()
    except UserError as error:
        say(f"{QUESTION} is left out: {error}")
        return
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "source.npz"
        source = trained_source(images, path)
        for name in options.configs or TRANSFER:
            say(f"{QUESTION} of {name}: {', '.join(present)}")
            config = TRANSFER[name]
            work = workload(config, images, source, path)
            rows = len(work.orders[0]) - len(config.data.classes) * (config.data.valid_per_class or 0)
            entry = {
                "config": name,
                "rows": rows,
                "epochs": config.train.epochs,
                "batch_size": config.train.batch_size,
                "steps": config.train.epochs * -(-rows // config.train.batch_size),
                "data": images.name,
                "synthetic": images.synthetic,
                "contestants": checked(contest(present, work, options.rounds, work="training")),
                "left_out": left_out,
            }
            options.keep(QUESTION, name, ("--configs", name), entry)
            print("\n".join((title(entry), *fitted(table(entry)), "")), flush=True)


def title(entry: Mapping[str, Any]) -> str:
    """Return in words what an entry measured.

    Args:
        entry: Entry of the record.

    Returns:
        One line.
    """
    synthetic = " (SYNTHETIC images)" if entry["synthetic"] else ""
    size = f"{entry['rows']:,} rows, {entry['epochs']} epochs of batches of {entry['batch_size']}"
    return f"{entry['config']}: {size}{synthetic}"


def table(entry: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a row for each contestant, the headers first.

    Args:
        entry: Entry of the record.

    Returns:
        Rows of ten cells.
    """
    rows: list[tuple[str, ...]] = [HEADERS]
    for name, outcome in entry["contestants"].items():
        if failed := failed_row(name, outcome, HEADERS):
            rows.append(failed)
            continue
        times, differs = ratios(entry, name, REFERENCE), outcome["losses_differ"]
        rows.append(
            (
                name,
                f"{spread(seconds(entry, name)):.3f}",
                f"{spread(seconds(entry, name, 'feature_seconds')).median:.3f}",
                f"{spread(seconds(entry, name)).median / entry['steps'] * 1e3:.4f}",
                "-" if times is None else f"{times:.2f}",
                f"{spread(seconds(entry, name, 'call_seconds')).median:.3f}",
                f"{outcome['warm_up']['call_seconds']:.2f}",
                "-" if outcome["last_loss"] is None else f"{outcome['last_loss']:.4f}",
                "-" if differs is None else f"{differs:.1g}",
                f"OTHER WORK: {outcome['other_work']}" if outcome["other_work"] else "",
            )
        )
    return rows


def seconds(entry: Mapping[str, Any], name: str, figure: str = "seconds") -> Sequence[float]:
    """Return a figure of a contestant's trainings.

    Args:
        entry: Entry of the record.
        name: Name of the contestant.
        figure: Name of the figure, such as "call_seconds".

    Returns:
        Seconds, one value for each round.
    """
    return [training[figure] for training in entry["contestants"][name]["trainings"]]


def ratios(entry: Mapping[str, Any], name: str, reference: str) -> Spread | None:
    """Return a contestant's time over another's, or None if either takes no part, failed or does other work.

    Args:
        entry: Entry of the record.
        name: Name of the contestant.
        reference: Name of the contestant to compare with.

    Returns:
        Ratio of the medians, with the smallest and the largest ratio within a round.
    """
    both = [entry["contestants"].get(contestant) for contestant in (name, reference)]
    if any(outcome is None or outcome.get("failed") or outcome["other_work"] for outcome in both):
        return None
    return ratio(seconds(entry, name), seconds(entry, reference))


def checked(outcomes: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the outcomes of a contest with the first training's losses compared, and without the losses themselves.

    Args:
        outcomes: Outcomes in `bench.contest.contest`.

    Returns:
        Name of a contestant -> outcome. `last_loss` is the training loss of the last epoch in nats, or None.
        `losses_differ` is the largest difference from jaxdeep-cached's losses, or None without a meaning. `other_work`
        is a reason or None.
    """
    losses = {
        name: np.asarray(outcome["warm_up"]["losses"], np.float64)
        for name, outcome in outcomes.items()
        if "failed" not in outcome
    }
    return {
        name: _without_losses(outcome) | _compared(name, losses[name], losses.get(REFERENCE))
        if name in losses
        else dict(outcome)
        for name, outcome in outcomes.items()
    }


def _compared(name: str, losses: np.ndarray, expected: np.ndarray | None) -> dict[str, Any]:
    """Return the figures of a contestant's losses [epochs, 2], and why it does other work."""
    if not np.isfinite(losses).all():
        return {"last_loss": None, "losses_differ": None, "other_work": "a loss is not finite"}
    figures: dict[str, Any] = {"last_loss": float(losses[-1, 0]), "losses_differ": None, "other_work": None}
    if expected is None or name in (REFERENCE, "jaxdeep-all") or not np.isfinite(expected).all():
        return figures
    if name == "jaxdeep-frozen":
        figures["losses_differ"] = float(np.abs(losses - expected).max())
        if figures["losses_differ"] > ROUNDING:
            figures["other_work"] = f"losses differ by {figures['losses_differ']:.1g}, allowed {ROUNDING:g}"
    elif abs(difference := losses[-1, 0] / expected[-1, 0] - 1) > ANOTHER_ORDER:
        figures["other_work"] = f"last loss differs by {difference:+.1%}, allowed {ANOTHER_ORDER:.0%}"
    return figures


def _without_losses(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """Return an outcome whose trainings have no losses."""
    first, *later = (
        {key: value for key, value in training.items() if key != "losses"}
        for training in (outcome["warm_up"], *outcome["trainings"])
    )
    return {**outcome, "warm_up": first, "trainings": later}
