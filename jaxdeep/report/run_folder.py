"""The folder of a run: what it is, its figures by epoch, its summary.

    config.json  metrics.jsonl  summary.json  hits.npz  curves.png  (rates.png)  wall.json  tensorboard/
    checkpoints/  (profile/)

A folder belongs to one configuration, one list of seeds, one grid of values and one source of data. `metrics.jsonl` and
the TensorBoard events follow the history that a checkpoint holds: where a run is continued they are written anew from
it, so that nothing is lost, doubled or torn.
"""

import json
import math
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from jaxdeep.config import refuse_other
from jaxdeep.errors import UserError
from jaxdeep.train.fit import Run
from jaxdeep.train.history import EpochRecord, null_if_not_finite
from jaxdeep.train.sweep import Member

FILES = (
    *("config.json", "metrics.jsonl", "summary.json", "hits.npz", "curves.png", "rates.png", "wall.json"),
    *("tensorboard", "checkpoints", "profile"),
)
SECONDS_BETWEEN_NOTES = 5.0


class RunFolder:
    """A folder opened for one run; a context that closes its files."""

    def __init__(self, path: Path, identity: Mapping[str, Any], *, overwrite: bool = False) -> None:
        """Claim a folder.

        Args:
            path: made where it is not there.
            identity: what the run is, as nested JSON values; must hold data.synthetic.
            overwrite: remove another run's files first.

        Raises:
            UserError: the folder holds another run, or something else.
        """
        self.path = path
        self.histories: dict[str, list[EpochRecord]] = {}
        self._marks = {"synthetic": True} if identity["data"]["synthetic"] else {}
        self._metrics: TextIO | None = None
        self._writers: dict[str, Any] = {}
        self._began = self._noted = time.perf_counter()
        try:
            path.mkdir(parents=True, exist_ok=True)
            config = path / "config.json"
            if not config.exists() and any(path.iterdir()):
                raise UserError(f"{path} is not empty and holds no config.json: not a run folder")
            if overwrite:
                _remove_run(path)
            elif config.exists():
                refuse_other(str(path), json.loads(config.read_text()), identity)
            write_json(config, identity)
            wall = path / "wall.json"
            self._seconds_before = read_json(wall)["seconds"] if wall.exists() else 0.0
        except (OSError, json.JSONDecodeError) as error:
            raise UserError(f"{path}: cannot be used as a run folder ({error})") from error

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(self, *_: object) -> None:
        if self._metrics is not None:
            self._metrics.close()
            if self.summary() is None:
                self._note_wall()
        for writer in self._writers.values():
            writer.close()

    @property
    def wall_seconds(self) -> float:
        """That all processes have had the folder open: of the study, compilation included, loading images not."""
        return self._seconds_before + time.perf_counter() - self._began

    def summary(self) -> dict[str, Any] | None:
        """The summary of a finished run; None where it is not finished."""
        path = self.path / "summary.json"
        return json.loads(path.read_text()) if path.exists() else None

    def checkpoints(self, member: Member) -> Path:
        """Where the checkpoints of a member are kept."""
        return self.path / "checkpoints" / member.name

    @property
    def profile(self) -> Path:
        """Where a trace is kept, if one is asked for."""
        return self.path / "profile"

    def follow(self, member: Member, history: Sequence[EpochRecord]) -> None:
        """Bring the files up to a member's history; the first call of a process begins them anew.

        Args:
            member: of the study.
            history: all its epochs so far; only grows.
        """
        if self._metrics is None:
            shutil.rmtree(self.path / "tensorboard", ignore_errors=True)
            self._metrics = (self.path / "metrics.jsonl").open("w")
        known = self.histories.setdefault(member.name, [])
        for record in history[len(known) :]:
            known.append(record)
            self._metrics.write(self._line(member, record))
            self._write_events(member, record)
        self._metrics.flush()
        if time.perf_counter() - self._noted > SECONDS_BETWEEN_NOTES:
            self._note_wall()

    def write_summary(self, summary: Mapping[str, Any], members: Sequence[Member], runs: Sequence[Run]) -> None:
        """Finish the run: metrics.jsonl in the order of the members, hits.npz, curves.png, and summary.json.

        Args:
            summary: its content.
            members: of the study.
            runs: theirs.
        """
        from jaxdeep.report.figures import learning_curves, rate_curves

        histories = [(member, self.histories[member.name]) for member in members]
        lines = (self._line(member, record) for member, history in histories for record in history)
        write_text(self.path / "metrics.jsonl", "".join(lines))
        write_hits(self.path / "hits.npz", runs)
        title = f"{summary['experiment']} {summary['name']} on {summary['data']['name']}"
        groups: dict[str, dict[int, Sequence[EpochRecord]]] = {}
        for member, history in histories:
            groups.setdefault(member.group, {})[member.seed] = history
        learning_curves(self.path / "curves.png", groups, title)
        if "range_test" in summary:
            rate_curves(self.path / "rates.png", summary, title)
        write_json(self.path / "summary.json", summary)
        (self.path / "wall.json").unlink(missing_ok=True)

    def _note_wall(self) -> None:
        write_json(self.path / "wall.json", {"seconds": self.wall_seconds})
        self._noted = time.perf_counter()

    def _line(self, member: Member, record: EpochRecord) -> str:
        return json.dumps({**member.labels, **finite(record), **self._marks}) + "\n"

    def _write_events(self, member: Member, record: EpochRecord) -> None:
        if member.name not in self._writers:
            from tensorboardX import SummaryWriter  # 0.15 s to import

            self._writers[member.name] = SummaryWriter(str(self.path / "tensorboard" / member.name))
        figures = finite(record)
        epoch = figures.pop("epoch")
        for name, value in figures.items():
            if value is not None:
                self._writers[member.name].add_scalar(name, value, epoch)
        self._writers[member.name].flush()


def _remove_run(path: Path) -> None:
    """Remove what a run writes, and nothing else that a user may keep there."""
    for name in FILES:
        entry = path / name
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink(missing_ok=True)


def write_hits(path: Path, runs: Sequence[Run]) -> None:
    """Which images each run's kept weights tell: `valid` and `test`, booleans [S, N], in the order of the runs.

    Folds have validation images of their own, perhaps one more than others: what is short is filled up with misses.
    """
    most = max(len(run.val_hits) for run in runs)
    valid = np.stack([np.pad(run.val_hits, (0, most - len(run.val_hits))) for run in runs])
    np.savez_compressed(path, valid=valid, test=np.stack([run.test_hits for run in runs]))


def read_histories(path: Path) -> dict[int, list[EpochRecord]]:
    """The epochs of each seed, from a metrics.jsonl of one configuration.

    Raises:
        UserError: it cannot be read.
    """
    found: dict[int, list[EpochRecord]] = {}
    try:
        for line in path.read_text().splitlines():
            row = json.loads(line)
            figures: Any = {name: math.nan if row[name] is None else row[name] for name in EpochRecord._fields}
            found.setdefault(row["seed"], []).append(EpochRecord(**figures))
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
    return found


def read_json(path: Path) -> dict[str, Any]:
    """The content of a file that `write_json` wrote.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return json.loads(path.read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write a file whole or not at all; NaN is refused."""
    write_text(path, json.dumps(values, indent=2, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text)
    os.replace(part, path)


def finite(record: EpochRecord) -> dict[str, Any]:
    """An epoch's figures for JSON: None where one is not finite."""
    return {name: null_if_not_finite(value) for name, value in record._asdict().items()}
