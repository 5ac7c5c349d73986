"""TensorFlow Datasets without TensorFlow: small archives stand in for the downloads, and nothing else is replaced."""

import contextlib
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import small_files
from tensorflow_datasets.core.utils import tqdm_utils

from jaxdeep.data import prepared


@pytest.fixture
def downloads(monkeypatch, tmp_path):
    """A folder that DownloadManager.download takes its files from, by the names that it is asked for."""
    import tensorflow_datasets as tfds

    folder = tmp_path / "downloads"
    folder.mkdir()

    def download(self, addresses):
        assert set(addresses.values()) <= set(self._url_infos), "an address has no checksum"
        return {file: folder / file for file in addresses}

    monkeypatch.setattr(tfds.download.DownloadManager, "download", download)
    monkeypatch.setattr(prepared, "unreachable", lambda address: None)
    return folder


def put(name: str, folder: Path):
    kind = "binary packed" if name == "cifar10" else "idx packed"
    written = small_files.write(name, folder, kind)
    for path in (folder / name).glob("*"):
        path.rename(folder / path.name)
    return written


@pytest.mark.parametrize("name", ["cifar10", "mnist", "fashion_mnist"])
def test_the_official_order_is_kept_and_nothing_stays_behind(downloads, tmp_path, name, capsys, caplog):
    caplog.set_level("INFO", "jaxdeep")
    written = put(name, downloads)
    found = prepared.prepare(name, tmp_path / "cache")
    for array, expected in zip(found, written, strict=True):
        assert array.dtype == np.uint8
        np.testing.assert_array_equal(array, expected)
    assert list((tmp_path / "cache").iterdir()) == []
    assert capsys.readouterr() == ("", "")
    assert [record.name for record in caplog.records if record.name == "jaxdeep"] == ["jaxdeep"]
    assert tqdm_utils._active  # as it was


def test_a_folder_that_cannot_be_written_stops_nothing(downloads, tmp_path):
    written = put("mnist", downloads)
    (tmp_path / "file").write_text("in the way")
    found = prepared.prepare("mnist", tmp_path / "file" / "cache")
    np.testing.assert_array_equal(found.train_images, written.train_images)


def test_a_damaged_download_is_a_reason(downloads, tmp_path):
    put("cifar10", downloads)
    (downloads / "cifar-10-binary.tar.gz").write_bytes(b"<html>not found</html>")
    with pytest.raises(prepared.Unavailable, match=r"cifar-10-binary\.tar\.gz: found 22 bytes"):
        prepared.prepare("cifar10", tmp_path)


def test_a_download_with_another_checksum_is_a_reason(monkeypatch, tmp_path):
    from tensorflow_datasets.core.download import downloader

    class Response:
        url = "https://example.org/cifar-10-binary.tar.gz"
        headers: dict = {}  # noqa: RUF012

    monkeypatch.setattr(prepared, "unreachable", lambda address: None)
    page = contextlib.nullcontext((Response(), [b"<html>please log in</html>"]))
    monkeypatch.setattr(downloader, "_open_url", lambda url, **_: page)
    with pytest.raises(prepared.Unavailable, match="wrong checksum") as caught:
        prepared.prepare("cifar10", tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("asked_first", [True, False])
def test_no_network_is_a_reason_within_seconds(monkeypatch, tmp_path, asked_first):
    import requests

    def refuse(*args, **kwargs):
        raise requests.ConnectionError("no route\nto host")

    monkeypatch.setattr(requests.Session, "send", refuse)
    if not asked_first:
        monkeypatch.setattr(prepared, "unreachable", lambda address: None)
    start = time.monotonic()
    with pytest.raises(prepared.Unavailable, match="no route to host"):
        prepared.prepare("cifar10", tmp_path)
    assert time.monotonic() - start < 10


def test_a_server_that_never_answers_is_given_up(monkeypatch, tmp_path):
    import requests

    tested = threading.Event()

    def answer_late(*args, **kwargs):
        tested.wait(10)
        raise requests.ConnectionError("too late")

    monkeypatch.setattr(prepared, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(requests, "head", answer_late)
    with pytest.raises(prepared.Unavailable, match=r"no answer within 0\.05 s"):
        prepared.prepare("mnist", tmp_path)
    tested.set()


def test_tensorflow_datasets_that_cannot_be_imported_is_a_reason(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets.image_classification", None)
    monkeypatch.delattr(sys.modules["tensorflow_datasets"], "image_classification", raising=False)
    with pytest.raises(prepared.Unavailable, match="cannot be imported"):
        prepared.prepare("mnist", tmp_path)


def test_tensorflow_is_not_imported(tmp_path):
    small_files.write("mnist", tmp_path, "idx packed")
    script = f"""
        import sys
        from pathlib import Path
        from jaxdeep.data import prepared, sources
        assert "tensorflow_datasets" not in sys.modules, "imported before it is needed"
        import tensorflow_datasets as tfds
        files = Path({str(tmp_path / "mnist")!r})
        tfds.download.DownloadManager.download = lambda self, urls: {{file: files / file for file in urls}}
        prepared.unreachable = lambda address: None
        assert len(prepared.prepare("mnist", files).train_images) == 12
        print("tensorflow" in sys.modules)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "False"


def test_the_reason_is_the_cause_and_not_the_connection_object():
    import requests
    from urllib3.exceptions import MaxRetryError

    cause = OSError("HTTPSConnection(host='example.org'): Failed to resolve 'example.org' ([Errno -2] Unknown)")
    error = requests.ConnectionError(MaxRetryError(None, "/file", cause))  # pyright: ignore[reportArgumentType]
    assert prepared._one_line(error) == "Failed to resolve 'example.org' ([Errno -2] Unknown)"
