"""Pictures, each as a PNG and an SVG file, written whole or not at all."""

import io
from pathlib import Path
from typing import Any, Final

from jaxdeep.study.files import write_bytes

SALT: Final = "jaxdeep"
"""Text from which the names inside an SVG file are made, so that the same picture is the same file."""


def save_figure(path: Path, figure: Any, dpi: int) -> None:
    """Write a picture as PNG, and as SVG beside it under the same name.

    The same figure gives the same bytes: neither file holds a date or a random name.

    Args:
        path: Path of the PNG file.
        figure: Matplotlib's figure.
        dpi: Pixels an inch of the PNG file, and of what is stored as pixels in the SVG file.

    Raises:
        UserError: The system refuses, as when the disk is full.
    """
    from matplotlib import rc_context

    with rc_context({"svg.hashsalt": SALT}):
        for kind, metadata in (("png", {}), ("svg", {"Date": None})):
            content = io.BytesIO()
            figure.savefig(content, format=kind, dpi=dpi, metadata=metadata)
            write_bytes(path.with_suffix(f".{kind}"), content.getvalue())
