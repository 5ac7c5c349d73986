"""experiments/results/UNCERTAINTY.md, and what the README takes of it: MC dropout and ensembles, judged."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from docs.pages.records import Records
from jaxdeep.report.tables import markdown_table
from jaxdeep.report.uncertainty_tables import (
    Rows,
    answers,
    chapters,
    columns,
    figure_cells,
    figure_rows,
    other_rows,
    sample_rows,
    verdict_rows,
    who_diverged,
)
from jaxdeep.study.reported import other_settings
from jaxdeep.study.result import StudyResult

INTRODUCTION: Final = """# What the networks do not know

Written by `python -m docs.publish --write` from the records in this folder. Each network predicts as it is (plain)
and by MC dropout. All seeds' networks together are an ensemble. Each of the three also has a scaled form: its
logits are divided by a temperature that is fitted on the validation images.

Figures are of the test images, ± half of the 95% interval over seeds by Student's t. The ensemble's interval is the
jackknife's. It leaves out one network at a time, and is rather too wide than too narrow. NLL is in nats. ECE has 15
bins, of equal width or of equal mass. AURC is the area under the risk-coverage curve, with the entropy as the
uncertainty score.

A difference on accuracy, NLL or Brier score is about other seeds and other images. One on another figure is about
other seeds, on these images. All are about networks that are trained on these training images. Intervals of
differences are corrected for all differences of a table (Bonferroni). Better and worse: the interval excludes 0.
Equivalent (=): it lies within 0.005 of 0, the smallest effect of interest. Undecided (~): neither.

A calibration error is above 0 by chance alone. "If calibrated" is what a perfectly calibrated predictor with the same
confidences shows on as many images: the mean, and in brackets what it stays below in 95% of all cases.
"""
PICTURES: Final = {  # rejection: how a record of version 0.1 shows what risk_coverage shows
    "samples": "Accuracy and NLL against the number of samples",
    "reliability": "Reliability diagrams",
    "risk_coverage": "Error rate of the images kept, by the share of images kept",
    "rejection": "Accuracy against the share of images rejected",
    "certainty": "The most and the least certain images",
    "first_image": "The first test image",
}
FIGURES: Final = ("accuracy", "nll", "brier", "ece", "aurc")


def with_uncertainty(records: Records) -> dict[str, tuple[StudyResult, Mapping[str, Any]]]:
    """Return the recorded studies whose uncertainty was evaluated, with what was found, by experiment and name.

    Args:
        records: the records of all experiments.
    """
    studies = [named for experiment in records.recipes for named in records.studies(experiment).items()]
    return {
        f"{study.experiment}/{name}": (study, study.uncertainty)
        for name, study in studies
        if study.uncertainty is not None
    }


def uncertainty_page(records: Records) -> str:
    """Return the text of UNCERTAINTY.md.

    Args:
        records: the records of all experiments.
    """
    sections = (
        _section(path, study, found, [name for name in PICTURES if (records.folder / f"{path}.{name}.png").exists()])
        for path, (study, found) in with_uncertainty(records).items()
    )
    return "\n".join((INTRODUCTION, *(line for section in sections for line in section)))


def summary_table(records: Records) -> str:
    """Return a row for each record and predictor, and the verdicts in words, as Markdown.

    Args:
        records: the records of all experiments.
    """
    rows, said = [], []
    for path, (study, found) in with_uncertainty(records).items():
        name = f"{study.experiment} `{path.partition('/')[2]}`"
        for (predictor, *_), figures in zip(figure_rows(found)[1:], found["predictors"].values(), strict=True):
            cells = (cell for figure in FIGURES for cell in figure_cells(figures, figure))
            rows.append((name, predictor, *cells))
        said += [f"- {name}: {line}" for line in (*answers(found)[:3], *chapters(found, other_settings(study)))]
    titles = (title for figure in FIGURES for title in columns(figure))
    table = markdown_table(("configuration", "predictor", *titles), rows)
    return "\n".join((table, "", *said))


def found_table(records: Records) -> str:
    """Return a row for each figure: plain networks, MC dropout and the ensemble of each record, as Markdown.

    Args:
        records: Records of all experiments.
    """
    shown = ("plain", "mc_dropout", "ensemble")
    columns_of = {path: found["predictors"] for path, (_, found) in with_uncertainty(records).items()}
    headers = [f"{path.replace('/', ' ')} {name}" for path in columns_of for name in shown]
    cells = [
        [cell for figure in FIGURES for cell in figure_cells(predictors[name], figure)]
        for predictors in columns_of.values()
        for name in shown
    ]
    titles = [title for figure in FIGURES for title in columns(figure)]
    rows = [(title, *(column[index] for column in cells)) for index, title in enumerate(titles)]
    return markdown_table(("figure", *headers), rows)


def _section(path: str, study: StudyResult, found: Mapping[str, Any], pictures: Sequence[str]) -> list[str]:
    lines = [
        f"## {path.replace('/', ' ', 1)}\n",
        f"`{found['command']}`\n",
        f"{len(found['seeds'])} networks, {found['mc_samples']:,} samples of MC dropout (masks of {found['mask_bits']} "
        "random bits a value) of each network and image.\n",
        *(f"{line[0].upper()}{line[1:]}.\n" for line in who_diverged(found)),
        *_table(figure_rows(found)),
        "Differences:\n",
        *_table(verdict_rows(found)),
        *(f"- {line}" for line in answers(found)),
        "\nOOD detection of other images by the uncertainty score. AUROC is the area under the ROC curve. FPR95 is the "
        "share of test images above the threshold that detects 95% of the other images.\n",
        *_table(other_rows(found)),
        *_by_samples(found, other_settings(study)),
        *_first_image(found),
    ]
    stem = path.replace(" ", "%20")
    return lines + [f"![{PICTURES[picture]}]({stem}.{picture}.png)\n" for picture in pictures]


def _by_samples(found: Mapping[str, Any], other: str) -> list[str]:
    chapter = [f"The chapter: {line}.\n" for line in chapters(found, other)]
    said = (
        "By number of samples. Each difference has its own interval and p-value. The validation images chose the epoch."
    )
    return [f"{said}\n", *_table(sample_rows(found)), *chapter]


def _first_image(found: Mapping[str, Any]) -> list[str]:
    """Return the classes that get more than a hundredth, in numbers."""
    image = found["first_image"]
    shown = [
        label for label, chances in enumerate(zip(image["plain"], image["mean"], strict=True)) if max(chances) > 0.01
    ]
    rows = [(str(label), *(f"{image[figure][label]:.2f}" for figure in ("plain", "mean", "std"))) for label in shown]
    headers = ("class", "without dropout", f"mean of {image['samples']} samples", "standard deviation")
    return [
        f"The first test image (class {image['label']}) by the network of seed {found['seeds'][0]}:\n",
        *_table([headers, *rows]),
    ]


def _table(rows: Rows | Sequence[tuple[str, ...]]) -> list[str]:
    return [markdown_table(rows[0], rows[1:]), ""]
