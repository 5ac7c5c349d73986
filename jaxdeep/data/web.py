"""Download files of a known size and checksum with the standard library.

A file is written under another name and renamed when it is whole. What an interrupted download has written is
continued. The proxies of the environment are used, as `urllib` reads them.
"""

import hashlib
import http.client
import os
import queue
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

from jaxdeep.files import PART
from jaxdeep.version import __version__

ANSWER_SECONDS = 2.0
"""Seconds within which a server must answer at first."""
SILENT_SECONDS = 20.0
"""Seconds without a byte after which a connection counts as broken."""
CONNECTIONS = 5
"""Number of connections that are tried for a file, the first one included."""
PAUSE_SECONDS = 1.0
"""Seconds before a file is continued over a new connection. They double with each connection."""
FAILURES: Final = (OSError, http.client.HTTPException, ValueError)
"""Errors of a connection. A malformed proxy or host raises the last one."""
BLOCK: Final = 1 << 18
"""Number of bytes that are read at once."""
HEADERS: Final = {"User-Agent": f"jaxdeep/{__version__}"}
"""Headers of each request."""


class Unavailable(Exception):
    """Error for a data set that cannot be downloaded or prepared.

    Its message is the reason in one line.
    """


class _Broken(Exception):
    """Error for a connection that ended early. Its message is the reason in one line."""


class RemoteFile(NamedTuple):
    """A file of the web whose content is known.

    Attributes:
        url: Address of the file.
        size: Number of bytes.
        sha256: SHA-256 of the bytes as 64 hexadecimal digits.
    """

    url: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """Return the last part of the address."""
        return self.url.rpartition("/")[2]


def download(file: RemoteFile, path: Path, follow: Callable[[int], None] = lambda done: None) -> None:
    """Download a file and check it.

    A file that is there and right is kept. A part of it is continued, and downloaded again if the whole is wrong.

    Args:
        file: Address, size and checksum of the file.
        path: Path of the file on this machine. Its folder exists.
        follow: Function that is called with the number of bytes that are there. The number falls if the download begins
            again.

    Raises:
        Unavailable: The server cannot be reached, refuses, breaks off, or has another file.
        OSError: The file cannot be written.
    """
    part = path.with_name(path.name + PART)
    if _size(path) == file.size and _sha256(path) == file.sha256:
        follow(file.size)
        return
    is_continued = _size(part) > 0
    _complete(file, part, follow)
    found = _sha256(part)
    if found != file.sha256 and is_continued:
        part.unlink()
        _complete(file, part, follow)
        found = _sha256(part)
    if found != file.sha256:
        part.unlink()
        raise Unavailable(f"{file.url}: found sha256 {found}, expected {file.sha256}")
    os.replace(part, path)


def unreachable(address: str) -> str | None:
    """Return why an address gives no answer within ANSWER_SECONDS.

    Args:
        address: URL to ask.

    Returns:
        The reason in one line. None if there is any answer.
    """

    def ask() -> str | None:
        try:
            _open(urllib.request.Request(address, headers=HEADERS, method="HEAD"), ANSWER_SECONDS).close()
        except urllib.error.HTTPError as error:
            error.close()  # a refusal is an answer
        except FAILURES as error:
            return f"{address} cannot be reached ({_reason(error)})"
        return None

    return answer_within(ANSWER_SECONDS, address, ask)


def answer_within(seconds: float, address: str, ask: Callable[[], str | None]) -> str | None:
    """Return what a function returns, or that an address gave no answer in time.

    A name server that does not answer has no timeout of its own. The function runs in a thread, which can be left
    behind.

    Args:
        seconds: Seconds to wait.
        address: URL that the function asks.
        ask: Function that returns why the address cannot be reached. It returns None if there is any answer.

    Returns:
        The reason in one line. None if there is any answer.
    """
    answers: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=lambda: answers.put(ask()), daemon=True).start()
    try:
        return answers.get(timeout=seconds)
    except queue.Empty:
        return f"{address} cannot be reached (no answer within {seconds:g} s)"


def _complete(file: RemoteFile, part: Path, follow: Callable[[int], None]) -> None:
    """Download the bytes that a part lacks, over new connections if one breaks."""
    reason = ""
    for connection in range(CONNECTIONS):
        if connection:
            time.sleep(PAUSE_SECONDS * 2 ** (connection - 1))
        try:
            _receive(file, part, follow)
            return
        except _Broken as error:
            reason = f"{file.url}: {error}"
    raise Unavailable(reason)


def _receive(file: RemoteFile, part: Path, follow: Callable[[int], None]) -> None:
    """Append the bytes that a part lacks from one connection."""
    if _size(part) > file.size:
        part.unlink()
    done = _size(part)
    follow(done)
    if done == file.size:
        return
    with closing(_answer(file, part, done)) as answer:
        if done and answer.status != http.client.PARTIAL_CONTENT:  # the server sends the whole file
            done = 0
        with part.open("ab" if done else "wb") as stream:
            while block := _block(answer):
                done += len(block)
                if done > file.size:
                    raise Unavailable(f"{file.url}: found more than the {file.size:,} bytes that were expected")
                stream.write(block)
                follow(done)
    if done < file.size:
        raise _Broken(f"the connection ended after {done:,} of {file.size:,} bytes")


def _answer(file: RemoteFile, part: Path, done: int) -> Any:
    """Return the server's answer to a request for the bytes of a file from some byte on."""
    headers = HEADERS | ({"Range": f"bytes={done}-"} if done else {})
    try:
        answer = _open(urllib.request.Request(file.url, headers=headers), SILENT_SECONDS)
    except urllib.error.HTTPError as error:
        error.close()
        words = f"the server answered {error.code} {error.reason}".rstrip()
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink()
            raise _Broken(words) from error
        if error.code >= http.client.INTERNAL_SERVER_ERROR or error.code == http.client.TOO_MANY_REQUESTS:
            raise _Broken(words) from error
        raise Unavailable(f"{file.url}: {words}") from error
    except FAILURES as error:
        raise _Broken(_reason(error)) from error
    try:
        _check_length(file, part, done, answer)
    except BaseException:
        answer.close()
        raise
    return answer


def _check_length(file: RemoteFile, part: Path, done: int, answer: Any) -> None:
    """Refuse an answer of another size, such as a page that asks to log in, before it is read."""
    size = answer.headers.get("Content-Length", "")
    if answer.status == http.client.PARTIAL_CONTENT:
        span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
        if span is None or int(span[1]) != done:
            part.unlink(missing_ok=True)
            raise _Broken("the server sent other bytes than were asked for")
        size = span[2]
    if size.isdecimal() and int(size) != file.size:
        raise Unavailable(f"{file.url}: found a file of {int(size):,} bytes, expected {file.size:,}")


def _block(answer: Any) -> bytes:
    """Return the next bytes of an answer. None are left at its end."""
    try:
        return answer.read(BLOCK)
    except FAILURES as error:
        raise _Broken(_reason(error)) from error


def _open(request: urllib.request.Request, seconds: float) -> Any:
    """Open a request by the proxies that the environment names now."""
    return urllib.request.build_opener().open(request, timeout=seconds)


def _size(path: Path) -> int:
    """Return the number of bytes of a file. A file that does not exist has none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _reason(error: Exception) -> str:
    """Return why a connection failed in one line."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    return " ".join(str(cause).split()) or type(cause).__name__
