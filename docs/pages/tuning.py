"""The exercise's networks at their own best learning rates: searches with equal budgets, verdicts and regrets."""

from dataclasses import replace

from docs.pages.records import Records
from docs.pages.studies import EXERCISE, QUESTIONS, costs_table, pairs_table
from jaxdeep.report.comparison_text import sentences
from jaxdeep.report.tables import markdown_table, runs_of, with_interval
from jaxdeep.report.tuning_text import budget_line, edge_lines, rate_text, regret_rows, tuning_rows
from jaxdeep.study.compare import compare_studies
from jaxdeep.study.comparison import Comparison
from jaxdeep.study.result import StudyResult
from jaxdeep.study.tuned import RATE
from jaxdeep.study.tuning import Tuning


def tuned_studies(records: Records, tuning: Tuning) -> list[StudyResult]:
    """Return the studies of the fresh seeds, each with the name of its configuration.

    Args:
        records: Records of the tuning's experiment.
        tuning: Tuning of configurations, each with its best rate.
    """
    found = []
    for tuned in tuning.configurations:
        record = tuned.name if tuned.best_rate == tuned.own_rate else f"{tuned.name},{RATE}={tuned.best_rate}"
        found.append(replace(records.study(tuning.experiment, record), name=tuned.name))
    return found


def compare_tuned(records: Records) -> tuple[Tuning, list[StudyResult], Comparison]:
    """Return the tuning of the exercise's configurations, their studies of fresh seeds, and the exercise's questions.

    Args:
        records: Records of `cifar`.
    """
    tuning = records.tuning("cifar", EXERCISE)
    studies = tuned_studies(records, tuning)
    return tuning, studies, compare_studies(studies, pairs=QUESTIONS)


def tuned_table(records: Records) -> str:
    """Return a row for each configuration, the exercise's answers, and the regrets.

    Args:
        records: Records of `cifar`.
    """
    tuning, studies, comparison = compare_tuned(records)
    _, *searches = tuning_rows(tuning)
    rows = [
        (
            f"`{study.name}`",
            *search[1:5],
            runs_of(study),
            f"{study.mean['best_epoch'].mean:.1f}",
            with_interval(study.mean["test_accuracy"]),
            with_interval(records.study("cifar", study.name).mean["test_accuracy"]),
        )
        for study, search in zip(studies, searches, strict=True)
    ]
    headers = ("configuration", "own rate", "range test", "rates tried", "best rate", "seeds", "best epoch")
    figures = ("test accuracy", "at the own rate")
    regrets = regret_rows(tuning)
    return "\n".join(
        (
            markdown_table((*headers, *figures), rows),
            "",
            f"{_capital(budget_line(tuning))}.",
            *(f"\n{_capital(line)}" for line in edge_lines(tuning)),
            "\nThe exercise's questions, on the fresh seeds and the test images:\n",
            pairs_table(comparison),
            "\nPoints of validation accuracy that a row loses at the best rate of a column (seeds of the search):\n",
            markdown_table(regrets[0], regrets[1:]),
        )
    )


def tuned_section(records: Records) -> list[str]:
    """Return the lines of STUDIES.md on the tuning: commands, wall times, every rate that was tried, and the answers.

    Args:
        records: Records of `cifar`.
    """
    tuning, studies, comparison = compare_tuned(records)
    rows = []
    for tuned in tuning.configurations:
        for tried in tuned.rates:
            rows.append(
                (
                    tuned.name,
                    f"**{rate_text(tried.rate)}**" if tried.rate == tuned.best_rate else rate_text(tried.rate),
                    "" if tried.is_searched else "best of another",
                    ", ".join("-" if loss is None else f"{loss:.4f}" for loss in tried.val_loss),
                    ", ".join("-" if share is None else f"{share:.4f}" for share in tried.val_accuracy),
                    f"{sum(tried.epochs)}",
                    f"{sum(tried.diverged)}",
                )
            )
    headers = ("configuration", "rate", "outside of the budget", "val loss", "val accuracy", "epochs", "diverged")
    seeds = ", ".join(map(str, tuning.search_seeds))
    return [
        "## Exercise 8 at each network's own best learning rate\n",
        f"`{tuning.command}`\n",
        f"{_capital(budget_line(tuning))}. Search seeds {seeds}, on {tuning.processor}, commit {tuning.commit}.\n",
        markdown_table(headers, rows),
        "\nThe studies of the fresh seeds:\n",
        costs_table(studies),
        "\nThe exercise's questions, on the test images:\n",
        *(f"- {line}" for line in sentences(comparison.pairs, "test_accuracy")),
        "",
    ]


def _capital(line: str) -> str:
    return f"{line[0].upper()}{line[1:]}"
