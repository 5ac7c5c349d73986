"""Read images in the sub-folders of their classes. Decoded once, they are kept in the cache as one array."""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from jaxdeep.config.values import NotPlain, integer, shown
from jaxdeep.data import cache
from jaxdeep.data.formats import one_line
from jaxdeep.data.images import Arrays
from jaxdeep.errors import UserError

ENDS: Final = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
"""Ends of the names of image files."""
GREY: Final = ("1", "L")
"""Pillow's modes of images with one channel of 8 bits."""
SOURCE: Final = "image folder"
"""Origin of the images."""


class FolderImages(NamedTuple):
    """Images of a folder.

    Attributes:
        images: Images [N, H, W, C] uint8. C is 1 if all images are grey, and 3 otherwise.
        labels: Names [N] of the classes, which are the names of the sub-folders.
    """

    images: np.ndarray
    labels: np.ndarray


def read_folder(folder: str | Path, size: tuple[int, int] | None = None, channels: int | None = None) -> FolderImages:
    """Read the images of a folder with a sub-folder for each class.

    Args:
        folder: Path of the folder. `~` is the home folder.
        size: Height and width of the images in pixels. None takes the first image's.
        channels: Number of channels C, 1 or 3. None takes 1 if all images are grey, and 3 otherwise.

    Returns:
        The images in the order of their paths.

    Raises:
        UserError: There is no such folder, no class or no image in a class, or an image cannot be decoded.
    """
    root = Path(os.path.expanduser(folder))
    paths, labels = _files(root)
    shape = _shape(paths, _checked(size), channels)
    name = _key(root, paths, shape)
    if kept := cache.read(name):
        return FolderImages(kept.arrays.train_images, labels)
    images, nothing = read_images(paths, shape), np.zeros(0, np.uint8)
    cache.write(name, cache.Kept(Arrays(images, nothing, nothing, nothing), SOURCE))
    return FolderImages(images, labels)


def read_images(paths: Sequence[str | Path], shape: tuple[int, ...]) -> np.ndarray:
    """Decode image files and resize them.

    Their orientation is that of their EXIF data. The ratio of height and width is not kept.

    Args:
        paths: Paths of N images.
        shape: Shape (H, W, C) of an image. C is 1 for grey and 3 for colours.

    Returns:
        Images [N, H, W, C] uint8.

    Raises:
        UserError: An image cannot be decoded.
    """
    images = np.empty((len(paths), *shape), np.uint8)

    def decode(index: int) -> None:
        images[index] = _decoded(paths[index], shape)

    with ThreadPoolExecutor() as pool:
        list(pool.map(decode, range(len(paths))))
    return images


def _decoded(path: str | Path, shape: tuple[int, ...]) -> np.ndarray:
    from PIL import Image, ImageOps

    height, width, channels = shape
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("L" if channels == 1 else "RGB")
            return np.asarray(upright.resize((width, height), Image.Resampling.BILINEAR)).reshape(shape)
    except Exception as error:  # damaged bytes can raise anything
        raise _undecodable(path, error) from error


def _files(root: Path) -> tuple[list[Path], np.ndarray]:
    """Return the paths of all images and the name of each one's class."""
    try:
        classes = sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
        found = {of.name: sorted(path for path in of.rglob("*") if path.suffix.lower() in ENDS) for of in classes}
    except OSError as error:
        raise UserError(f"{root} cannot be read ({error.strerror or error}). Give a folder of images.") from error
    if len(found) < 2:
        names = ", ".join(found) or "none"
        raise UserError(f"{root} has the sub-folders {names}. Give a folder with one for each of 2 or more classes.")
    if empty := [name for name, paths in found.items() if not paths]:
        raise UserError(f"{root / empty[0]} has no image ({', '.join(ENDS)}). Put some there, or remove the folder.")
    paths = [path for of in found.values() for path in of]
    return paths, np.asarray([name for name, of in found.items() for _ in of], object)


def _shape(paths: Sequence[Path], size: tuple[int, int] | None, channels: int | None) -> tuple[int, int, int]:
    """Return the shape of an image in the data set. Only the headers of files are read."""
    from PIL import Image, ImageOps

    if channels is None:
        channels = 1 if all(_mode(path) in GREY for path in paths) else 3
    if size is None:
        try:
            with Image.open(paths[0]) as image:
                width, height = ImageOps.exif_transpose(image).size
        except Exception as error:  # damaged bytes can raise anything
            raise _undecodable(paths[0], error) from error
        size = height, width
    return *size, channels


def _mode(path: Path) -> str:
    """Return Pillow's mode of an image."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.mode
    except Exception as error:  # damaged bytes can raise anything
        raise _undecodable(path, error) from error


def _checked(size: Any) -> tuple[int, int] | None:
    """Return a size as two numbers."""
    if size is None:
        return None
    try:
        height, width = map(integer, size)
    except (NotPlain, TypeError, ValueError):
        height = width = 0
    if min(height, width) < 1:
        raise UserError(f"size is {shown(size)}. Give height and width in pixels, such as (32, 32), or None.")
    return height, width


def _key(root: Path, paths: Sequence[Path], shape: tuple[int, ...]) -> str:
    """Return the name of decoded images in the cache. Another file, or a changed one, gives another name."""
    digest = hashlib.sha256(repr((str(root.resolve()), shape)).encode(errors="surrogateescape"))
    for path in paths:
        status = path.stat()
        facts = (str(path.relative_to(root)), status.st_size, status.st_mtime_ns)
        digest.update(repr(facts).encode(errors="surrogateescape"))
    return f"folder-{digest.hexdigest()[:32]}"


def _undecodable(path: str | Path, error: Exception) -> UserError:
    return UserError(f"{path}: cannot be decoded ({one_line(error)}). Replace the image, or remove it.")
