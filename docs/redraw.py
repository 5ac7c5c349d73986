"""Draw the pictures of the records anew, in today's look: `python -m docs.redraw`.

A record without the figures of its epochs, or without its networks, does not hold what some of its pictures show. These
pictures stay as they are. Run the record's command again and take the run to draw them.
"""

from pathlib import Path

from docs.pages.records import Records
from docs.publish import RECORDS
from jaxdeep.report.figures import histories_by_key
from jaxdeep.report.learning_curves import learning_curves
from jaxdeep.report.range_test import range_test_curves, range_test_of
from jaxdeep.report.rate_curves import rate_curves
from jaxdeep.report.titles import title_of, title_of_study
from jaxdeep.report.uncertainty_figures import sample_curves
from jaxdeep.study.files import read_json


def redraw(records: Records) -> list[Path]:
    """Draw the pictures of all records that hold their figures.

    Args:
        records: Records, in whose folder the pictures are written.

    Returns:
        The paths of the PNG files. An SVG file lies beside each.
    """
    drawn = []
    for experiment in records.recipes:
        folder = records.folder / experiment
        studies = records.studies(experiment) | records.studies(experiment, grids=True)
        for name, found in studies.items():
            study, title = found, title_of_study(found)
            if (folder / f"{name}.jsonl").exists():
                study = records.study(experiment, name)
                drawn.append(folder / f"{name}.png")
                learning_curves(drawn[-1], {"": histories_by_key(study)}, title)
            if study.range_test is not None:
                drawn.append(folder / f"{name}.rates.png")
                rate_curves(drawn[-1], study, title)
            if study.uncertainty is not None and "by_samples" in study.uncertainty:
                drawn.append(folder / f"{name}.samples.png")
                sample_curves(drawn[-1], study.uncertainty, f"{title}, test images")
        for path in sorted(folder.glob("*.find-lr.json")):
            record = read_json(path)
            drawn.append(path.with_suffix(".png"))
            range_test_curves(drawn[-1], range_test_of(record), title_of(record, records.changed(record)))
    return drawn


if __name__ == "__main__":
    for picture in redraw(RECORDS):
        print(picture)
