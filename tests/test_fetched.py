"""The classic files by URL, for a user without TensorFlow Datasets: small ones of a server of this machine."""

import hashlib
import importlib.resources
import os
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import small_files
from small_server import Server, serving

from jaxdeep.data import classic, digests, fetched, sources, web
from jaxdeep.data.images import SPECS
from jaxdeep.data.web import RemoteFile, Unavailable
from jaxdeep.errors import UserError
from jaxdeep.locks import alone_in

ROOT = Path(__file__).parent.parent
SHOULD_NOT_IMPORT = """
import sys
import jaxdeep
from jaxdeep.data import cache, prepared, sources
sources.load_images("mnist", data_dir=sys.argv[1])
print(sorted({"tensorflow", "tensorflow_datasets", "requests"} & set(sys.modules)))
"""


def remote(url: str, content: bytes) -> RemoteFile:
    return RemoteFile(url, len(content), hashlib.sha256(content).hexdigest())


@pytest.fixture
def server(monkeypatch, tmp_path) -> Iterator[Server]:
    """Small files that are the official ones, a server that has them, no TensorFlow Datasets, an empty cache."""
    for name in ["JAXDEEP_DATA", *(name for name in os.environ if name.lower().endswith("_proxy"))]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("JAXDEEP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(digests, "OFFICIAL", small_files.official())
    monkeypatch.setattr(web, "PAUSE_SECONDS", 0.0)
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    monkeypatch.setitem(sys.modules, "tensorflow_datasets.image_classification", None)
    kinds = {"cifar10": "binary packed", "mnist": "idx packed", "fashion_mnist": "idx packed"}
    files, known = {}, {}
    with serving(files) as found:
        for name, kind in kinds.items():
            small_files.write(name, tmp_path, kind)
            names = [file.name for file in fetched.FILES[name]]
            content = {file: (tmp_path / name / file if name != "cifar10" else tmp_path / file) for file in names}
            files |= {f"{name}-{file}": path.read_bytes() for file, path in content.items()}
            known[name] = tuple(remote(f"{found.url}/{name}-{file}", files[f"{name}-{file}"]) for file in names)
        monkeypatch.setattr(fetched, "FILES", known)
        monkeypatch.setattr(RemoteFile, "name", property(lambda file: file.url.rpartition("/")[2].partition("-")[2]))
        yield found


def assert_small(found: sources.Images, name: str) -> None:
    assert found[4:] == (name, "download by URL", False, SPECS[name].class_names)
    for array, expected in zip(found[:4], small_files.arrays(name), strict=True):
        np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("source", ["auto", "itself"])
def test_a_user_without_tensorflow_datasets_gets_the_set_once(server, tmp_path, name, source, capsys) -> None:
    for _ in range(2):
        assert_small(sources.load_images(name, source="auto" if source == "auto" else name), name)
    assert [path.rpartition("/")[2] for _, path, _ in server.asked] == [
        file.url.rpartition("/")[2] for file in fetched.FILES[name]
    ]
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [f"{name}.arrays"]
    assert capsys.readouterr() == ("", "")


def test_an_interrupted_set_is_continued_by_the_next_run(server, tmp_path, caplog) -> None:
    size = fetched.FILES["mnist"][1].size
    first = fetched.FILES["mnist"][0].size
    server.breaks_after = [first, size // 2, *[0] * (web.CONNECTIONS - 1)]
    with pytest.raises(UserError, match=r"mnist-train-labels-idx1-ubyte\.gz: the connection ended after") as caught:
        sources.load_images("mnist", source="mnist")
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("Give a folder with its files by --data-dir.")
    server.asked.clear()
    assert_small(sources.load_images("mnist"), "mnist")
    assert [asked for _, _, asked in server.asked] == [f"bytes={size // 2}-", "", ""]
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["mnist.arrays"]


def test_no_network_is_one_line_and_auto_takes_the_built_in_set(server, monkeypatch, caplog) -> None:
    with serving({}) as gone:
        pass
    file = RemoteFile(f"{gone.url}/cifar-10-binary.tar.gz", 1, "")
    monkeypatch.setattr(fetched, "FILES", {"cifar10": (file,)})
    with pytest.raises(UserError, match=rf"^cifar10: no --data-dir .*{file.url} cannot be reached.*\. Give a folder"):
        sources.load_images("cifar10", source="cifar10")
    monkeypatch.setattr(sources, "_built_in", lambda name: name)
    assert sources.load_images("cifar10") == "cifar10"
    assert f"download: {file.url} cannot be reached" in caplog.text
    with pytest.raises(Unavailable, match="no address of kmnist is known"):
        fetched.fetch("kmnist", Path("folder"))


def test_a_wrong_checksum_is_one_line(server, monkeypatch, tmp_path) -> None:
    files = {"cifar10": tuple(file._replace(sha256="0" * 64) for file in fetched.FILES["cifar10"])}
    monkeypatch.setattr(fetched, "FILES", files)
    with pytest.raises(UserError, match=r"found sha256 \w{64}, expected 0{64}\)\. Give a folder"):
        sources.load_images("cifar10", source="cifar10")


def test_a_folder_that_cannot_be_written_or_is_in_use_stops_nothing(server, tmp_path, monkeypatch, caplog) -> None:
    (tmp_path / "file").write_text("in the way")
    np.testing.assert_array_equal(fetched.fetch("mnist", tmp_path / "file").test_images.shape, (7, 28, 28, 1))
    used = tmp_path / "cache" / "mnist.download"
    used.mkdir(parents=True)
    (used / "train-images-idx3-ubyte.gz.part").write_bytes(b"another process writes this")
    with alone_in(used):
        assert_small(sources.load_images("mnist"), "mnist")
    assert [path.name for path in used.iterdir()] == ["train-images-idx3-ubyte.gz.part"]


def test_a_full_disk_is_a_reason(server, tmp_path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(Unavailable, match="No space left on device"):
        fetched.fetch("mnist", tmp_path)


@pytest.mark.parametrize("is_terminal", [True, False])
def test_the_progress_is_for_a_terminal_only(server, tmp_path, monkeypatch, capsys, is_terminal) -> None:
    stream = StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: is_terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    fetched.fetch("mnist", tmp_path)
    assert ("mnist:   0%" in stream.getvalue()) == is_terminal
    assert (stream.getvalue() == "") != is_terminal
    assert capsys.readouterr().out == ""


def test_a_failure_of_any_kind_of_tensorflow_datasets_stops_nothing(server, monkeypatch) -> None:
    def broken(*_: object) -> None:
        raise TypeError("Descriptors cannot be created directly.\nIf this call came from a _pb2.py file ...")

    monkeypatch.setattr("jaxdeep.data.prepared._addresses", broken)
    assert_small(sources.load_images("cifar10"), "cifar10")


def test_addresses_sizes_and_checksums_are_those_of_tensorflow_datasets() -> None:
    folder = importlib.resources.files("tensorflow_datasets") / "url_checksums"
    for name, files in fetched.FILES.items():
        lines = [line.split("\t") for line in (folder / f"{name}.txt").read_text().splitlines()]
        assert sorted(files) == sorted(RemoteFile(url, int(size), sha256) for url, size, sha256, _ in lines)
    assert set(fetched.FILES) <= set(SPECS)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_the_real_files_have_the_checksums(name, monkeypatch, tmp_path) -> None:
    folder = Path(os.environ.get("JAXDEEP_DATA") or "absent") / name
    paths = [folder / file.name for file in fetched.FILES[name]]
    sizes = [path.stat().st_size if path.is_file() else 0 for path in paths]
    if sizes != [file.size for file in fetched.FILES[name]]:
        pytest.skip("JAXDEEP_DATA does not name a folder with the real files as they are packed")
    for variable in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(variable)
    with serving({path.name: path.read_bytes() for path in paths}) as server:
        files = tuple(file._replace(url=f"{server.url}/{file.name}") for file in fetched.FILES[name])
        monkeypatch.setattr(fetched, "FILES", {name: files})
        found = fetched.fetch(name, tmp_path)
    for array, expected in zip(found, classic.read(name, folder), strict=True):
        np.testing.assert_array_equal(array, expected)


def test_neither_jaxdeep_nor_classic_files_import_what_downloads(tmp_path) -> None:
    small_files.write("mnist", tmp_path, "idx")
    code = "from jaxdeep.data import digests; digests.OFFICIAL = {}\n" + SHOULD_NOT_IMPORT
    command = [sys.executable, "-c", code, tmp_path]
    found = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert found.stdout == "[]\n"
