"""Read the classic files of CIFAR-10, MNIST and Fashion-MNIST from a folder.

The files may be packed or unpacked. The content is checked. Unpacked bytes without the official md5 are refused before
arrays are made of them.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import numpy as np

from jaxdeep.data import digests, formats, layouts, npz
from jaxdeep.data.images import Arrays
from jaxdeep.errors import UserError

IDX_FILES: Final = layouts.IDX_FILES
BINARY_PARTS: Final = tuple(f"{part}.bin" for part in formats.PARTS)
CIFAR_PYTHON: Final = tuple(f"cifar-10-batches-py/{part}" for part in formats.PARTS)
"""Paths of the python batches in CIFAR-10's archive."""
CIFAR_BINARY: Final = tuple(f"cifar-10-batches-bin/{part}" for part in BINARY_PARTS)
"""Paths of the binary batches in CIFAR-10's archive."""

ImagesAndLabels = tuple[np.ndarray, np.ndarray]
Key = TypeVar("Key")
Item = TypeVar("Item")


class Absent(UserError):
    """Error for a folder without a file of the set. Its message lists what the folder holds."""


class _Part(NamedTuple):
    """The unpacked bytes of one part of a set.

    Attributes:
        data: Unpacked bytes.
        digest: Size and md5 of the bytes.
        file: Origin of the bytes, for errors.
    """

    data: bytes
    digest: digests.Digest
    file: str


class _Form(NamedTuple):
    """One of the two forms of CIFAR-10.

    Attributes:
        folder: Name of the folder of the batches.
        parts: File names of the batches.
        archives: Names that the packed folder may have.
        parse: Function from a batch's bytes and the file's name to images and labels.
    """

    folder: str
    parts: tuple[str, ...]
    archives: tuple[str, ...]
    parse: Callable[[bytes, str], ImagesAndLabels]


_FORMS: Final = (
    _Form(
        "cifar-10-batches-py",
        formats.PARTS,
        ("cifar-10-python.tar.gz", "cifar-10-batches-py.tar.gz", "cifar-10-batches-py-target_archive"),
        formats.python_batch,
    ),
    _Form("cifar-10-batches-bin", BINARY_PARTS, ("cifar-10-binary.tar.gz",), formats.binary_batch),
)


def read(name: str, folder: Path) -> Arrays:
    """Return the data set that lies in a folder in one of the layouts of `layouts`.

    For MNIST and Fashion-MNIST a folder of the set's name comes first. An `.npz` file comes second and files without a
    folder of their own come last. For CIFAR-10 batches come before an archive and python batches before binary ones.

    Args:
        name: One of "cifar10", "mnist" and "fashion_mnist".
        folder: Folder that holds the files. It is only read.

    Returns:
        Images and labels in the official order.

    Raises:
        Absent: The folder has no file of the set.
        UserError: A file is missing from a set that has others, or its content is not the official one.
    """
    return _cifar(folder) if name == "cifar10" else _idx(name, folder)


def idx_arrays(data: Sequence[bytes], files: Sequence[str]) -> Arrays:
    """Make arrays of the four idx files in the order of IDX_FILES.

    Args:
        data: Unpacked bytes of each file.
        files: Name of each file, for errors.

    Returns:
        Images and labels in the official order.

    Raises:
        UserError: They are not idx files of 28x28 images and of one label from 0 to 9 for each image.
    """
    parsers = (formats.idx_images, formats.idx_labels) * 2
    arrays = Arrays(*(parse(*pair) for parse, pair in zip(parsers, zip(data, files, strict=True), strict=True)))
    for images, labels, file in (
        (arrays.train_images, arrays.train_labels, files[1]),
        (arrays.test_images, arrays.test_labels, files[3]),
    ):
        if len(images) != len(labels):
            raise UserError(
                f"{file}: found {len(labels):,} labels, expected {len(images):,}, one for each image. Get it again."
            )
    return arrays


def _cifar(root: Path) -> Arrays:
    """Return CIFAR-10 from the first batches or archive in a folder."""
    for place in layouts.cifar_folders(root):
        for form in _FORMS:
            for folder in (place / form.folder, place):
                if any(os.path.isfile(folder / name) for name in form.parts):
                    return _batches(form, lambda name: _read_part(folder / name))  # noqa: B023 (called at once)
            for archive in form.archives:
                if os.path.isfile(place / archive):
                    return _archived(form, place / archive)
    raise _absent("cifar10", root)


def _archived(form: _Form, archive: Path) -> Arrays:
    """Return CIFAR-10 from an archive."""
    members = dict(zip(form.parts, formats.unpack_tar(_bytes(archive), form.parts, str(archive)), strict=True))
    return _batches(form, lambda name: _part(members[name], f"{archive}: {name}"))


def _batches(form: _Form, read_part: Callable[[str], _Part]) -> Arrays:
    """Return CIFAR-10 from its batches after their check."""

    def batch(name: str) -> ImagesAndLabels:
        part = read_part(name)
        digests.check("cifar10", name, part.digest, part.file)
        return form.parse(part.data, part.file)

    return formats.joined(_threaded(batch, form.parts))


def _idx(name: str, root: Path) -> Arrays:
    """Return MNIST or Fashion-MNIST from the first layout in a folder."""
    for folder in layouts.named_folders(name, root):
        if paths := _idx_paths(folder):
            return _official(name, _threaded(_read_part, paths))
    for file in layouts.npz_files(name, root):
        rows = npz.read_rows(file)
        arrays = (rows.x, rows.y, rows.x_test, rows.y_test)
        return _official(name, [_part(formats.as_idx(array, str(file)), str(file)) for array in arrays])
    owner = None
    for folder in layouts.flat_folders(root):
        if paths := _idx_paths(folder):
            parts = _threaded(_read_part, paths)
            owners = {digests.owner_of(file, part.digest) for file, part in zip(IDX_FILES, parts, strict=True)}
            if owners & {name, None} or len(owners) > 1:
                return _official(name, parts)
            owner = owners.pop()
    raise _absent(name, root, owner)


def _idx_paths(folder: Path) -> list[Path]:
    """Return the paths of a set's four files in a folder.

    A missing file has its plain name. Without any file the list is empty.
    """
    present = [layouts.idx_file(folder, part) for part in IDX_FILES]
    return [path or folder / part for path, part in zip(present, IDX_FILES, strict=True)] if any(present) else []


def _official(name: str, parts: Sequence[_Part]) -> Arrays:
    """Check the digests of four idx files and make arrays of them."""
    for file, part in zip(IDX_FILES, parts, strict=True):
        digests.check(name, file, part.digest, part.file)
    return idx_arrays([part.data for part in parts], [part.file for part in parts])


def _absent(name: str, root: Path, owner: str | None = None) -> Absent:
    """Return the error for a folder without the set."""
    contents = f"the files of {owner}, none of {name}" if owner else f"no files of {name}"
    advice = f"ask for {owner}, or give" if owner else "give"
    return Absent(
        f"{root}: found {contents}. The folder holds {layouts.contents(root)}. "
        f"{advice.capitalize()} the folder, or its parent, that holds {layouts.EXPECTED[name]}."
    )


def _threaded(function: Callable[[Key], Item], keys: Sequence[Key]) -> list[Item]:
    """Map a function over keys by four threads."""
    with ThreadPoolExecutor(max_workers=4) as pool:
        return list(pool.map(function, keys))


def _part(data: bytes, file: str) -> _Part:
    """Return a part with its digest."""
    return _Part(data, digests.digest_of(data), file)


def _read_part(path: Path) -> _Part:
    """Return the part in a file.

    It is unpacked if its bytes are packed, whatever the name says.
    """
    data = _bytes(path)
    return _part(formats.unpack_gzip(data, str(path)) if data.startswith(formats.GZIP) else data, str(path))


def _bytes(path: Path) -> bytes:
    """Return the bytes of a file."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"{path}: found no such file, expected it beside the others of its set. Add it.") from error
    except OSError as error:
        raise UserError(
            f"{path}: found {error.strerror}, expected a file that can be read. Check its permissions."
        ) from error
