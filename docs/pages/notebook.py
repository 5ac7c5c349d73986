"""A page of Markdown as a Jupyter notebook, without outputs."""

import hashlib
import json
import re
import shlex
from collections.abc import Iterator
from typing import Any, Final

BLOCK: Final = re.compile(r"^```(python|console|bash)\n(.*?)^```\n?", re.DOTALL | re.MULTILINE)
FORMAT: Final = {"nbformat": 4, "nbformat_minor": 5}
KERNEL: Final = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
SETUP: Final = """\
# The commands below run by this notebook's Python, and find the experiments of this repository.
import os
import sys
from pathlib import Path

folders = [Path.cwd(), *Path.cwd().parents]
root = next((folder for folder in folders if (folder / "experiments").is_dir()), folders[0])
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
os.environ["PYTHONPATH"] = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
"""


def notebook(page: str) -> str:
    """Return the notebook of a page as JSON. Python blocks and commands become cells that run.

    Equal pages give equal notebooks: the id of a cell is a digest of its place and its text.

    Args:
        page: text of the page.
    """
    found = [("code", SETUP), *cells_of(page)]
    cells = [_cell(number, kind, source.strip("\n")) for number, (kind, source) in enumerate(found) if source.strip()]
    return json.dumps({"cells": cells, "metadata": KERNEL, **FORMAT}, indent=1, ensure_ascii=False) + "\n"


def cells_of(page: str) -> Iterator[tuple[str, str]]:
    r"""Yield the kind and the source of each cell.

    Args:
        page: text of the page.

    Yields:
        "code" or "markdown", and the text.

    >>> list(cells_of("Train:\n```console\nmake test  # all\n```\n"))
    [('markdown', 'Train:\n'), ('code', '!make test  # all\n'), ('markdown', '')]
    """
    end = 0
    for block in BLOCK.finditer(page):
        yield "markdown", page[end : block.start()]
        yield "code", block[2] if block[1] == "python" else "".join(f"!{line}\n" for line in commands_of(block[2]))
        end = block.end()
    yield "markdown", page[end:]


def commands_of(block: str) -> list[str]:
    r"""Return the commands of a console block, one a line. If a line begins with "$ ", only such lines are commands.

    Args:
        block: text between the fences.

    >>> commands_of("$ ls\nrecords\n"), commands_of("make docs \\\n  ARGS=1\n")
    (['ls'], ['make docs ARGS=1'])
    """
    lines = re.sub(r"\s*\\\n\s*", " ", block).splitlines()
    prompted = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return [line for line in prompted or lines if shlex.split(line, comments=True)]


def _cell(number: int, kind: str, source: str) -> dict[str, Any]:
    digest = hashlib.sha256(f"{number} {kind} {source}".encode()).hexdigest()[:12]
    text = {"cell_type": kind, "id": digest, "metadata": {}, "source": source.splitlines(keepends=True)}
    return text if kind == "markdown" else {**text, "execution_count": None, "outputs": []}
