"""Downloads by URL from a server of this machine: whole, broken, wrong, refused, continued."""

import hashlib
import os
import threading
from collections.abc import Iterator

import pytest
from small_server import Server, serving

from jaxdeep.data import web
from jaxdeep.data.web import RemoteFile, Unavailable, download, unreachable

CONTENT = bytes(range(256)) * 4_000
HALF = len(CONTENT) // 2


@pytest.fixture(autouse=True)
def world(monkeypatch) -> None:
    """No proxies and no pauses."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(web, "PAUSE_SECONDS", 0.0)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving({"rows.bin": CONTENT}) as found:
        yield found


def file_of(server: Server, content: bytes = CONTENT) -> RemoteFile:
    return RemoteFile(f"{server.url}/rows.bin", len(content), hashlib.sha256(content).hexdigest())


def ranges(server: Server) -> list[str]:
    return [asked for _, _, asked in server.asked]


def assert_refused(file: RemoteFile, folder, words: str) -> None:
    with pytest.raises(Unavailable, match=words) as caught:
        download(file, folder / "rows.bin")
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(file.url)
    assert not (folder / "rows.bin").exists()


def test_a_whole_file_is_there_once_and_alone(server, tmp_path) -> None:
    followed: list[int] = []
    for _ in range(2):
        download(file_of(server), tmp_path / "rows.bin", followed.append)
    assert (tmp_path / "rows.bin").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["rows.bin"]
    assert followed[0] == 0
    assert followed[-1] == len(CONTENT)
    assert followed == sorted(followed)
    assert ranges(server) == [""]


@pytest.mark.parametrize("names_size", [True, False])
def test_a_connection_that_breaks_is_continued(server, tmp_path, names_size) -> None:
    server.names_size = names_size
    server.breaks_after = [HALF, 1_000]
    download(file_of(server), tmp_path / "rows.bin")
    assert (tmp_path / "rows.bin").read_bytes() == CONTENT
    assert ranges(server) == ["", f"bytes={HALF}-", f"bytes={HALF + 1_000}-"]


def test_an_interrupted_download_is_continued_by_the_next_call(server, tmp_path) -> None:
    server.breaks_after = [HALF] + [0] * (web.CONNECTIONS - 1)
    assert_refused(file_of(server), tmp_path, rf"ended after {HALF:,} of {len(CONTENT):,} bytes")
    assert (tmp_path / "rows.bin.part").read_bytes() == CONTENT[:HALF]
    server.asked.clear()
    download(file_of(server), tmp_path / "rows.bin")
    assert (tmp_path / "rows.bin").read_bytes() == CONTENT
    assert ranges(server) == [f"bytes={HALF}-"]
    assert [path.name for path in tmp_path.iterdir()] == ["rows.bin"]


def test_what_interrupts_python_leaves_a_part_that_is_continued(server, tmp_path) -> None:
    def interrupt(done: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(file_of(server), tmp_path / "rows.bin", interrupt)
    begun = (tmp_path / "rows.bin.part").stat().st_size
    assert 0 < begun < len(CONTENT)
    download(file_of(server), tmp_path / "rows.bin")
    assert ranges(server) == ["", f"bytes={begun}-"]


def test_a_server_without_ranges_sends_all_again(server, tmp_path) -> None:
    server.has_ranges = False
    server.breaks_after = [HALF]
    download(file_of(server), tmp_path / "rows.bin")
    assert (tmp_path / "rows.bin").read_bytes() == CONTENT
    server.breaks_after = [HALF] * web.CONNECTIONS
    (tmp_path / "rows.bin").unlink()
    assert_refused(file_of(server), tmp_path, "the connection ended after")


def test_a_server_that_sends_other_bytes_than_were_asked_for_begins_again(server, tmp_path) -> None:
    server.breaks_after, server.begins_at = [HALF], HALF - 1
    download(file_of(server), tmp_path / "rows.bin")
    assert (tmp_path / "rows.bin").read_bytes() == CONTENT
    assert ranges(server) == ["", f"bytes={HALF}-", ""]


@pytest.mark.parametrize("part", [b"?" * HALF, b"?" * len(CONTENT), b"?" * (len(CONTENT) + 1)])
def test_a_damaged_part_is_downloaded_again(server, tmp_path, part) -> None:
    (tmp_path / "rows.bin.part").write_bytes(part)
    download(file_of(server), tmp_path / "rows.bin")
    assert (tmp_path / "rows.bin").read_bytes() == CONTENT
    assert ranges(server)[-1] == ""


def test_a_damaged_file_is_downloaded_again(server, tmp_path) -> None:
    (tmp_path / "rows.bin").write_bytes(b"?" * len(CONTENT))
    download(file_of(server), tmp_path / "rows.bin")
    assert (tmp_path / "rows.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("begun", [0, HALF])
def test_another_checksum_is_refused_and_nothing_is_kept(server, tmp_path, begun) -> None:
    wanted = CONTENT[:-1] + b"?"
    if begun:
        (tmp_path / "rows.bin.part").write_bytes(CONTENT[:begun])
    found, expected = (hashlib.sha256(content).hexdigest() for content in (CONTENT, wanted))
    assert_refused(file_of(server, wanted), tmp_path, f"found sha256 {found}, expected {expected}")
    assert list(tmp_path.iterdir()) == []
    assert ranges(server) == ([f"bytes={begun}-", ""] if begun else [""])


def test_another_size_is_refused_before_it_is_read(server, tmp_path) -> None:
    file = file_of(server)
    for content in (b"<html>please log in</html>", CONTENT + b"more"):
        server.files = {"rows.bin": content}
        assert_refused(file, tmp_path, rf"found a file of {len(content):,} bytes, expected {len(CONTENT):,}")
    assert list(tmp_path.iterdir()) == []
    server.names_size = False
    assert_refused(file, tmp_path, "found more than the")


def test_a_truncated_file_is_refused(server, tmp_path) -> None:
    file = file_of(server)
    server.files, server.names_size = {"rows.bin": CONTENT[:HALF]}, False
    assert_refused(file, tmp_path, rf"the connection ended after {HALF:,} of {len(CONTENT):,} bytes")
    server.names_size = True
    assert_refused(file, tmp_path, f"found a file of {HALF:,} bytes")


@pytest.mark.parametrize(("status", "connections"), [(404, 1), (403, 1), (407, 1), (503, 5), (429, 5)])
def test_a_refusal_is_a_reason(server, tmp_path, status, connections) -> None:
    server.status = status
    assert_refused(file_of(server), tmp_path, f"the server answered {status} [A-Z]")
    assert len(server.asked) == connections
    assert unreachable(file_of(server).url) is None


def test_no_server_is_a_reason(tmp_path) -> None:
    with serving({}) as gone:
        file = file_of(gone)
    assert_refused(file, tmp_path, "refused")
    assert str(unreachable(file.url)).startswith(f"{file.url} cannot be reached (")
    assert "\n" not in str(unreachable("http://no-such-host.invalid/rows.bin"))


def test_a_server_that_never_answers_is_given_up(monkeypatch) -> None:
    tested = threading.Event()

    def answer_late(*_: object) -> None:
        tested.wait(10)
        raise OSError("too late")

    monkeypatch.setattr(web, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(web, "_open", answer_late)
    assert unreachable("http://example.org/x") == "http://example.org/x cannot be reached (no answer within 0.05 s)"
    tested.set()


def test_a_silent_connection_is_given_up(server, tmp_path, monkeypatch) -> None:
    class Silent:
        status, headers = 200, {"Content-Length": str(len(CONTENT))}

        def read(self, _: int) -> bytes:
            raise TimeoutError("The read operation timed out")

        def close(self) -> None:
            pass

    monkeypatch.setattr(web, "_open", lambda *_: Silent())
    assert_refused(file_of(server), tmp_path, "The read operation timed out")


def test_a_proxy_of_the_environment_is_used(server, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    file = file_of(server)._replace(url="http://example.invalid/folder/rows.bin")
    assert unreachable(file.url) is None
    download(file, tmp_path / "rows.bin")
    assert server.asked == [("GET", "http://example.invalid/folder/rows.bin", "")]
    monkeypatch.setenv("http_proxy", "socks9://::/")
    assert "\n" not in str(unreachable(file.url))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    (tmp_path / "rows.bin").unlink()
    download(file_of(server), tmp_path / "rows.bin")


def test_a_full_disk_is_an_error_of_the_disk(server, tmp_path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        download(file_of(server), tmp_path / "rows.bin")
