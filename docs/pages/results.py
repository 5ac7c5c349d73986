"""Tables of the recorded configurations beside the chapter's figures, for the README and the pages."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from docs.pages.records import Records
from docs.pages.studies import CONTROLS, EXERCISE
from jaxdeep.analysis.differences import independent
from jaxdeep.analysis.evidence import judge
from jaxdeep.report.divergence import counted
from jaxdeep.report.tables import markdown_table, runs_of, study_table, with_interval
from jaxdeep.study.files import read_json
from jaxdeep.study.reported import other_settings
from jaxdeep.study.result import FIGURES, StudyResult
from jaxdeep.study.trial_result import means_from_json
from jaxdeep.study.tuned import RATE
from jaxdeep.train.progress import epoch_figures

TRAINING_ROWS: Final = 45_000
"""Number of CIFAR-10's training images without the 5,000 that validate."""
NAMES: Final = tuple(name.replace("_", " ") for name in FIGURES)


def exercise_table(records: Records) -> str:
    """Return a row for each configuration of exercise 8, in few columns.

    Args:
        records: the records of `cifar`.
    """
    rows = []
    for name in reversed(EXERCISE):
        study = records.study("cifar", name)
        rows.append(
            (
                f"`{name}`",
                runs_of(study),
                f"{study.mean['best_epoch'].mean:.1f}",
                *(with_interval(study.mean[figure]) for figure in ("val_accuracy", "test_accuracy")),
                ", ".join(f"{reported['val_accuracy']:.4f}" for reported in study.reported),
            )
        )
    return markdown_table(("configuration", "seeds", "best epoch", "val accuracy", "test accuracy", "chapter"), rows)


def first_run(records: Records) -> str:
    """Return what `make cifar` prints of its first epoch and at its end, on the machine of the record of `selu`.

    Args:
        records: Records of `cifar`.
    """
    study = records.study("cifar", "selu")
    trial, history = study.trials[0], study.histories[0]
    alone = replace(study, trials=(trial,))
    epochs, figures = study.config["train"]["epochs"], epoch_figures(history[0], TRAINING_ROWS)[0]
    first = f"seed {trial.seed} epoch 1/{epochs}: {figures}"
    rows = (line.rstrip() for line in study_table(alone).splitlines())
    return "\n".join(("```text", first, "...", *rows, "```"))


def cifar_table(records: Records) -> str:
    """Return a row for each record but controls and tuned rates: means over seeds, 95% intervals, the chapter's run.

    Args:
        records: the records of `cifar`.
    """
    return markdown_table(
        ("configuration", "seeds", "best epoch", *NAMES, "chapter"),
        [
            (
                _named(name),
                runs_of(study),
                f"{study.mean['best_epoch'].mean:.1f}",
                *(with_interval(study.mean[figure]) for figure in FIGURES),
                _chapter(study),
            )
            for name, study in records.studies("cifar").items()
            if name not in CONTROLS.values() and set(study.changed or ()) != {RATE}
        ],
    )


def _chapter(study: StudyResult) -> str:
    """Return the figures that the chapter prints, or why they do not stand beside the study's."""
    if study.reported and (other := other_settings(study)):
        return f"other settings: {other}"
    return "; ".join(f"{of['val_loss']:.4f} / {of['val_accuracy']:.4f} ({of['source']})" for of in study.reported)


def fashion_mnist_table(records: Records) -> str:
    """Return a row for each record: the last epoch's figures, the chapter's, and how far single seeds lie apart.

    Args:
        records: the records of `fashion_mnist`.
    """
    headers = ("configuration", "seeds", "epochs", "val loss", "chapter's", "val accuracy", "lowest - highest seed")
    rows = []
    for name, study in records.studies("fashion_mnist").items():
        (chapter,), mean, other = study.reported, study.mean, other_settings(study)
        accuracies = [trial.val_accuracy for trial in study.trials if trial.val_accuracy is not None]
        difference = (
            "-"
            if (accuracy := mean["val_accuracy"].mean) is None or other
            else f"{100 * (accuracy - chapter['val_accuracy']):+.1f}"
        )
        rows.append(
            (
                _named(name),
                runs_of(study),
                f"{mean['epochs'].mean:g}",
                with_interval(mean["val_loss"]),
                f"other settings: {other}" if other else f"{chapter['val_loss']:.4f}",
                with_interval(mean["val_accuracy"]),
                f"{min(accuracies):.4f} - {max(accuracies):.4f}" if accuracies else "-",
                "-" if other else f"{chapter['val_accuracy']:.4f}",
                difference,
                with_interval(mean["test_loss"]),
                with_interval(mean["test_accuracy"]),
            )
        )
    return markdown_table((*headers, "chapter's", "difference, points", "test loss", "test accuracy"), rows)


def keras_table(records: Records, paths: Iterable[Path]) -> str:
    """Return the figures of Keras itself beside our means, and their differences.

    The runs share nothing, so Welch's t-test compares them. Its intervals are corrected for all differences of test
    figures in the table. The validation figures have intervals with the same correction, and no answer.

    Args:
        records: Records of all experiments.
        paths: Records of bench.keras_reference.
    """
    rows, paths = [], sorted(paths)
    comparisons = len(paths) * sum(figure.startswith("test") for figure in FIGURES)
    for path in paths:
        record = read_json(path)
        experiment, name = record["experiment"], record["name"]
        lost = sum(bool(run.get("diverged", False)) for run in record["runs"])
        keras = counted(len(record["runs"]), lost), means_from_json(record["mean"], lost)
        ours = records.study(experiment, name)
        for who, (runs, mean) in {
            f"Keras {record['versions']['keras']}": keras,
            "jaxdeep": (runs_of(ours), ours.mean),
        }.items():
            rows.append((f"{experiment} `{name}`", who, runs, *(with_interval(mean[figure]) for figure in FIGURES)))
        cells = [_beside_keras(ours, record["runs"], figure, comparisons) for figure in FIGURES]
        rows.append((f"{experiment} `{name}`", "jaxdeep - Keras", "", *cells))
    return markdown_table(("configuration", "by", "seeds", *NAMES), rows)


def _beside_keras(ours: StudyResult, runs: Sequence[Mapping[str, Any]], figure: str, comparisons: int) -> str:
    """Return the difference of a figure from Keras's with half of its interval and its answer."""
    own = [value for trial in ours.trials if (value := getattr(trial, figure)) is not None]
    evidence = judge(difference := independent(own, [run[figure] for run in runs]), comparisons)
    half = (evidence.high_corrected - evidence.low_corrected) / 2
    answer = f" {evidence.answer}" if figure.startswith("test") else ""
    return f"{difference.difference:+.4f} ± {half:.4f}{answer}"


def _named(record_name: str) -> str:
    name, *changed = record_name.split(",")
    return f"`{name}`" + (f" with {', '.join(changed)}" if changed else "")
