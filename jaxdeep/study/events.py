"""TensorBoard's event files, written epoch by epoch. No file stays open between epochs, and no thread runs."""

import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxdeep.study.files import writing

CRC_MASK = 0xA282EAD8
"""Constant by which TensorFlow masks the checksums of its records."""


def append_events(
    path: Path, epoch: int, figures: Mapping[str, float], hyperparameters: Mapping[str, Any] | None = None
) -> None:
    """Append the figures of one epoch to an event file. The first call makes the file.

    Args:
        path: Path of the file. Its name must hold "tfevents" for TensorBoard to find it.
        epoch: Epoch that TensorBoard shows as the step, counted from 1.
        figures: Value of each figure by name.
        hyperparameters: Number, boolean or text of each hyperparameter by name. A new file begins with them. None: the
            file holds none.

    Raises:
        UserError: The file cannot be written, for example because the disk is full.
    """
    from tensorboardX.proto.event_pb2 import Event  # pyright: ignore[reportAttributeAccessIssue]  # 0.15 s to import
    from tensorboardX.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]

    now = time.time()
    values = [Summary.Value(tag=name, simple_value=value) for name, value in figures.items()]
    events = [] if path.exists() else [Event(wall_time=now, file_version="brain.Event:2")]
    if events and hyperparameters is not None:
        events.append(Event(wall_time=now, summary=Summary(value=[_session(hyperparameters, now)])))
    events.append(Event(wall_time=now, step=epoch, summary=Summary(value=values)))
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(b"".join(map(_record, events)))


def _session(hyperparameters: Mapping[str, Any], now: float) -> Any:
    """Return hyperparameters as the value that TensorBoard's HPARAMS plugin reads.

    Its union of all runs' hyperparameters makes the columns of the tab. So no run states them for the others.
    """
    from tensorboardX.proto import plugin_hparams_pb2, summary_pb2

    protocol: Any = plugin_hparams_pb2
    summary: Any = summary_pb2
    session = protocol.SessionStartInfo(start_time_secs=now)
    for name, value in hyperparameters.items():
        kind = "bool" if isinstance(value, bool) else "string" if isinstance(value, str) else "number"
        setattr(session.hparams[name], f"{kind}_value", value)
    content = protocol.HParamsPluginData(version=0, session_start_info=session).SerializeToString()
    plugin = summary.SummaryMetadata.PluginData(plugin_name="hparams", content=content)
    metadata = summary.SummaryMetadata(plugin_data=plugin)
    return summary.Summary.Value(tag="_hparams_/session_start_info", metadata=metadata)


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
