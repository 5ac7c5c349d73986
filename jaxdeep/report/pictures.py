"""Pictures, each as a PNG and an SVG file and on request as PDF, written whole or not at all."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from jaxdeep.study.files import write_bytes

SALT: Final = "jaxdeep"
"""Text from which the names inside an SVG file are made, so that the same picture is the same file."""


METADATA: Final[dict[str, dict[str, None]]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
"""Metadata of each kind of file, without its date."""


def save_figure(path: Path, figure: Any, dpi: int, kinds: Sequence[str] = ("png", "svg")) -> None:
    """Write a picture as PNG, and as SVG beside it under the same name.

    The same figure gives the same bytes: no file holds a date or a random name.

    Args:
        path: Path of the PNG file.
        figure: Matplotlib's figure.
        dpi: Pixels an inch of the PNG file, and of what is stored as pixels in the SVG file.
        kinds: Kinds of files that are written, of png, svg and pdf.

    Raises:
        UserError: The system refuses, as when the disk is full.
    """
    from matplotlib import rc_context

    with rc_context({"svg.hashsalt": SALT}):
        for kind in kinds:
            content = io.BytesIO()
            figure.savefig(content, format=kind, dpi=dpi, metadata=METADATA[kind])
            write_bytes(path.with_suffix(f".{kind}"), content.getvalue())
