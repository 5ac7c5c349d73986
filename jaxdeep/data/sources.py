"""Load images from the first source that has them.

A folder that the caller gives is the only place. Without one `auto` tries four sources in turn. They are the classic
files of JAXDEEP_DATA, the cache, a download, and the built-in set with a notice. A data set's own name takes the same
order and ends in an error. `synthetic` takes the built-in set at once. TensorFlow Datasets downloads. If it is not
installed or fails, the classic files are downloaded by URL.
"""

import difflib
import logging
import os
from pathlib import Path
from typing import Any, Final

from jaxdeep.config.arguments import check_type
from jaxdeep.config.values import shown
from jaxdeep.data import cache, classic, fetched, layouts, prepared, synthetic
from jaxdeep.data.images import SPECS, Arrays, Images
from jaxdeep.data.web import Unavailable
from jaxdeep.errors import UserError, warn

LOG: Final = logging.getLogger("jaxdeep")
__all__ = ["Images", "load_images"]


def load_images(name: str, *, source: str = "auto", data_dir: Path | str | None = None) -> Images:
    """Load the images of a data set from the first source that has them.

    Args:
        name: One of "cifar10", "mnist" and "fashion_mnist".
        source: "auto" for the first source. The set's name for real images or an error. "synthetic" for the built-in
            set.
        data_dir: Folder with the classic files, or its parent. `~` is the home folder. It is the only place looked in.
            None tries JAXDEEP_DATA, the cache and a download in turn.

    Returns:
        Images [N, H, W, C] uint8 and their labels in the official order, and their origin.

    Raises:
        UserError: The name, the source or the folder does not exist. data_dir lacks the set. A classic file is damaged
            or missing from its set. Real images were asked for and cannot be had.

    Warns:
        JaxdeepWarning: The folder of JAXDEEP_DATA lacks the set.
    """
    _check(name, "data set", list(SPECS))
    _check(source, "source of the data", ["auto", name, "synthetic"])
    check_type("data_dir", data_dir, (str, os.PathLike, type(None)), "the path of a folder, or None")
    if source == "synthetic":
        return _built_in(name)
    if data_dir is not None:
        return _real(classic.read(name, _folder("--data-dir", data_dir)), name, "classic files")
    without = "no --data-dir and no JAXDEEP_DATA given"
    if given := os.environ.get("JAXDEEP_DATA"):
        folder = _folder("JAXDEEP_DATA", given)
        try:
            return _real(classic.read(name, folder), name, "classic files")
        except classic.Absent as reason:
            text = f"JAXDEEP_DATA {reason} The cache or a download is used instead."
            warn(text)
            without = f"no classic files of it in {folder}"
    try:
        kept = _downloaded(name)
        return _real(kept.arrays, name, kept.source)
    except Unavailable as reason:
        if source == name:
            cause = str(reason).rstrip(".")
            raise UserError(
                f"{name}: {without}, and it cannot be downloaded ({cause}). Give a folder with its files by --data-dir."
            ) from reason
        _notice(name, without, str(reason))
        return _built_in(name)


def _downloaded(name: str) -> cache.Kept:
    """Return the arrays of the cache, or download them and keep them there."""
    if kept := cache.read(name):
        return kept
    try:
        kept = cache.Kept(prepared.prepare(name, cache.folder()), "tensorflow_datasets")
    except Unavailable as reason:
        LOG.info("%s: TensorFlow Datasets does not give it (%s)", name, reason)
        kept = cache.Kept(fetched.fetch(name, cache.folder()), "download by URL")
    cache.write(name, kept)
    return kept


def _real(arrays: Arrays, name: str, source: str) -> Images:
    """Return real images with their origin."""
    return Images(*arrays, name=name, source=source, synthetic=False, class_names=SPECS[name].class_names)


def _built_in(name: str) -> Images:
    """Return the built-in images in the shape and number of a set."""
    spec = SPECS[name]
    arrays = synthetic.draw(*spec.image_shape, train=spec.train, test=spec.test)
    names = tuple(f"class {label}" for label in range(synthetic.CLASSES))
    return Images(*arrays, f"synthetic_{name}", "built-in synthetic", synthetic=True, class_names=names)


def _folder(origin: str, given: str | Path) -> Path:
    """Return a given folder as a path, or refuse one that does not exist."""
    folder = Path(os.path.expanduser(given))
    if not os.path.isdir(folder):
        present = "a file" if os.path.exists(folder) else "nothing"
        raise UserError(f"{origin} {given}: found {present} there. Give a folder that holds the classic files.")
    return folder


def _check(value: Any, what: str, allowed: list[str]) -> None:
    """Refuse a value that is not allowed and name the nearest allowed one."""
    if not isinstance(value, str) or value not in allowed:
        nearest = difflib.get_close_matches(value, allowed, n=1) if isinstance(value, str) else []
        hint = f" (nearest: {nearest[0]})" if nearest else ""
        raise UserError(f"{what} {shown(value)} is not known{hint}. Give one of {', '.join(allowed)}.")


def _notice(name: str, without: str, reason: str) -> None:
    """Print to stderr that the images are the built-in set."""
    lines = (
        f"THIS IS NOT {name.upper()}: the images are the built-in synthetic set.",
        f"Its figures say nothing about {name}. The real images could not be had:",
        f"  files:    {without}",
        f"  download: {reason}",
        f"To give them: --data-dir DIR (or JAXDEEP_DATA=DIR), DIR with {layouts.EXPECTED[name]}.",
        f"To refuse the built-in set: --data {name}. To ask for it: --data synthetic.",
    )
    rule = "=" * 100
    LOG.warning("%s", "\n".join(("", rule, *lines, rule, "")))
