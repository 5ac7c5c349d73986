"""TensorBoard's event files, written epoch by epoch. No file stays open between epochs, and no thread runs."""

import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxdeep.study.files import writing

CRC_MASK = 0xA282EAD8
"""Constant by which TensorFlow masks the checksums of its records."""


def append_events(path: Path, epoch: int, figures: Mapping[str, float]) -> None:
    """Append the figures of one epoch to an event file. The first call makes the file.

    Args:
        path: Path of the file. Its name must hold "tfevents" for TensorBoard to find it.
        epoch: Epoch that TensorBoard shows as the step, counted from 1.
        figures: Value of each figure by name.

    Raises:
        UserError: The file cannot be written, for example because the disk is full.
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
    """Return an event as a TensorFlow record: length, checksum, content, checksum."""
    content = event.SerializeToString()
    length = struct.pack("<Q", len(content))
    return length + _checksum(length) + content + _checksum(content)


def _checksum(content: bytes) -> bytes:
    """Return the masked CRC32C of bytes."""
    from tensorboardX.crc32c import crc32c

    checksum = crc32c(content)
    rotated = (checksum >> 15 | checksum << 17) & 0xFFFFFFFF
    return struct.pack("<I", (rotated + CRC_MASK) & 0xFFFFFFFF)
