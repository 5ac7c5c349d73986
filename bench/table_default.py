"""`table_default`: other defaults for tables than `Config()`, tried on some tables, and the outcome on others.

One choice after the other is made, each from the choices before. A ratio is the loss of held out rows over that of the
first alternative, as the geometric mean over random divisions, with its 95% interval. It is paired, and allows for the
rows that divisions share. The loss is the cross-entropy, or the squared error of prices. A quarter of the rows is held
out, and a fifth chooses the epoch. The alternative with the lowest mean of the choosing tables is taken, whatever the
intervals say. Whether what was chosen is better, the tables say that chose nothing: they compare it with `Config()` by
the accuracy of the held out rows, with an interval.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import Any, Final, NamedTuple

import numpy as np

from bench.options import Options, say
from bench.peers.table_sets import SETS, TARGET, frame_of
from bench.peers.tables import TEST_SHARE
from bench.tables import OVERLAP
from jaxdeep.analysis.differences import paired
from jaxdeep.report.layout import fitted

QUESTION: Final = "table_default"
CHOOSING: Final = ("digits", "wine", "diamonds")
"""Tables that choose."""
REPORTED: Final = ("breast_cancer", "flights")
"""Tables that choose nothing."""
NUMBERS: Final = "numbers"
"""Key of a choice that is an argument of `Dataset.from_table`. All other keys are fields of a configuration."""
CHOICES: Final[Mapping[str, Sequence[Mapping[str, Any]]]] = {
    "batch size and learning rate": (
        {"train.batch_size": 32, "optim.learning_rate": 1e-3},
        {"train.batch_size": 128, "optim.learning_rate": 1e-3},
        {"train.batch_size": 128, "optim.learning_rate": 3e-3},
    ),
    "numbers": tuple({NUMBERS: name} for name in ("standardize", "quantile", "piecewise_linear")),
    "widths": tuple({"model.units": units} for units in ((100, 100), (64, 64), (256, 256), (256, 256, 256))),
    "activation and initialiser": (
        {"model.activation": "selu", "model.kernel_init": "lecun_normal"},
        {"model.activation": "relu", "model.kernel_init": "he_normal"},
        {"model.activation": "gelu", "model.kernel_init": "he_normal"},
    ),
    "dropout": (
        {"model.dropout_sites": "none", "model.dropout_rate": 0.0},
        {"model.dropout_sites": "after_hidden", "model.dropout_rate": 0.1},
        {"model.dropout_sites": "after_hidden", "model.dropout_rate": 0.3},
    ),
    "schedule": tuple({"schedule.kind": kind} for kind in ("constant", "cosine", "onecycle")),
}
"""Choices in their order -> alternatives. The first one is that of `Config()`."""


class Outcome(NamedTuple):
    """What one network gave on held out rows.

    Attributes:
        loss: Cross-entropy, or the squared error in standard units.
        score: Accuracy, or R2.
        epochs: Number of trained epochs.
    """

    loss: float
    score: float
    epochs: int


class Ratio(NamedTuple):
    """A ratio of losses.

    Attributes:
        mean: Geometric mean over the divisions.
        low: Lower end of its 95% interval.
        high: Upper end of its 95% interval.
    """

    mean: float
    low: float
    high: float


def run(options: Options) -> None:
    """Make the choices, report what was chosen on the other tables, keep the entries and print them.

    Args:
        options: Options of the bench. A round is a division.
    """
    packages = [SETS[name].package for name in (*CHOOSING, *REPORTED)]
    if missing := [package for package in packages if find_spec(package) is None]:
        say(f"{QUESTION} is left out: {missing[0]} is not installed")
        return
    frames = {name: frame_of(name) for name in (*CHOOSING, *REPORTED)}
    chosen: dict[str, Any] = {}
    for choice, alternatives in CHOICES.items():
        entry = _chosen(choice, alternatives, chosen, frames, options.rounds)
        chosen |= alternatives[entry["chosen"]]
        _keep(options, choice, entry)
    changed = {name: value for choice in CHOICES.values() for name, value in _changes(chosen, choice[0]).items()}
    for name in REPORTED:
        outcomes = [_outcomes(name, frames[name], of, options.rounds) for of in ({}, changed)[: 1 + bool(changed)]]
        entry = {
            "kind": "report",
            "data": name,
            "about": SETS[name].about,
            "changes": changed,
            "outcomes": [[of._asdict() for of in divisions] for divisions in outcomes],
        }
        _keep(options, name, entry)


def title(entry: Mapping[str, Any]) -> str:
    """Return in words what an entry measured.

    Args:
        entry: Entry of the record.
    """
    if entry["kind"] == "choice":
        return f"{entry['choice']}, chosen on {', '.join(entry['losses'])}"
    return f"{entry['data']}, which chose nothing: {entry['about']}"


def table(entry: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a row for each alternative, or for `Config()` and what was chosen, the headers first.

    Args:
        entry: Entry of the record.
    """
    if entry["kind"] == "choice":
        losses = entry["losses"]
        rows = [("alternative", *(f"ratio on {name}" for name in losses), "mean", "chosen")]
        for index, alternative in enumerate(entry["alternatives"]):
            ratios = [ratio(of[index], of[0]) for of in losses.values()]
            cells = (f"{of.mean:.3f}" + f" ({of.low:.3f} to {of.high:.3f})" * bool(index) for of in ratios)
            mark = "yes" if index == entry["chosen"] else ""
            rows.append((_words(alternative), *cells, f"{_mean(ratios):.3f}", mark))
        return rows
    rows = [("configuration", "accuracy", "minus Config()'s", "loss")]
    names = ("Config()", f"with {_words(entry['changes'])}") if entry["changes"] else ("Config(), which was chosen",)
    first = [of["score"] for of in entry["outcomes"][0]]
    for name, divisions in zip(names, entry["outcomes"], strict=True):
        scores, gained = [of["score"] for of in divisions], ""
        if len(rows) > 1:
            of = paired(scores, first, OVERLAP)
            gained = f"{of.difference:+.4f} ({of.low:+.4f} to {of.high:+.4f})"
        rows.append((name, f"{np.mean(scores):.4f}", gained, f"{np.mean([of['loss'] for of in divisions]):.4f}"))
    return rows


def ratio(losses: Sequence[float], first: Sequence[float]) -> Ratio:
    """Return the ratio of two alternatives' losses.

    Args:
        losses: Loss of an alternative in each division.
        first: Loss of the first alternative in each division.

    Returns:
        The geometric mean of the ratios with its 95% interval.
    """
    of = paired(np.log(losses).tolist(), np.log(first).tolist(), OVERLAP)
    return Ratio(*(math.exp(value) for value in (of.difference, of.low, of.high)))


def best_of(losses: Mapping[str, Sequence[Sequence[float]]]) -> int:
    """Return the index of the alternative with the lowest mean ratio over all tables.

    Args:
        losses: Table -> loss of each alternative in each division.
    """
    of_tables = [[ratio(of, alternatives[0]) for of in alternatives] for alternatives in losses.values()]
    return int(np.argmin([_mean(ratios) for ratios in zip(*of_tables, strict=True)]))


def _chosen(
    choice: str, alternatives: Sequence[Mapping[str, Any]], chosen: Mapping[str, Any], frames: Any, divisions: int
) -> dict[str, Any]:
    """Return the entry of one choice."""
    losses = {
        name: [
            [of.loss for of in _outcomes(name, frames[name], {**chosen, **alternative}, divisions)]
            for alternative in alternatives
        ]
        for name in CHOOSING
    }
    return {
        "kind": "choice",
        "choice": choice,
        "alternatives": list(alternatives),
        "before": dict(chosen),
        "losses": losses,
        "chosen": best_of(losses),
    }


def _outcomes(name: str, frame: Any, changes: Mapping[str, Any], divisions: int) -> list[Outcome]:
    """Train a network on each division of a table, two side by side."""
    with ThreadPoolExecutor(2) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some pixels of digits are constant in the training rows
        found = list(pool.map(lambda seed: _outcome(name, frame, changes, seed), range(divisions)))
    say(f"  {name}, {_words(changes) or 'Config()'}: {', '.join(f'{of.loss:.4f}' for of in found)}")
    return found


def _outcome(name: str, frame: Any, changes: Mapping[str, Any], seed: int) -> Outcome:
    from jaxdeep import Config, Dataset, fit

    task: Any = SETS[name].task
    fields = {key: value for key, value in changes.items() if key != NUMBERS}
    config = Config().updated({**({"model.head": "linear"} if task == "regression" else {}), **fields})
    numbers: Any = changes.get(NUMBERS, "standardize")
    data = Dataset.from_table(
        frame, TARGET, test=TEST_SHARE, data=config.data, task=task, split_seed=seed, numbers=numbers
    )
    found = fit(config, data, seed=seed, verbose=False)
    return Outcome(float(found.test_loss), float(found.test_accuracy), len(found.history))


def _mean(ratios: Sequence[Ratio]) -> float:
    """Return the geometric mean of the ratios of all tables."""
    return math.exp(np.mean([math.log(of.mean) for of in ratios]))


def _changes(chosen: Mapping[str, Any], first: Mapping[str, Any]) -> dict[str, Any]:
    """Return the chosen values that differ from the first alternative's."""
    return {name: chosen[name] for name, value in first.items() if chosen[name] != value}


def _words(values: Mapping[str, Any]) -> str:
    """Return values in words, such as "train.batch_size 32, optim.learning_rate 0.001"."""
    texts = {key: "-".join(map(str, of)) if isinstance(of, list | tuple) else of for key, of in values.items()}
    return ", ".join(f"{key} {text}" for key, text in texts.items())


def _keep(options: Options, name: str, entry: Mapping[str, Any]) -> None:
    options.keep(QUESTION, name, (), entry)
    print("\n".join((title(entry), *fitted(table(entry)), "")), flush=True)
