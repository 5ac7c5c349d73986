"""Places where the files of a classic set lie in the folders that people have.

| layout | files |
|---|---|
| ours | mnist/, fashion_mnist/, cifar-10-batches-py/, cifar-10-batches-bin/, cifar-10-{python,binary}.tar.gz |
| torchvision | MNIST/raw/, FashionMNIST/raw/, cifar-10-python.tar.gz, cifar-10-batches-py/ |
| Keras | datasets/{mnist.npz, fashion-mnist/, cifar-10-batches-py.tar.gz, cifar-10-batches-py-target/} |
| flat | the files themselves, without a folder of the set's name |

Each layout is found from its own folder and from the parent. An idx file may have a dot in place of the first dash of
its ending (train-images.idx3-ubyte). It may also be packed (.gz).
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
"""Names of the four files of an idx set."""
EXPECTED: Final = {
    "cifar10": "cifar-10-batches-py/, cifar-10-python.tar.gz, or their binary versions",
    "mnist": "mnist/, MNIST/raw/, mnist.npz, or four *-ubyte files",
    "fashion_mnist": "fashion_mnist/, FashionMNIST/raw/, fashion-mnist/, or four *-ubyte files",
}
"""Content of a folder with the set, in words."""

LISTED: Final = 12
"""Number of names of a folder that an error lists."""


def contents(folder: Path) -> str:
    """Return the first names that a folder holds in words.

    Args:
        folder: Folder to list.

    Returns:
        The names and the number of further names.
    """
    names = _names(folder)
    if not names:
        return "nothing"
    more = f" and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def named_folders(name: str, root: Path) -> Iterator[Path]:
    """Yield the folders that are called after an idx set, and the `raw` folder in each.

    Args:
        name: Name "mnist" or "fashion_mnist". Case, dashes and underscores of a folder's name do not matter.
        root: Folder that the user gave.

    Yields:
        Folders in the order in which they are tried. The `raw` folders need not exist.
    """
    for base in _bases(root):
        for entry in sorted(_names(base), key=lambda entry: (entry != name, entry)):
            if _normalised(entry) == _normalised(name) and os.path.isdir(base / entry):
                yield base / entry
                yield base / entry / "raw"


def npz_files(name: str, root: Path) -> Iterator[Path]:
    """Yield the `.npz` files that are called after an idx set, such as Keras's mnist.npz.

    Args:
        name: Name "mnist" or "fashion_mnist". Case, dashes and underscores of a file's name do not matter.
        root: Folder that the user gave.

    Yields:
        Paths of files.
    """
    for base in _bases(root):
        for entry in _names(base):
            if entry.endswith(".npz") and _normalised(entry.removesuffix(".npz")) == _normalised(name):
                yield from filter(os.path.isfile, [base / entry])


def flat_folders(root: Path) -> Iterator[Path]:
    """Yield the folders that may hold idx files of either set. Their names do not say which.

    Args:
        root: Folder that the user gave.

    Yields:
        Folders that need not exist.
    """
    for base in _bases(root):
        yield base
        yield base / "raw"


def cifar_folders(root: Path) -> Iterator[Path]:
    """Yield the folders in which a folder or an archive of CIFAR-10 may lie.

    Args:
        root: Folder that the user gave.

    Yields:
        Folders that need not exist.
    """
    for base in _bases(root):
        yield base
        yield base / "cifar-10-batches-py-target"


def idx_file(folder: Path, part: str) -> Path | None:
    """Return the file of a folder that holds a part of an idx set.

    A file may lie in a folder of its own name, as the archives of a well-known site unpack.

    Args:
        folder: Folder to look in.
        part: Name of the part from IDX_FILES.

    Returns:
        The path of the file, or None.
    """
    for stem in (part, part.replace("-idx", ".idx")):
        for spelled in (stem, f"{stem}.gz"):
            for path in (folder / spelled, folder / spelled / spelled):
                if os.path.isfile(path):
                    return path
    return None


def _bases(root: Path) -> tuple[Path, Path]:
    """Return the given folder and Keras's `datasets` in it."""
    return root, root / "datasets"


def _normalised(name: str) -> str:
    """Return a name in lower case without dashes and underscores."""
    return name.lower().replace("-", "").replace("_", "")


def _names(folder: Path) -> list[str]:
    """Return the sorted names in a folder. A folder that does not exist has none."""
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UserError(
            f"{folder}: found {error.strerror}, expected a folder that can be read. Check its permissions."
        ) from error
