"""Pictures inside a page, as data: an SVG file while it is small, otherwise pixels."""

import base64
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from jaxdeep.report.page.elements import Node, element
from jaxdeep.report.page.tables import mark_nodes

MOST_SVG: Final = 90_000
"""Characters of an SVG file's data, at most. A PNG file is taken in its place if there is one."""
MOST_PIXELS: Final = 100_000
"""Bytes of a PNG file, at most. A larger one is written as WebP."""
PLAIN: Final = " '()*,-./:;=?@_~+!$[]|^{}"
"""Characters that need no escape in the data of a page."""
TYPES: Final = {".png": "image/png", ".webp": "image/webp", ".svg": "image/svg+xml"}
UNSEEN: Final = re.compile(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->|<metadata>.*?</metadata>", re.DOTALL)
PIXELS_AN_INCH: Final = 120
"""Pixels an inch of the PNG files that `jaxdeep.report` writes."""


@dataclass(frozen=True)
class Picture:
    """A picture and what is said of it.

    Attributes:
        path: Path of the SVG or PNG file. The file of the other kind may lie beside it.
        alt: What the picture shows, for people who do not see it.
        caption: Text below the picture.
        is_plot: Whether it is lines on white, which may be inverted in the dark. Photographs may not.
        marks: Names of MARKS that hold for the picture.
    """

    path: Path
    alt: str
    caption: Node
    is_plot: bool = True
    marks: tuple[str, ...] = ()


class Embedder:
    """Turns pictures into data of a page, as long as the page has room.

    Attributes:
        room: Characters that are left for pictures.
        left_out: Paths of the pictures without room.
    """

    def __init__(self, room: int) -> None:
        self.room = room
        self.left_out: list[Path] = []

    def figure(self, picture: Picture) -> Element:
        """Return a picture with its caption.

        A file that cannot be read and a picture without room are named in its place.

        Args:
            picture: Picture and what is said of it.
        """
        caption = element("figcaption", mark_nodes(picture.marks), " " if picture.marks else None, picture.caption)
        try:
            data, width, height = embedded(picture.path)
        except (OSError, ValueError, SyntaxError) as error:
            said = f"{picture.path.name} cannot be shown ({str(error) or type(error).__name__})."
            return element("figure", element("p", said, class_="fault"), caption)
        if len(data) > self.room:
            self.left_out.append(picture.path)
            said = f"{picture.path.name} is left out, since the page would be too large."
            return element("figure", element("p", said, class_="fault"), caption)
        self.room -= len(data)
        kind = "plot" if picture.is_plot else "photo"
        shape = {"width": str(width), "height": str(height)}
        image = element("img", src=data, alt=picture.alt, class_=kind, decoding="async", **shape)
        frame = element("div", image, class_="scroll", tabindex="0", role="group", aria_label="Figure")
        return element("figure", frame, caption)


def embedded(path: Path) -> tuple[str, int, int]:
    """Return the data of a picture, and its width and height in pixels of a page.

    Args:
        path: Path of an SVG or PNG file. The file of the other kind may lie beside it.

    Raises:
        OSError: No file can be read.
        ValueError: The file is no picture.
        SyntaxError: The file is no picture.
    """
    drawing, pixels = path.with_suffix(".svg"), path.with_suffix(".png")
    if drawing.exists():
        text = slim(drawing.read_text())
        shape = _shape_of(text)
        data = f"data:image/svg+xml,{quote(text, safe=PLAIN)}"
        if len(data) <= MOST_SVG or not pixels.exists():
            return data, *shape
    return _pixels(pixels)


def _pixels(path: Path) -> tuple[str, int, int]:
    """Return the data of a PNG file, and its size on a page. A large file is written as WebP."""
    from PIL import Image

    content, kind = path.read_bytes(), ".png"
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        width, height = (round(side * 96 / PIXELS_AN_INCH) for side in image.size)
        if len(content) > MOST_PIXELS:
            smaller = io.BytesIO()
            image.convert("RGB").save(smaller, "WEBP", quality=82, method=2)
            if smaller.tell() < len(content):
                content, kind = smaller.getvalue(), ".webp"
    return f"data:{TYPES[kind]};base64,{base64.b64encode(content).decode()}", width, height


def slim(text: str) -> str:
    """Return an SVG file without what no eye sees: metadata, comments, line breaks, and hundredths of a point.

    Args:
        text: Content of an SVG file.

    >>> slim('<svg><!-- a --><path d="M 1.23456 2 L 3.00001 4"/> </svg>')
    "<svg><path d='M1.2 2L3 4'/></svg>"
    """
    text = UNSEEN.sub("", text)
    text = re.sub(r'\bd="([^"]*)"', lambda found: f'd="{_path(found[1])}"', text)
    text = re.sub(r'\b([xy])="(-?\d+\.\d{3,})"', lambda found: f'{found[1]}="{_rounded(found[2], 2)}"', text)
    text = re.sub(r">\s+<", "><", text).strip()
    return re.sub(r"\s+", " ", text.replace("'", "&apos;").replace('"', "'"))


def _path(data: str) -> str:
    """Return the data of a path with tenths of a point."""
    short = re.sub(r"-?\d+\.\d+", lambda found: _rounded(found[0], 1), " ".join(data.split()))
    return re.sub(r" ?([A-Za-z]) ?", r"\1", short)


def _rounded(number: str, digits: int) -> str:
    return f"{float(number):.{digits}f}".rstrip("0").rstrip(".")


def _shape_of(text: str) -> tuple[int, int]:
    """Return the width and the height of an SVG file in pixels of a page."""
    root = ElementTree.fromstring(text)
    sides = []
    for index, name in enumerate(("width", "height")):
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(pt|px)?", root.get(name, ""))
        box = (root.get("viewBox") or "").replace(",", " ").split()
        if found is None and len(box) != 4:
            raise ValueError("its size is not given")
        side = float(box[2 + index]) if found is None else float(found[1]) * (4 / 3 if found[2] == "pt" else 1)
        sides.append(max(round(side), 1))
    return sides[0], sides[1]
