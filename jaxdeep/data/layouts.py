"""Where the files of a classic set lie in the folders that people have.

| layout | files |
|---|---|
| ours | mnist/, fashion_mnist/, cifar-10-batches-py/, cifar-10-batches-bin/, cifar-10-{python,binary}.tar.gz |
| torchvision | MNIST/raw/, FashionMNIST/raw/, cifar-10-python.tar.gz, cifar-10-batches-py/ |
| Keras | datasets/{mnist.npz, fashion-mnist/, cifar-10-batches-py.tar.gz, cifar-10-batches-py-target/} |
| flat | the files themselves, without a folder of the set's name |

Each layout is found from its own folder and from the parent. An idx file may have a dot in place of the first dash of
its ending (train-images.idx3-ubyte), and may be packed (.gz).
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from jaxdeep.errors import UserError

IDX_FILES: Final = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
EXPECTED: Final = {
    "cifar10": "cifar-10-batches-py/, cifar-10-python.tar.gz, or their binary versions",
    "mnist": "mnist/, MNIST/raw/, mnist.npz, or four *-ubyte files",
    "fashion_mnist": "fashion_mnist/, FashionMNIST/raw/, fashion-mnist/, or four *-ubyte files",
}
"""What a folder with the set holds, in words."""

LISTED: Final = 12
"""How many names of a folder an error lists."""


def contents(folder: Path) -> str:
    """Return the first names that the folder holds, in words."""
    names = _names(folder)
    if not names:
        return "nothing"
    more = f" and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def named_folders(name: str, root: Path) -> Iterator[Path]:
    """Yield the folders that are called after an idx set, and the `raw` folder in each.

    Args:
        name: "mnist" or "fashion_mnist"; case, dashes and underscores of a folder's name do not matter.
        root: the folder that the user gave.
    """
    for base in _bases(root):
        for found in sorted(_names(base), key=lambda found: (found != name, found)):
            if _plain(found) == _plain(name) and os.path.isdir(base / found):
                yield base / found
                yield base / found / "raw"


def npz_files(name: str, root: Path) -> Iterator[Path]:
    """Yield the `.npz` files that are called after an idx set, as Keras's mnist.npz is."""
    for base in _bases(root):
        for found in _names(base):
            if found.endswith(".npz") and _plain(found.removesuffix(".npz")) == _plain(name):
                yield from filter(os.path.isfile, [base / found])


def flat_folders(root: Path) -> Iterator[Path]:
    """Yield the folders that may hold idx files of either set: their names do not say which."""
    for base in _bases(root):
        yield base
        yield base / "raw"


def cifar_folders(root: Path) -> Iterator[Path]:
    """Yield the folders in which a folder or an archive of CIFAR-10 may lie."""
    for base in _bases(root):
        yield base
        yield base / "cifar-10-batches-py-target"


def idx_file(folder: Path, part: str) -> Path | None:
    """Return the file of the folder that holds a part of an idx set, or None.

    A file may lie in a folder of its own name, as the archives of a well-known site unpack.

    Args:
        folder: where to look.
        part: one of IDX_FILES.
    """
    for stem in (part, part.replace("-idx", ".idx")):
        for spelled in (stem, f"{stem}.gz"):
            for path in (folder / spelled, folder / spelled / spelled):
                if os.path.isfile(path):
                    return path
    return None


def _bases(root: Path) -> tuple[Path, Path]:
    """The folder given, and Keras's `datasets` in it."""
    return root, root / "datasets"


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UserError(f"{folder}: found {error.strerror}, expected a folder that can be read") from error
