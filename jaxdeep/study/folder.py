"""The folder of a study: what it is, its figures by epoch, its result.

    config.json  metrics.jsonl  summary.json  hits.npz  curves.png  (rates.png)  wall.json  tensorboard/
    checkpoints/  (profile/)

A folder belongs to one configuration, one design and one source of data. `metrics.jsonl` and the TensorBoard events
follow the history that a checkpoint holds: where a study is continued they are written anew from it, so that nothing is
lost, doubled or torn. A folder knows files, not pictures: `jaxdeep.report` draws them.

A finished study goes on when its epochs are raised, and grows when it gets more seeds or more values of its grid. Its
summary stays until that of the larger study is there.
"""

import json
import shutil
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, TextIO

from jaxdeep.config import shortened
from jaxdeep.config.extension import check_continues
from jaxdeep.errors import JaxdeepWarning, UserError
from jaxdeep.locks import alone_in
from jaxdeep.study.claim import (
    FILES,
    WRITTEN_BY,
    content_of,
    identity_there,
    reason_of,
    remove_study,
    says,
    version_there,
)
from jaxdeep.study.events import append_events
from jaxdeep.study.files import PART, write_bytes, write_json, write_text, writing
from jaxdeep.study.growth import Relation, relation
from jaxdeep.study.names import folder_name
from jaxdeep.study.result import IDENTITY, StudyResult
from jaxdeep.study.stored import UNCERTAINTY_PICTURES, Stored, correct_bytes, read_stored, sealed
from jaxdeep.study.trial import Trial
from jaxdeep.train.history import EpochRecord, null_if_not_finite
from jaxdeep.version import __version__

SECONDS_BETWEEN_NOTES = 5.0


class RunFolder:
    """A folder opened for one study; a context that closes its files.

    Attributes:
        path: path of the folder.
        relation: what this study is beside the one that the folder held, or None for a new folder.
        kept: result of the smaller study that grows here, whose trials are not trained again. None without one.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any], *, overwrite: bool = False) -> None:
        """Claim a folder.

        Args:
            path: path of the folder, which is made if there is none.
            identity: what the study is, as nested JSON values. It must hold data.synthetic.
            overwrite: whether another study's files are removed first.

        Raises:
            UserError: the folder holds another study, or something else, or another process has it open.
        """
        self.path, self._identity = path, identity
        self.kept: StudyResult | None = None
        self._histories: dict[str, list[EpochRecord]] = {}
        self._marks = {"synthetic": True} if identity["data"]["synthetic"] else {}
        self._metrics: TextIO | None = None
        self._events = f"events.out.tfevents.{int(time.time())}.jaxdeep"
        self._began = self._noted = time.perf_counter()
        try:
            path.mkdir(parents=True, exist_ok=True)
            with ExitStack() as stack:
                stack.enter_context(alone_in(path))
                self._claim(identity, overwrite=overwrite)
                self._closing = stack.pop_all()
        except OSError as error:
            raise UserError(f"{path}: cannot be used as a run folder ({reason_of(path, error)})") from error

    def _claim(self, identity: Mapping[str, Any], *, overwrite: bool) -> None:
        config, parts = self.path / "config.json", {name + PART for name in FILES}
        is_new = all(entry.name in parts for entry in self.path.iterdir())
        self.relation: Relation | None = None
        if not is_new:
            there = None if overwrite and config.exists() else identity_there(self.path, self._identity)
            if overwrite:
                remove_study(self.path)
            elif there is not None:
                self.relation = relation(there, identity)
                if self.relation is Relation.OTHER:
                    check_continues(str(self.path), there, identity, f" (written by {version_there(self.path)})")
        for name in parts:  # what a kill left behind as it was being written
            (self.path / name).unlink(missing_ok=True)
        is_lost = self.relation is Relation.SAME and not says(config, identity)
        if is_lost or self.relation in (None, Relation.LONGER, Relation.GROWN):
            write_json(config, {**identity, WRITTEN_BY: __version__})
        self._seconds_before = self._wall_before()

    def _wall_before(self) -> float | None:
        """Seconds that earlier processes had the folder open, or None where that is lost."""
        wall = self.path / "wall.json"
        if not wall.exists() and (smaller := self._smaller_summary()) is not None:
            return smaller.get("wall_seconds")
        if not wall.exists():
            return None if (self.path / "metrics.jsonl").exists() else 0.0
        seconds = (content_of(wall) or {}).get("seconds")
        if isinstance(seconds, int | float) and 0 <= seconds < float("inf"):
            return float(seconds)
        if not (self.path / "summary.json").exists():
            text = f"{wall} is damaged: the run goes on, and its wall_seconds will be null"
            warnings.warn(text, JaxdeepWarning, stacklevel=4)
        return None

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(self, *_: object) -> None:
        with self._closing:
            if self._metrics is None:
                return
            with suppress(OSError):  # a full disk, which `follow` has reported
                self._metrics.close()
            with suppress(UserError):
                if not (self.path / "summary.json").exists() or self._smaller_summary() is not None:
                    self._note_wall()

    @property
    def wall_seconds(self) -> float | None:
        """That all processes have had the folder open: of the study, compilation included, loading images not.

        None where the note of it was lost.
        """
        return None if self._seconds_before is None else self._seconds_before + time.perf_counter() - self._began

    def stored(self) -> Stored | None:
        """Read what a finished study left here, and check it. None where there is no summary.

        The study may be a smaller one than that of the folder, or a larger one.
        """
        is_growing = self.relation is Relation.SMALLER or self._smaller_summary() is not None
        return read_stored(self.path, is_growing=is_growing)

    def checkpoints(self, trial: Trial) -> Path:
        """Return the folder of a trial's checkpoints: under the name that version 0.1 gave it, where there is one.

        Args:
            trial: a trial of the study.
        """
        old = self.path / "checkpoints" / shortened(trial.name)
        return old if old.is_dir() else self.path / "checkpoints" / folder_name(trial.name)

    def saved_epoch(self, trial: Trial) -> int | None:
        """Return the epoch of a trial's last checkpoint on disk, or None if nothing is saved.

        Args:
            trial: a trial of the study.
        """
        folder = self.checkpoints(trial)
        steps = [int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal()] if folder.is_dir() else []
        return max(steps, default=None)

    @property
    def profile(self) -> Path:
        """Where a trace is kept, if one is asked for."""
        return self.path / "profile"

    def follow(self, trial: Trial, history: Sequence[EpochRecord]) -> None:
        """Bring the files up to a trial's history. The first call of a process begins them anew.

        Args:
            trial: a trial of the study.
            history: all its epochs so far. It only grows.

        Raises:
            UserError: the system refuses, as when the disk is full.
        """
        metrics = self.path / "metrics.jsonl"
        with writing(metrics):
            if self._metrics is None:
                self._note_wall()
                shutil.rmtree(self.path / "tensorboard", ignore_errors=True)
                self._metrics = metrics.open("w")
                if self.kept is not None:
                    self._metrics.write("".join(self._lines(self.kept)))
                    self._append_events(self.kept)
            known = self._histories.setdefault(trial.name, [])
            for record in history[len(known) :]:
                known.append(record)
                self._metrics.write(self._line(trial.labels, record))
                self._write_events(trial.name, record)
            self._metrics.flush()
        if time.perf_counter() - self._noted > SECONDS_BETWEEN_NOTES:
            self._note_wall()

    def write_figures(self, result: StudyResult) -> None:
        """Write metrics.jsonl in the order of the trials, and hits.npz. What belonged to a smaller study goes.

        Args:
            result: the result of the study, with its histories and correctly classified rows.
        """
        write_text(self.path / "metrics.jsonl", "".join(self._lines(result)))
        assert result.correct is not None
        write_bytes(self.path / "hits.npz", correct_bytes(result.correct))
        if self._smaller_summary() is not None:
            for name in UNCERTAINTY_PICTURES:  # of other weights than these
                (self.path / name).unlink(missing_ok=True)

    def write_result(self, result: StudyResult) -> None:
        """Write summary.json with the digests of all files, as they are now. With it the study is finished.

        Args:
            result: the result of the study.
        """
        write_json(self.path / "summary.json", sealed(result, self.path))
        (self.path / "wall.json").unlink(missing_ok=True)

    def write_events(self, result: StudyResult) -> None:
        """Write TensorBoard's events anew.

        Args:
            result: the result of the study, with its histories.
        """
        shutil.rmtree(self.path / "tensorboard", ignore_errors=True)
        self._append_events(result)

    def _append_events(self, result: StudyResult) -> None:
        for trial, history in zip(result.trials, result.histories, strict=True):
            for record in history:
                self._write_events(trial.name, record)

    def _lines(self, result: StudyResult) -> Iterator[str]:
        for trial, history in zip(result.trials, result.histories, strict=True):
            yield from (self._line(trial.labels, record) for record in history)

    def _smaller_summary(self) -> Mapping[str, Any] | None:
        """The summary that the study had when it was smaller: with fewer trials, or fewer epochs."""
        found = content_of(self.path / "summary.json")
        if found is None:
            return None
        there = {name: found[name] for name in IDENTITY if name in found}
        return found if relation(there, self._identity) in (Relation.LONGER, Relation.GROWN) else None

    def _note_wall(self) -> None:
        write_json(self.path / "wall.json", {"seconds": self.wall_seconds})
        self._noted = time.perf_counter()

    def _line(self, labels: Mapping[str, Any], record: EpochRecord) -> str:
        return json.dumps({**labels, **finite(record), **self._marks}) + "\n"

    def _write_events(self, name: str, record: EpochRecord) -> None:
        figures = finite(record)
        epoch = figures.pop("epoch")
        path = self.path / "tensorboard" / folder_name(name) / self._events
        append_events(path, epoch, {name: value for name, value in figures.items() if value is not None})


def finite(record: EpochRecord) -> dict[str, Any]:
    """An epoch's figures for JSON: None where one is not finite."""
    return {name: null_if_not_finite(value) for name, value in record._asdict().items()}
