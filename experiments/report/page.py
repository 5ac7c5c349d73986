"""The whole page, from the repository's records and the runs of a machine."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from experiments.report.bench import bench_section
from experiments.report.claims import claims_section, totals
from experiments.report.entries import Fault
from experiments.report.repository import Gathered, gather_records
from experiments.report.runs import gather_runs
from experiments.report.sections import Builder
from jaxdeep.report.page.document import Document, page_html
from jaxdeep.report.page.elements import Names, Node, code, element
from jaxdeep.report.page.pictures import Embedder
from jaxdeep.study.summarise import commit
from jaxdeep.version import __version__

ROOM: Final = 8_800_000
"""Characters that the pictures of a page take, at most. A page stays under 10 MB."""
TITLE: Final = "Training deep neural networks: the chapter's claims and figures, measured"


def report_html(root: Path, runs: Path) -> str:
    """Return the page as one HTML file.

    Args:
        root: Folder of the repository, with experiments/results and bench/records.
        runs: Folder of the runs, which need not exist.
    """
    records = gather_records(root / "experiments" / "results")
    found = gather_runs(runs) if runs.is_dir() else Gathered(runs)
    builder = Builder(Names(), Embedder(ROOM))
    claims = records.of("claim")
    faults: list[Fault] = []
    sections = [
        claims_section(claims, builder.names, builder.embedder, faults),
        builder.chapter(records),
        builder.experiments(records),
        builder.runs(found),
        bench_section(root, records.of("study"), builder.names, faults),
    ]
    left_out = [Fault(path.name, "the page has no room for this picture") for path in builder.embedder.left_out]
    sections.append(builder.faults_section([*records.faults, *found.faults, *builder.faults, *faults, *left_out]))
    studies = [entry.value for entry in records.of("study")]
    trained = sum(len(study.trials) for study in studies)
    now, at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), commit()
    lead: list[Node] = [
        element(
            "p",
            "The chapter \u201cTraining Deep Neural Networks\u201d of Aurélien Géron's ",
            element("cite", "Hands-On Machine Learning with Scikit-Learn, Keras, and TensorFlow"),
            f", as jaxdeep measures it: {len(claims)} claims, {len(studies)} recorded studies, {trained:,} trained "
            "networks. A figure is a mean over seeds, ± half of its 95% interval, unless a table says otherwise.",
        ),
        totals(claims) if claims else None,
        element("p", f"Written {now} by jaxdeep {__version__}", f", commit {at}" if at else "", ".", class_="note"),
    ]
    foot = [element("p", "Written by ", code("python -m experiments.report"), ". Apache License 2.0.")]
    return page_html(Document(TITLE, lead, sections, foot))
