"""Drawn figures: their files, the list figures.json beside them, and their copies in the records."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from experiments.figures.figure import Inputs
from experiments.figures.references import references
from experiments.figures.self_normalisation import LINES, lines_record
from experiments.figures.table import FIGURES
from experiments.record import RESULTS
from jaxdeep.errors import UserError
from jaxdeep.report.pictures import save_figure
from jaxdeep.report.style import set_title
from jaxdeep.study.files import read_json, write_json

LIST: Final = "figures.json"
RECORDED: Final = ("png", "svg")
"""Kinds of files that the records keep. A run's folder has PDF files too."""
DPI: Final = 110


def draw_figure(name: str, folder: Path, inputs: Inputs) -> dict[str, Any]:
    """Draw a figure of the table, and write it as PNG, SVG and PDF.

    Args:
        name: Name of the figure in the table.
        folder: Folder of the files, which is made if it is missing.
        inputs: What the figure is drawn from.

    Returns:
        The figure's entry of figures.json: name, title, caption, section, command, file, and whether it is synthetic.

    Raises:
        UserError: A record or the images are missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    figure = FIGURES[name]
    picture = figure.draw(inputs)
    title = f"{figure.title} (synthetic)" if picture.is_synthetic else figure.title
    set_title(picture.figure, title)
    save_figure(folder / f"{name}.png", picture.figure, DPI, kinds=(*RECORDED, "pdf"))
    return {
        "name": name,
        "title": title,
        "caption": figure.caption.format(**picture.numbers),
        "section": figure.section,
        "command": f"python -m experiments.figures --figure {name}",
        "file": f"{name}.png",
        "synthetic": picture.is_synthetic,
    }


def write_list(folder: Path, entries: Sequence[Mapping[str, Any]]) -> None:
    """Write figures.json anew. Entries of figures that are not drawn now stay, if their files are there.

    Args:
        folder: Folder of the figures.
        entries: Entries of the figures that have been drawn.
    """
    path = folder / LIST
    kept = {of["name"]: of for of in (read_json(path)["figures"] if path.exists() else []) if "name" in of}
    kept |= {of["name"]: dict(of) for of in entries}
    ordered = [kept[name] for name in FIGURES if name in kept and (folder / kept[name]["file"]).exists()]
    write_json(path, {"figures": ordered})


def record_figures(folder: Path, entries: Sequence[Mapping[str, Any]], results: Path = RESULTS) -> None:
    """Copy drawn figures into the records, and list them there with the other pictures of the records.

    Args:
        folder: Folder of the figures.
        entries: Entries of the figures that have been drawn.
        results: Folder of the records.

    Raises:
        UserError: Images are synthetic.
    """
    if synthetic := [of["name"] for of in entries if of["synthetic"]]:
        raise UserError(f"{', '.join(synthetic)}: the images are synthetic. Give the real ones by --data-dir.")
    target = results / "figures"
    target.mkdir(parents=True, exist_ok=True)
    for entry in entries:
        for kind in RECORDED:
            shutil.copyfile(folder / f"{entry['name']}.{kind}", target / f"{entry['name']}.{kind}")
        if entry["name"] == "self_normalisation":
            write_json(target / LINES, lines_record())
    write_list(target, entries)
    write_json(target / LIST, with_references(read_json(target / LIST), results))


def with_references(listed: Mapping[str, Any], results: Path) -> dict[str, Any]:
    """Return the content of figures.json with the pictures of the records behind the figures.

    Args:
        listed: Content of figures.json.
        results: Folder of the records.
    """
    own = [of for of in listed["figures"] if of["name"] in FIGURES]
    return {"figures": [*own, *references(results)]}
