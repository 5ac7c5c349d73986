"""An HTTP server of this machine that has files and faults."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Server:
    """What a server has, what is wrong with it, and what it was asked."""

    files: Mapping[str, bytes]
    breaks_after: list[int] = field(default_factory=list)  # bytes of each of the next answers before they break
    status: int | None = None  # of each answer, in place of its file
    has_ranges: bool = True
    begins_at: int | None = None  # what a range begins at, whatever was asked for
    names_size: bool = True
    url: str = ""
    asked: list[tuple[str, str, str]] = field(default_factory=list)  # method, path, range


@contextmanager
def serving(files: Mapping[str, bytes], **options: Any) -> Iterator[Server]:
    """Serve files under their names at a free port."""
    server = Server(files, **options)
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(server)) as listening:
        server.url = f"http://127.0.0.1:{listening.server_port}"
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(405)  # some servers refuse it, and that is an answer
            self.end_headers()

        def do_GET(self) -> None:
            asked = self.headers.get("Range", "")
            server.asked.append((self.command, self.path, asked))
            content = server.files.get(self.path.rpartition("/")[2])
            if content is None or server.status:
                self.send_error(server.status or 404)
                return
            begin = int(asked.removeprefix("bytes=").rstrip("-")) if asked and server.has_ranges else 0
            if begin >= len(content):
                self.send_error(416)
                return
            begin = server.begins_at if asked and server.begins_at is not None else begin
            self.send_response(206 if asked and server.has_ranges else 200)
            if asked and server.has_ranges:
                self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
            if server.names_size:
                self.send_header("Content-Length", str(len(content) - begin))
            self.end_headers()
            end = begin + server.breaks_after.pop(0) if server.breaks_after else len(content)
            self.wfile.write(content[begin:end])

        def log_message(self, *_: object) -> None:
            pass

    return Handler
