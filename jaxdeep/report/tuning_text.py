"""A tuning as text: its budget, a row for each configuration, and what each loses at the rates of the others."""

from typing import Final

from jaxdeep.report.layout import fitted
from jaxdeep.study.tuned import Regret, Tuned
from jaxdeep.study.tuning import Tuning

REGRET: Final = "points of validation accuracy that each row loses at the best rate of a column:"
"""Line above the regrets."""
HEADERS: Final = ("", "own rate", "range test", "rates tried", "best rate", "epochs")


def tuning_text(tuning: Tuning, width: int | None = None) -> str:
    """Return what a tuning prints: the budget, a row for each configuration, and the regrets.

    Args:
        tuning: Tuning of one or more configurations.
        width: Number of characters of a line at most, or None for no limit.
    """
    lines = [budget_line(tuning), *fitted(tuning_rows(tuning), width), *edge_lines(tuning)]
    if len(tuning.configurations) > 1:
        lines += [REGRET, *fitted(regret_rows(tuning), width)]
    return "\n".join(lines)


def budget_line(tuning: Tuning) -> str:
    """Return the budget of each configuration in one line.

    Args:
        tuning: Tuning of one or more configurations.
    """
    epochs = sorted({tuned.epochs for tuned in tuning.configurations})
    most = f"{epochs[0]} to {epochs[-1]} epochs" if len(epochs) > 1 else _counted(epochs[0], "epoch")
    budget, fresh = tuning.budget, len(tuning.fresh_seeds)
    return (
        f"budget: {budget.rates} rates x {_counted(budget.seeds, 'seed')} x at most {most} each, "
        f"then {_counted(fresh, 'fresh seed')}"
    )


def tuning_rows(tuning: Tuning) -> list[tuple[str, ...]]:
    """Return a row for each configuration, the headers first. The rows suit a Markdown table too.

    Args:
        tuning: Tuning of one or more configurations.
    """
    return [HEADERS, *(_row(tuned) for tuned in tuning.configurations)]


def regret_rows(tuning: Tuning) -> list[tuple[str, ...]]:
    """Return what each configuration loses at the best rate of each other, in points of validation accuracy.

    A configuration has a row, and its best rate a column. The headers come first. "-" stands where the optimizers or
    the kinds of the schedules differ. The rows suit a Markdown table too.

    Args:
        tuning: Tuning of one or more configurations.
    """
    names = [tuned.name for tuned in tuning.configurations]
    return [
        ("", *(f"{tuned.name} {rate_text(tuned.best_rate)}" for tuned in tuning.configurations)),
        *((row, *("" if row == column else _points(tuning.regret(row, column)) for column in names)) for row in names),
    ]


def edge_lines(tuning: Tuning) -> list[str]:
    """Return a warning if a best rate is not bracketed by other rates that were tried.

    Args:
        tuning: Tuning of one or more configurations.
    """
    at_edge = [tuned.name for tuned in tuning.configurations if not tuned.is_bracketed]
    if not at_edge:
        return []
    verb = "lies" if len(at_edge) == 1 else "lie"
    noun = "rate" if len(at_edge) == 1 else "rates"
    return [
        f"warning: the best {noun} of {', '.join(at_edge)} {verb} at the edge of the rates tried. "
        f"Try more than {tuning.budget.rates} rates."
    ]


def rate_text(rate: float) -> str:
    """Return a learning rate with as many digits as it has, or with two if it has more than three.

    Args:
        rate: Learning rate above 0.

    >>> rate_text(1e-4), rate_text(0.042), rate_text(0.0123456)
    ('1e-04', '4.2e-02', '1.2e-02')
    """
    texts = [f"{rate:.{digits}e}" for digits in range(3)]
    return next((text for text in texts if float(text) == rate), texts[1])


def _row(tuned: Tuned) -> tuple[str, ...]:
    rates = [tried.rate for tried in tuned.searched]
    best = next(tried for tried in tuned.rates if tried.rate == tuned.best_rate)
    marks = [rate_text(tuned.best_rate)]
    marks += [] if tuned.is_bracketed else ["edge"]
    marks += [f"{sum(best.diverged)} diverged"] if any(best.diverged) else []
    return (
        tuned.name,
        rate_text(tuned.own_rate),
        "-" if tuned.suggestion is None else rate_text(tuned.suggestion),
        f"{rate_text(min(rates))} - {rate_text(max(rates))}",
        ", ".join(marks),
        f"{tuned.epochs_spent:,}",
    )


def _points(regret: Regret | None) -> str:
    """Return a regret in points, with the number of diverged trials if there are any."""
    if regret is None:
        return "-"
    lost = f"{regret.diverged} diverged"
    if regret.mean is None:
        return lost
    points = f"{100 * regret.mean:+.2f}"
    return f"{points}, {lost}" if regret.diverged else points


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
