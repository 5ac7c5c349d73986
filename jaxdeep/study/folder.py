"""The folder of a study: its identity, its figures by epoch and its result.

    config.json  metrics.jsonl  summary.json  hits.npz  curves.png  curves.svg  wall.json
    (rates.png  rates.svg)  (diagnostics.png  diagnostics.svg)
    tensorboard/  checkpoints/  networks/  (profile/)

A folder belongs to one configuration, one design and one source of data. metrics.jsonl and the TensorBoard events
follow the history in the checkpoints. When a study continues, both are written anew from it. Nothing is lost, doubled
or torn. `jaxdeep.report` draws the pictures. networks/ holds a saved run for each trial, which `jaxdeep.load` reads.

A finished study continues when its epochs are raised. It grows when it gets more seeds or more values of its grid. Its
summary stays until the summary of the larger study is written.
"""

import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, TextIO

from jaxdeep.config import shortened
from jaxdeep.config.extension import check_continues
from jaxdeep.errors import UserError, warn
from jaxdeep.files import PART
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
from jaxdeep.study.files import DIAGNOSTICS, write_bytes, write_json, write_text, writing
from jaxdeep.study.growth import Relation, relation
from jaxdeep.study.names import folder_name
from jaxdeep.study.result import IDENTITY, StudyResult
from jaxdeep.study.stored import EARLIER_PICTURES, UNCERTAINTY_PICTURES, Stored, correct_bytes, read_stored, sealed
from jaxdeep.study.tensorboard import append_epoch
from jaxdeep.study.trial import Trial
from jaxdeep.study.trial_result import TrialResult
from jaxdeep.train.history import EpochRecord, null_if_not_finite
from jaxdeep.train.saved import END, NETWORKS, saved_bytes
from jaxdeep.version import __version__

SECONDS_BETWEEN_NOTES = 5.0
"""Seconds between two updates of wall.json."""


class RunFolder:
    """A folder opened for one study, as a context that closes its files.

    Attributes:
        path: Path of the folder.
        relation: How this study relates to the stored one. None for a new folder.
        kept: Result of the smaller study that grows here. Its trials are not trained again. None if nothing grows.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any], *, overwrite: bool = False) -> None:
        """Claim a folder.

        Args:
            path: Path of the folder. It is made if it does not exist.
            identity: Identity of the study as nested JSON values. It must hold data.synthetic.
            overwrite: Whether the files of another study are removed first.

        Raises:
            UserError: The folder holds another study or other files, or another process has it open.
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
            reason = reason_of(path, error)
            raise UserError(f"{path}: cannot be used as a run folder ({reason}). Choose another folder.") from error

    def _claim(self, identity: Mapping[str, Any], *, overwrite: bool) -> None:
        config, parts = self.path / "config.json", {name + PART for name in FILES}
        is_new = all(entry.name in parts for entry in self.path.iterdir())
        self.relation: Relation | None = None
        if not is_new:
            stored = None if overwrite and config.exists() else identity_there(self.path, self._identity)
            if overwrite:
                remove_study(self.path)
            elif stored is not None:
                self.relation = relation(stored, identity)
                if self.relation is Relation.OTHER:
                    check_continues(str(self.path), stored, identity, f" (written by {version_there(self.path)})")
        for name in parts:  # files that a killed process left unfinished
            (self.path / name).unlink(missing_ok=True)
        is_lost = self.relation is Relation.SAME and not says(config, identity)
        if is_lost or self.relation in (None, Relation.LONGER, Relation.GROWN):
            write_json(config, {**identity, WRITTEN_BY: __version__})
        self._seconds_before = self._wall_before()

    def _wall_before(self) -> float | None:
        """Return the seconds that earlier processes had the folder open. None if they are lost."""
        wall = self.path / "wall.json"
        if not wall.exists() and (smaller := self._smaller_summary()) is not None:
            return smaller.get("wall_seconds")
        if not wall.exists():
            return None if (self.path / "metrics.jsonl").exists() else 0.0
        seconds = (content_of(wall) or {}).get("seconds")
        if isinstance(seconds, int | float) and 0 <= seconds < float("inf"):
            return float(seconds)
        if not (self.path / "summary.json").exists():
            text = f"{wall} is damaged. The study continues, and its wall_seconds will be null."
            warn(text)
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
        """Return the seconds that all processes have had the folder open for the study.

        Compilation counts, loading of images does not. The result is None if the record of an earlier process was lost.
        """
        return None if self._seconds_before is None else self._seconds_before + time.perf_counter() - self._began

    def stored(self) -> Stored | None:
        """Read and check the files of a finished study.

        The stored study may be smaller or larger than the study of the folder.

        Returns:
            The stored files, or None without a summary.
        """
        is_growing = self.relation is Relation.SMALLER or self._smaller_summary() is not None
        return read_stored(self.path, is_growing=is_growing)

    def checkpoints(self, trial: Trial) -> Path:
        """Return the folder of a trial's checkpoints. It has the name of version 0.1 if a folder of that name exists.

        Args:
            trial: Trial of the study.
        """
        old = self.path / "checkpoints" / shortened(trial.name)
        return old if old.is_dir() else self.path / "checkpoints" / folder_name(trial.name)

    def saved_epoch(self, trial: Trial) -> int | None:
        """Return the epoch of a trial's last checkpoint on disk, or None if nothing is saved.

        Args:
            trial: Trial of the study.
        """
        folder = self.checkpoints(trial)
        folders = [folder, *folder.glob("phase_*")] if folder.is_dir() else []
        steps = [int(entry.name) for of_phase in folders for entry in of_phase.iterdir() if entry.name.isdecimal()]
        return max(steps, default=None)

    @property
    def profile(self) -> Path:
        """Return the folder for a profiler trace."""
        return self.path / "profile"

    def follow(self, trial: Trial, history: Sequence[EpochRecord]) -> None:
        """Append the new epochs of a trial to the files. The first call of a process begins the files anew.

        Args:
            trial: Trial of the study.
            history: All epochs of the trial so far. It only grows.

        Raises:
            UserError: A file cannot be written, for example because the disk is full.
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
                self._write_events(trial, record)
            self._metrics.flush()
        if time.perf_counter() - self._noted > SECONDS_BETWEEN_NOTES:
            self._note_wall()

    def write_figures(self, result: StudyResult) -> None:
        """Write metrics.jsonl in the order of the trials, and hits.npz. Pictures of a smaller study are removed.

        Args:
            result: Result of the study with its histories and correctly classified rows.
        """
        write_text(self.path / "metrics.jsonl", "".join(self._lines(result)))
        assert result.correct is not None
        write_bytes(self.path / "hits.npz", correct_bytes(result.correct))
        if self._smaller_summary() is not None:
            for name in (*UNCERTAINTY_PICTURES, *EARLIER_PICTURES):  # they show the weights of the smaller study
                (self.path / name).unlink(missing_ok=True)

    def write_networks(self, result: StudyResult) -> None:
        """Write a saved run for each trial that was trained now. Files of earlier trials stay.

        Args:
            result: Result of the study with its runs.

        Raises:
            UserError: A file cannot be written, for example because the disk is full.
        """
        networks = self.path / NETWORKS
        with writing(networks):
            networks.mkdir(exist_ok=True)
        for index, run in result.runs.items():
            write_bytes(networks / f"{folder_name(result.trials[index].name)}{END}", saved_bytes(run))

    def write_result(self, result: StudyResult) -> None:
        """Write summary.json with the present digests of all files. The study is finished then.

        Args:
            result: Result of the study.
        """
        write_json(self.path / "summary.json", sealed(result, self.path))
        (self.path / "wall.json").unlink(missing_ok=True)

    def write_events(self, result: StudyResult) -> None:
        """Write TensorBoard's events anew.

        Args:
            result: Result of the study with its histories.
        """
        shutil.rmtree(self.path / "tensorboard", ignore_errors=True)
        self._append_events(result)

    def _append_events(self, result: StudyResult) -> None:
        for trial, history in zip(result.trials, result.histories, strict=True):
            for record in history:
                self._write_events(trial, record)

    def _lines(self, result: StudyResult) -> Iterator[str]:
        for trial, history in zip(result.trials, result.histories, strict=True):
            yield from (self._line(trial.labels, record) for record in history)

    def _smaller_summary(self) -> Mapping[str, Any] | None:
        """Return the summary that the study had with fewer trials or fewer epochs, or None."""
        summary = content_of(self.path / "summary.json")
        if summary is None:
            return None
        stored = {name: summary[name] for name in IDENTITY if name in summary}
        return summary if relation(stored, self._identity) in (Relation.LONGER, Relation.GROWN) else None

    def _note_wall(self) -> None:
        write_json(self.path / "wall.json", {"seconds": self.wall_seconds})
        self._noted = time.perf_counter()

    def _line(self, labels: Mapping[str, Any], record: EpochRecord) -> str:
        return json.dumps({**labels, **figures_of(record), **self._marks}) + "\n"

    def _write_events(self, trial: Trial | TrialResult, record: EpochRecord) -> None:
        run = self.path / "tensorboard" / folder_name(trial.name)
        append_epoch(run, self._events, record, self._identity["config"], trial.labels)


def figures_of(record: EpochRecord) -> dict[str, Any]:
    """Return the figures of an epoch for JSON. Figures that are not finite become None.

    Args:
        record: Figures of one epoch.
    """
    figures = {name: null_if_not_finite(value) for name, value in record._asdict().items()}
    layers = record.diagnostics
    return figures if layers is None else {**figures, DIAGNOSTICS: layers.to_json()}
