"""TensorBoard's event files, appended to epoch by epoch. No file stays open between two epochs, and no thread runs."""

import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxdeep.study.files import writing

CRC_MASK = 0xA282EAD8


def append_events(path: Path, epoch: int, figures: Mapping[str, float]) -> None:
    """Add the figures of one epoch to an event file, which is made at first.

    Args:
        path: Of the file. Its name must hold "tfevents" for TensorBoard to find it.
        epoch: The step that TensorBoard shows.
        figures: A value for each name.

    Raises:
        UserError: The system refuses, as when the disk is full.
    """
    from tensorboardX.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]  # 0.15 s to import
    from tensorboardX.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]

    now = time.time()
    values = [Summary.Value(tag=name, simple_value=value) for name, value in figures.items()]
    events = [] if path.exists() else [Event(wall_time=now, file_version="brain.Event:2")]
    events.append(Event(wall_time=now, step=epoch, summary=Summary(value=values)))
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(b"".join(map(_record, events)))


def _record(event: Any) -> bytes:
    """Frame an event as TensorFlow's records are: length, its checksum, content, its checksum."""
    content = event.SerializeToString()
    length = struct.pack("<Q", len(content))
    return length + _checksum(length) + content + _checksum(content)


def _checksum(content: bytes) -> bytes:
    from tensorboardX.crc32c import crc32c

    found = crc32c(content)
    rotated = (found >> 15 | found << 17) & 0xFFFFFFFF
    return struct.pack("<I", (rotated + CRC_MASK) & 0xFFFFFFFF)
