"""Where images come from: the order in which the sources are tried.

`auto` takes the classic files, else the cache, else a download, else the built-in set with a notice. A data set's own
name takes the same order and ends in an error. `synthetic` takes the built-in set at once.
"""

import difflib
import os
import sys
from pathlib import Path

from jaxdeep.data import cache, classic, prepared, synthetic
from jaxdeep.data.images import SPECS, Arrays, Images
from jaxdeep.errors import UserError

__all__ = ["Images", "load_images"]


def load_images(name: str, *, source: str = "auto", data_dir: Path | None = None) -> Images:
    """The images of a data set, from the first source that has them.

    Args:
        name: "cifar10", "mnist" or "fashion_mnist".
        source: "auto"; the name itself, for real images or an error; or "synthetic", for the built-in set.
        data_dir: folder with the classic files; without it, the environment's JAXDEEP_DATA.

    Returns:
        Images: [N, H, W, C] uint8 and their labels, in the official order, and where they came from.

    Raises:
        UserError: the name, the source or the folder does not exist; a classic file is damaged or missing from its set;
            or real images were asked for and cannot be had.
    """
    _check(name, "data set", list(SPECS))
    _check(source, "source of the data", ["auto", name, "synthetic"])
    if source == "synthetic":
        return _built_in(name)
    folder = _folder(data_dir)
    if folder is not None and (arrays := classic.read(name, folder)):
        return _real(arrays, name, "classic files")
    try:
        return _real(_downloaded(name), name, "tensorflow_datasets")
    except prepared.Unavailable as reason:
        if source == name:
            where = f"no classic files of it in {folder}" if folder else "no --data-dir and no JAXDEEP_DATA given"
            raise UserError(f"{name}: {where}, and it cannot be downloaded: {reason}") from reason
        _notice(name, folder, str(reason))
        return _built_in(name)


def _downloaded(name: str) -> Arrays:
    if arrays := cache.read(name):
        return arrays
    arrays = prepared.prepare(name, cache.folder())
    cache.write(name, arrays)
    return arrays


def _real(arrays: Arrays, name: str, source: str) -> Images:
    return Images(*arrays, name=name, source=source, synthetic=False, class_names=SPECS[name].class_names)


def _built_in(name: str) -> Images:
    spec = SPECS[name]
    arrays = synthetic.draw(*spec.image_shape, train=spec.train, test=spec.test)
    names = tuple(f"class {label}" for label in range(synthetic.CLASSES))
    return Images(*arrays, f"synthetic_{name}", "built-in synthetic", synthetic=True, class_names=names)


def _folder(data_dir: Path | None) -> Path | None:
    given, origin = data_dir, "--data-dir"
    if given is None:
        given, origin = os.environ.get("JAXDEEP_DATA") or None, "JAXDEEP_DATA"
    if given is None:
        return None
    folder = Path(given).expanduser()
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing"
        raise UserError(f"{origin} {given}: found {found} there, expected a folder with the classic files")
    return folder


def _check(value: str, what: str, allowed: list[str]) -> None:
    if value not in allowed:
        nearest = difflib.get_close_matches(value, allowed, n=1)
        hint = f" (nearest: {nearest[0]})" if nearest else ""
        raise UserError(f"{what} {value!r}: expected one of {', '.join(allowed)}{hint}")


def _notice(name: str, folder: Path | None, reason: str) -> None:
    files = {"cifar10": "cifar-10-batches-py/, cifar-10-python.tar.gz or their binary versions"}
    lines = (
        f"THIS IS NOT {name.upper()}: the images are the built-in synthetic set.",
        f"Its figures say nothing about {name}. The real images could not be had:",
        f"  files:    {f'none of {name} in {folder}' if folder else 'no --data-dir and no JAXDEEP_DATA given'}",
        f"  download: {reason}",
        f"To give them: --data-dir DIR (or JAXDEEP_DATA=DIR), DIR with {files.get(name, f'{name}/*-ubyte.gz')}.",
        f"To refuse the built-in set: --data {name}. To ask for it: --data synthetic.",
    )
    rule = "=" * 100
    print("", rule, *lines, rule, "", sep="\n", file=sys.stderr, flush=True)
