"""The folder of a run: what it is, its figures by epoch, its summary.

    config.json  metrics.jsonl  summary.json  hits.npz  curves.png  (rates.png)  wall.json  tensorboard/
    checkpoints/  (profile/)

A folder belongs to one configuration, one list of seeds, one grid of values and one source of data. `metrics.jsonl` and
the TensorBoard events follow the history that a checkpoint holds: where a run is continued they are written anew from
it, so that nothing is lost, doubled or torn.

A finished run whose epochs are raised goes on from its checkpoints. Its summary stays until the longer run's is there.
"""

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

from jaxdeep.config import shortened
from jaxdeep.config.extension import check_continues, is_extension
from jaxdeep.errors import UserError
from jaxdeep.locks import alone_in
from jaxdeep.report.files import key_of, read_json, write_hits, write_json, write_text
from jaxdeep.train.fit import Run
from jaxdeep.train.history import EpochRecord, null_if_not_finite
from jaxdeep.train.sweep import Member

UNCERTAINTY_PICTURES = ("reliability.png", "rejection.png", "samples.png", "certainty.png", "first_image.png")
FILES = (
    *("config.json", "metrics.jsonl", "summary.json", "hits.npz", "curves.png", "rates.png", "wall.json"),
    *UNCERTAINTY_PICTURES,
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
            UserError: the folder holds another run, or something else, or another process has it open.
        """
        self.path, self._identity = path, identity
        self.histories: dict[str, list[EpochRecord]] = {}
        self._marks = {"synthetic": True} if identity["data"]["synthetic"] else {}
        self._metrics: TextIO | None = None
        self._writers: dict[str, Any] = {}
        self._began = self._noted = time.perf_counter()
        try:
            path.mkdir(parents=True, exist_ok=True)
            with ExitStack() as stack:
                stack.enter_context(alone_in(path))
                self._claim(identity, overwrite=overwrite)
                self._closing = stack.pop_all()
        except (OSError, json.JSONDecodeError) as error:
            raise UserError(f"{path}: cannot be used as a run folder ({error})") from error

    def _claim(self, identity: Mapping[str, Any], *, overwrite: bool) -> None:
        config, wall = self.path / "config.json", self.path / "wall.json"
        if not config.exists() and any(self.path.iterdir()):
            raise UserError(f"{self.path} is not empty and holds no config.json: not a run folder")
        if overwrite:
            _remove_run(self.path)
        elif config.exists():
            check_continues(str(self.path), json.loads(config.read_text()), identity)
        write_json(config, identity)
        if wall.exists():
            self._seconds_before = read_json(wall)["seconds"]
        elif (shorter := self._shorter_summary()) is not None:
            self._seconds_before = shorter.get("wall_seconds", 0.0)
        else:
            self._seconds_before = 0.0

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(self, *_: object) -> None:
        if self._metrics is not None:
            self._metrics.close()
            if self.summary() is None:
                self._note_wall()
        for writer in self._writers.values():
            writer.close()
        self._closing.close()

    @property
    def wall_seconds(self) -> float:
        """That all processes have had the folder open: of the study, compilation included, loading images not."""
        return self._seconds_before + time.perf_counter() - self._began

    def summary(self) -> dict[str, Any] | None:
        """Return the summary of a finished run; None where it is not finished, or was when it had fewer epochs."""
        found = self._any_summary()
        return None if found is None or self._is_shorter(found) else found

    def checkpoints(self, member: Member) -> Path:
        """Where the checkpoints of a member are kept."""
        return self.path / "checkpoints" / shortened(member.name)

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
        groups: dict[str, dict[int | str, Sequence[EpochRecord]]] = {}
        for member, history in histories:
            groups.setdefault(member.group, {})[key_of(member.labels)] = history
        learning_curves(self.path / "curves.png", groups, title)
        if "range_test" in summary:
            rate_curves(self.path / "rates.png", summary, title)
        if self._shorter_summary() is not None:
            for name in UNCERTAINTY_PICTURES:  # of other weights than these
                (self.path / name).unlink(missing_ok=True)
        write_json(self.path / "summary.json", summary)
        (self.path / "wall.json").unlink(missing_ok=True)

    def rewrite_summary(self, summary: Mapping[str, Any]) -> None:
        """Add to the summary of a finished run.

        Args:
            summary: its content, and more.
        """
        write_json(self.path / "summary.json", summary)

    def _any_summary(self) -> dict[str, Any] | None:
        path = self.path / "summary.json"
        return json.loads(path.read_text()) if path.exists() else None

    def _shorter_summary(self) -> dict[str, Any] | None:
        """The summary that the run had when it was shorter."""
        found = self._any_summary()
        return found if found is not None and self._is_shorter(found) else None

    def _is_shorter(self, summary: Mapping[str, Any]) -> bool:
        return is_extension({name: summary.get(name) for name in self._identity}, self._identity)

    def _note_wall(self) -> None:
        write_json(self.path / "wall.json", {"seconds": self.wall_seconds})
        self._noted = time.perf_counter()

    def _line(self, member: Member, record: EpochRecord) -> str:
        return json.dumps({**member.labels, **finite(record), **self._marks}) + "\n"

    def _write_events(self, member: Member, record: EpochRecord) -> None:
        if member.name not in self._writers:
            from tensorboardX import SummaryWriter  # 0.15 s to import

            self._writers[member.name] = SummaryWriter(str(self.path / "tensorboard" / shortened(member.name)))
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


def finite(record: EpochRecord) -> dict[str, Any]:
    """An epoch's figures for JSON: None where one is not finite."""
    return {name: null_if_not_finite(value) for name, value in record._asdict().items()}
