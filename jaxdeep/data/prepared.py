"""Download data sets and prepare them by TensorFlow Datasets without TensorFlow.

The stock builders of these sets read their archives through TensorFlow. The builders here keep a stock builder's name,
version, addresses and checksums. They read the archives themselves and number the examples. So the official order
survives, whose first 5,000 images are the validation set.
"""

import contextlib
import io
import logging
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from jaxdeep.data import classic, formats
from jaxdeep.data.images import SPECS, Arrays
from jaxdeep.data.web import ANSWER_SECONDS, Unavailable, answer_within
from jaxdeep.terminal import is_watched

LOG: Final = logging.getLogger("jaxdeep")
CIFAR_ARCHIVE = "cifar-10-binary.tar.gz"
"""Name of CIFAR-10's binary archive."""
STOCK = {"cifar10": "Cifar10", "mnist": "MNIST", "fashion_mnist": "FashionMNIST"}
"""Class of each set's stock builder."""


def prepare(name: str, folder: Path) -> Arrays:
    """Download, prepare and decode a data set.

    It takes about half a minute.

    Args:
        name: One of "cifar10", "mnist" and "fashion_mnist".
        folder: Folder for the download and the prepared files. They are removed at the end. The system's temporary
            folder serves if this one cannot be written.

    Returns:
        Images and labels in the official order.

    Raises:
        Unavailable: TensorFlow Datasets is not installed or fails, there is no network, the server refuses, a checksum
            differs, or the disk is full.
    """
    try:
        addresses = _addresses(name)
        if reason := unreachable(next(iter(addresses.values()))):
            raise Unavailable(reason)
        LOG.info("%s: downloading and preparing it with TensorFlow Datasets, once", name)
        with _workplace(folder) as place, _quiet():
            return _decoded(_prepared_builder(name, addresses, place))
    except ImportError as error:
        raise Unavailable(f"tensorflow-datasets cannot be imported ({_one_line(error)})") from error
    except Unavailable:
        raise
    except Exception as error:  # TensorFlow Datasets, and what it imports, can raise anything
        raise Unavailable(_one_line(error)) from error


def unreachable(address: str) -> str | None:
    """Return why an address gives no answer within ANSWER_SECONDS.

    TensorFlow Datasets itself waits without limit for a network that drops packets.

    Args:
        address: URL to ask.

    Returns:
        The reason in one line. None if there is any answer.
    """
    import requests

    def ask() -> str | None:
        try:
            requests.head(address, timeout=ANSWER_SECONDS).close()
        except requests.RequestException as error:
            return f"{address} cannot be reached ({_one_line(error)})"
        return None

    return answer_within(ANSWER_SECONDS, address, ask)


def _addresses(name: str) -> dict[str, str]:
    """Return the URL of each file that the stock builder downloads.

    The files are in the order in which they are read.
    """
    if name == "cifar10":
        return {CIFAR_ARCHIVE: f"https://www.cs.toronto.edu/~kriz/{CIFAR_ARCHIVE}"}
    return {f"{file}.gz": f"{_stock(name).URL}{file}.gz" for file in classic.IDX_FILES}


def _stock(name: str) -> Any:
    """Return the stock builder of a set."""
    import tensorflow_datasets.image_classification as stock

    return getattr(stock, STOCK[name])


def _prepared_builder(name: str, addresses: Mapping[str, str], place: Path) -> Any:
    """Return the builder after it has written two splits as array_record files."""
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.download import download_manager, downloader, util

    settings = tfds.download.DownloadConfig(try_download_gcs=False, force_checksums_validation=True)
    retries = downloader.MAX_RETRIES
    downloader.MAX_RETRIES = 1  # 10 retries take 205 s without a network
    try:
        builder = _builder_class(name, addresses)(data_dir=place, file_format="array_record")
        builder.download_and_prepare(download_config=settings)
    except (util.DownloadError, download_manager.NonMatchingChecksumError) as error:
        raise Unavailable(_one_line(error)) from error
    finally:
        downloader.MAX_RETRIES = retries
    return builder


def _builder_class(name: str, addresses: Mapping[str, str]) -> Any:
    """Return a builder like the stock one that reads the archives itself and numbers the examples."""
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core import registered

    stock = _stock(name)
    with registered.skip_registration():

        class Numbered(stock):
            name = stock.name

            def _info(self) -> Any:
                features = {
                    "number": tfds.features.Scalar(np.int64),
                    "image": tfds.features.Tensor(shape=SPECS[name].image_shape, dtype=np.uint8),
                    "label": tfds.features.Scalar(np.uint8),
                }
                return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

            def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
                arrays = _read({file: Path(path) for file, path in dl_manager.download(dict(addresses)).items()})
                return {
                    "train": self._generate_examples(arrays.train_images, arrays.train_labels),
                    "test": self._generate_examples(arrays.test_images, arrays.test_labels),
                }

            def _generate_examples(self, images: np.ndarray, labels: np.ndarray) -> Iterator[tuple[int, dict]]:
                for number, (image, label) in enumerate(zip(images, labels, strict=True)):
                    yield number, {"number": number, "image": image, "label": label}

    return Numbered


def _read(files: Mapping[str, Path]) -> Arrays:
    """Return the arrays of downloaded archives.

    TensorFlow Datasets has verified their checksums and renamed them.
    """
    names = list(files)
    if names == [CIFAR_ARCHIVE]:
        members = classic.CIFAR_BINARY
        parts = formats.unpack_tar(files[CIFAR_ARCHIVE].read_bytes(), members, CIFAR_ARCHIVE)
        return formats.joined([formats.binary_batch(*pair) for pair in zip(parts, members, strict=True)])
    return classic.idx_arrays([formats.unpack_gzip(files[file].read_bytes(), file) for file in names], names)


def _decoded(builder: Any) -> Arrays:
    """Return the prepared examples, each at its number."""
    arrays = []
    for split in ("train", "test"):
        examples = builder.as_data_source(split=split)
        images = np.empty((len(examples), *builder.info.features["image"].shape), np.uint8)
        labels = np.empty(len(examples), np.uint8)
        for example in examples:
            images[example["number"]] = example["image"]
            labels[example["number"]] = example["label"]
        arrays += [images, labels]
    return Arrays(*arrays)


@contextlib.contextmanager
def _workplace(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder in the given one, or in the system's if that cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        place = tempfile.TemporaryDirectory(prefix="tfds-", dir=folder, ignore_cleanup_errors=True)
    except OSError:
        place = tempfile.TemporaryDirectory(prefix="tfds-", ignore_cleanup_errors=True)
    with place as path:
        yield Path(path)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Show progress on stderr in a terminal or a notebook and nothing otherwise.

    The caller keeps stdout for itself.
    """
    from tensorflow_datasets.core.utils import tqdm_utils

    before, is_shown = tqdm_utils._active, is_watched(None)
    tqdm_utils.display_progress_bar(enable=is_shown)
    try:
        with contextlib.redirect_stdout(sys.stderr if is_shown else io.StringIO()):
            yield
    finally:
        tqdm_utils.display_progress_bar(enable=before)


def _one_line(error: Exception) -> str:
    """Return an error's message in one line.

    For an error of requests that is the message of its cause without the connection object before it.
    """
    cause = getattr(error.args[0], "reason", None) if error.args else None
    message = str(cause).rpartition("): ")[2] if cause else str(error)
    return " ".join(message.split()) or type(error).__name__
