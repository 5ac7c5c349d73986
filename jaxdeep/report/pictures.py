"""Pictures, written whole or not at all."""

import io
from pathlib import Path
from typing import Any

from jaxdeep.study.files import write_bytes


def save_figure(path: Path, figure: Any, dpi: int) -> None:
    """Write a picture whole or not at all.

    Args:
        path: Where the PNG file is to be.
        figure: Matplotlib's figure.
        dpi: Pixels an inch.

    Raises:
        UserError: The system refuses, as when the disk is full.
    """
    content = io.BytesIO()
    figure.savefig(content, dpi=dpi)
    write_bytes(path, content.getvalue())
