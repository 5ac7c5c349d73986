"""Download the classic files of a data set by URL, without TensorFlow Datasets.

tensorflow-datasets 4.9.10 has the same addresses, sizes and checksums. They stand in its files
`tensorflow_datasets/url_checksums/cifar10.txt`, `mnist.txt` and `fashion_mnist.txt`. A test compares them.
"""

import contextlib
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from jaxdeep.data import classic
from jaxdeep.data.images import Arrays
from jaxdeep.data.web import RemoteFile, Unavailable, download, unreachable
from jaxdeep.errors import UserError
from jaxdeep.locks import alone_in
from jaxdeep.terminal import is_watched

LOG: Final = logging.getLogger("jaxdeep")
MNIST: Final = "https://storage.googleapis.com/cvdf-datasets/mnist"
"""Folder of MNIST's files on the web."""
FASHION_MNIST: Final = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
"""Folder of Fashion-MNIST's files on the web. The checksums protect what comes without encryption."""
FILES: dict[str, tuple[RemoteFile, ...]] = {
    "cifar10": (
        RemoteFile(
            "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            170_052_171,
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        ),
    ),
    "mnist": (
        RemoteFile(
            f"{MNIST}/train-images-idx3-ubyte.gz",
            9_912_422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        RemoteFile(
            f"{MNIST}/train-labels-idx1-ubyte.gz",
            28_881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        RemoteFile(
            f"{MNIST}/t10k-images-idx3-ubyte.gz",
            1_648_877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        RemoteFile(
            f"{MNIST}/t10k-labels-idx1-ubyte.gz",
            4_542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
    "fashion_mnist": (
        RemoteFile(
            f"{FASHION_MNIST}/train-images-idx3-ubyte.gz",
            26_421_880,
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        RemoteFile(
            f"{FASHION_MNIST}/train-labels-idx1-ubyte.gz",
            29_515,
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        RemoteFile(
            f"{FASHION_MNIST}/t10k-images-idx3-ubyte.gz",
            4_422_102,
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        RemoteFile(
            f"{FASHION_MNIST}/t10k-labels-idx1-ubyte.gz",
            5_148,
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ),
}
"""Files of each set on the web."""


def fetch(name: str, folder: Path) -> Arrays:
    """Download the classic files of a set and read them.

    Args:
        name: One of "cifar10", "mnist" and "fashion_mnist".
        folder: Folder for the download. An interrupted download stays in it and is continued by the next call. A
            finished one is removed. The system's temporary folder serves if this one cannot be written, or while
            another process downloads the same set into it.

    Returns:
        Images and labels in the official order.

    Raises:
        Unavailable: There is no network, the server refuses or breaks off, a checksum differs, or the disk is full.
    """
    if name not in FILES:
        raise Unavailable(f"no address of {name} is known")
    if reason := unreachable(FILES[name][0].url):
        raise Unavailable(reason)
    LOG.info("%s: downloading its files by URL, once", name)
    try:
        with _workplace(folder / f"{name}.download") as place, _bar(name) as follow:
            before = 0
            for file in FILES[name]:
                download(file, place / file.name, lambda done: follow(before + done))  # noqa: B023 (called at once)
                before += file.size
            return classic.read(name, place)
    except (OSError, UserError) as error:
        raise Unavailable(" ".join(str(error).split()) or type(error).__name__) from error


@contextlib.contextmanager
def _workplace(folder: Path) -> Iterator[Path]:
    """Yield a folder that is removed unless an error ends the context, or a temporary one in its place."""
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(alone_in(folder))
            if not os.access(folder, os.W_OK):
                raise PermissionError(folder)
        except (OSError, UserError):
            place = tempfile.TemporaryDirectory(prefix="jaxdeep-", ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(place))
        yield folder
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _bar(name: str) -> Iterator[Callable[[int], None]]:
    """Yield a function that shows the number of bytes on stderr in a terminal or a notebook, and nothing otherwise."""
    if not is_watched(None):
        yield lambda done: None
        return
    from tqdm import tqdm  # 20 ms, which a download without a bar saves

    total, units = sum(file.size for file in FILES[name]), {"unit": "B", "unit_scale": True}
    with tqdm(total=total, desc=name, leave=False, dynamic_ncols=True, file=sys.stderr, **units) as bar:

        def follow(done: int) -> None:
            bar.update(done - bar.n)

        yield follow
