"""Downloads prepared by TensorFlow Datasets, without TensorFlow.

The stock builders of these sets read their archives through TensorFlow. The builders here keep a stock builder's name,
version, addresses and checksums, read the archives themselves, and number the examples, so that the official order
(whose first 5,000 are the validation set) survives.
"""

import contextlib
import io
import queue
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxdeep.data import classic, formats
from jaxdeep.data.images import SPECS, Arrays
from jaxdeep.errors import UserError

CIFAR_ARCHIVE = "cifar-10-binary.tar.gz"
STOCK = {"cifar10": "Cifar10", "mnist": "MNIST", "fashion_mnist": "FashionMNIST"}
ANSWER_SECONDS = 2.0


class Unavailable(Exception):
    """The data set cannot be downloaded or prepared; the message is the reason, one line."""


def prepare(name: str, folder: Path) -> Arrays:
    """Download, prepare and decode a data set: about half a minute, and once where the caller keeps the arrays.

    Args:
        name: "cifar10", "mnist" or "fashion_mnist".
        folder: where the download and the prepared files are put while this runs; nothing of them stays. The system's
            temporary folder serves where this one cannot be written.

    Returns:
        Arrays: in the official order.

    Raises:
        Unavailable: there is no network, the server refuses, a checksum differs, the disk is full.
    """
    try:
        addresses = _addresses(name)
        if reason := unreachable(next(iter(addresses.values()))):
            raise Unavailable(reason)
        print(f"{name}: downloading and preparing it with TensorFlow Datasets, once", file=sys.stderr, flush=True)
        with _workplace(folder) as place, _quiet():
            return _decoded(_prepared_builder(name, addresses, place))
    except ImportError as error:
        raise Unavailable(f"tensorflow-datasets cannot be imported ({_one_line(error)})") from error
    except (OSError, UserError) as error:
        raise Unavailable(_one_line(error)) from error


def unreachable(address: str) -> str | None:
    """Why the address gives no answer within ANSWER_SECONDS; None where it gives one, whichever.

    TensorFlow Datasets itself waits without limit for a network that drops packets.
    """
    import requests

    answers: queue.Queue[str | None] = queue.Queue()

    def ask() -> None:
        try:
            requests.head(address, timeout=ANSWER_SECONDS).close()
            answers.put(None)
        except requests.RequestException as error:
            answers.put(f"{address} cannot be reached ({_one_line(error)})")

    # A name server that does not answer has no timeout of its own: a thread that may be left behind has.
    threading.Thread(target=ask, daemon=True).start()
    try:
        return answers.get(timeout=ANSWER_SECONDS)
    except queue.Empty:
        return f"{address} cannot be reached (no answer within {ANSWER_SECONDS:g} s)"


def _addresses(name: str) -> dict[str, str]:
    """File name -> URL of what the stock builder downloads, in the order in which it is read."""
    if name == "cifar10":
        return {CIFAR_ARCHIVE: f"https://www.cs.toronto.edu/~kriz/{CIFAR_ARCHIVE}"}
    return {f"{file}.gz": f"{_stock(name).URL}{file}.gz" for file in classic.IDX_FILES}


def _stock(name: str) -> Any:
    import tensorflow_datasets.image_classification as stock

    return getattr(stock, STOCK[name])


def _prepared_builder(name: str, addresses: Mapping[str, str], place: Path) -> Any:
    """The builder, its two splits in array_record files under the place."""
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.download import download_manager, downloader, util

    settings = tfds.download.DownloadConfig(try_download_gcs=False, force_checksums_validation=True)
    retries = downloader.MAX_RETRIES
    downloader.MAX_RETRIES = 1  # 10 take 205 s where there is no network
    try:
        builder = _builder_class(name, addresses)(data_dir=place, file_format="array_record")
        builder.download_and_prepare(download_config=settings)
    except (util.DownloadError, download_manager.NonMatchingChecksumError) as error:
        raise Unavailable(_one_line(error)) from error
    finally:
        downloader.MAX_RETRIES = retries
    return builder


def _builder_class(name: str, addresses: Mapping[str, str]) -> Any:
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
    """The downloaded archives as arrays; TensorFlow Datasets has verified their checksums, and renamed them."""
    names = list(files)
    if names == [CIFAR_ARCHIVE]:
        trials = classic.CIFAR_BINARY
        parts = formats.unpack_tar(files[CIFAR_ARCHIVE].read_bytes(), trials, CIFAR_ARCHIVE)
        return formats.joined([formats.binary_batch(*pair) for pair in zip(parts, trials, strict=True)])
    return classic.idx_arrays([formats.unpack_gzip(files[file].read_bytes(), file) for file in names], names)


def _decoded(builder: Any) -> Arrays:
    """The prepared examples, each at its number."""
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
    try:
        folder.mkdir(parents=True, exist_ok=True)
        place = tempfile.TemporaryDirectory(prefix="tfds-", dir=folder, ignore_cleanup_errors=True)
    except OSError:
        place = tempfile.TemporaryDirectory(prefix="tfds-", ignore_cleanup_errors=True)
    with place as path:
        yield Path(path)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Progress on stderr where that is a terminal, else nothing: stdout is the caller's."""
    import tensorflow_datasets as tfds

    terminal = sys.stderr.isatty()
    tfds.display_progress_bar(enable=terminal)
    with contextlib.redirect_stdout(sys.stderr if terminal else io.StringIO()):
        yield


def _one_line(error: Exception) -> str:
    """The error's message; of a requests error that of its cause, without the connection object named before it."""
    cause = getattr(error.args[0], "reason", None) if error.args else None
    message = str(cause).rpartition("): ")[2] if cause else str(error)
    return " ".join(message.split()) or type(error).__name__
