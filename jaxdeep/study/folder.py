"""The folder of a run: what it is, its figures by epoch, its summary.

    config.json  metrics.jsonl  summary.json  hits.npz  curves.png  (rates.png)  wall.json  tensorboard/
    checkpoints/  (profile/)

A folder belongs to one configuration, one list of seeds, one grid of values and one source of data. `metrics.jsonl` and
the TensorBoard events follow the history that a checkpoint holds: where a run is continued they are written anew from
it, so that nothing is lost, doubled or torn.

A finished run whose epochs are raised goes on from its checkpoints. Its summary stays until the longer run's is there.
"""

import json
import os
import shutil
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, TextIO

from jaxdeep.config import shortened
from jaxdeep.config.extension import check_continues, is_extension
from jaxdeep.errors import JaxdeepWarning, UserError
from jaxdeep.locks import alone_in
from jaxdeep.study.events import append_events
from jaxdeep.study.files import PART, key_of, read_json, write_hits, write_json, write_text, writing
from jaxdeep.study.finished import UNCERTAINTY_PICTURES, Finished, histories_of, read_finished, sealed
from jaxdeep.study.trial import Trial
from jaxdeep.train.fit import Run
from jaxdeep.train.history import EpochRecord, null_if_not_finite

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
        self._events = f"events.out.tfevents.{int(time.time())}.jaxdeep"
        self._began = self._noted = time.perf_counter()
        try:
            path.mkdir(parents=True, exist_ok=True)
            with ExitStack() as stack:
                stack.enter_context(alone_in(path))
                self._claim(identity, overwrite=overwrite)
                self._closing = stack.pop_all()
        except OSError as error:
            raise UserError(f"{path}: cannot be used as a run folder ({_reason(path, error)})") from error

    def _claim(self, identity: Mapping[str, Any], *, overwrite: bool) -> None:
        config, parts = self.path / "config.json", {name + PART for name in FILES}
        is_new = all(entry.name in parts for entry in self.path.iterdir())
        if not is_new:
            there = None if overwrite and config.exists() else self._identity_there()
            if overwrite:
                _remove_run(self.path)
            elif there is not None:
                check_continues(str(self.path), there, identity)
        for name in parts:  # what a kill left behind as it was being written
            (self.path / name).unlink(missing_ok=True)
        if _content(config) != identity:
            write_json(config, identity)
        self._seconds_before = self._wall_before()

    def _identity_there(self) -> Mapping[str, Any]:
        """What the folder says that it is: by config.json, and where that is lost by the summary."""
        config = self.path / "config.json"
        found = _content(config)
        if found is not None and {"config", "data"} <= found.keys():
            return found
        summary = _content(self.path / "summary.json")
        if summary is not None and all(name in summary for name in self._identity):
            return {name: summary[name] for name in self._identity}
        mend = "give the same command another --workdir, stop it, and copy its config.json to here"
        if config.exists():
            raise UserError(
                f"{self.path}: cannot be used as a run folder (config.json is damaged). To go on, {mend}. "
                "--overwrite starts the run anew"
            )
        raise UserError(
            f"{self.path} is not empty and holds no config.json: not a run folder. Choose another folder. "
            f"If it is one, {mend}"
        )

    def _wall_before(self) -> float | None:
        """Seconds that earlier processes had the folder open, or None where that is lost."""
        wall = self.path / "wall.json"
        if not wall.exists() and (shorter := self._shorter_summary()) is not None:
            return shorter.get("wall_seconds")
        if not wall.exists():
            return None if (self.path / "metrics.jsonl").exists() else 0.0
        seconds = (_content(wall) or {}).get("seconds")
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
                if self.summary() is None:
                    self._note_wall()

    @property
    def wall_seconds(self) -> float | None:
        """That all processes have had the folder open: of the study, compilation included, loading images not.

        None where the note of it was lost.
        """
        return None if self._seconds_before is None else self._seconds_before + time.perf_counter() - self._began

    def summary(self) -> dict[str, Any] | None:
        """Return the summary of a finished run; None where it is not finished, or was when it had fewer epochs."""
        path = self.path / "summary.json"
        found = read_json(path) if path.exists() else None
        return None if found is None or self._is_shorter(found) else found

    def finished(self, trials: Sequence[Trial]) -> Finished | None:
        """Read what the finished run left, and check it; None where it is not finished.

        Args:
            trials: All runs of the study, in their order.
        """
        return read_finished(self.path, self._identity, trials)

    def checkpoints(self, trial: Trial) -> Path:
        """Where the checkpoints of a trial are kept."""
        return self.path / "checkpoints" / shortened(trial.name)

    def saved_epoch(self, trial: Trial) -> int | None:
        """Find the epoch of a trial's last checkpoint on disk. None: nothing is saved.

        Args:
            trial: A run of the study.
        """
        folder = self.checkpoints(trial)
        steps = [int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal()] if folder.is_dir() else []
        return max(steps, default=None)

    @property
    def profile(self) -> Path:
        """Where a trace is kept, if one is asked for."""
        return self.path / "profile"

    def follow(self, trial: Trial, history: Sequence[EpochRecord]) -> None:
        """Bring the files up to a trial's history; the first call of a process begins them anew.

        Args:
            trial: of the study.
            history: all its epochs so far; only grows.

        Raises:
            UserError: the system refuses, as when the disk is full.
        """
        metrics = self.path / "metrics.jsonl"
        with writing(metrics):
            if self._metrics is None:
                self._note_wall()
                shutil.rmtree(self.path / "tensorboard", ignore_errors=True)
                self._metrics = metrics.open("w")
            known = self.histories.setdefault(trial.name, [])
            for record in history[len(known) :]:
                known.append(record)
                self._metrics.write(self._line(trial, record))
                self._write_events(trial, record)
            self._metrics.flush()
        if time.perf_counter() - self._noted > SECONDS_BETWEEN_NOTES:
            self._note_wall()

    def write_summary(self, summary: Mapping[str, Any], trials: Sequence[Trial], runs: Sequence[Run]) -> None:
        """Finish the run: metrics.jsonl in the order of the trials, hits.npz, curves.png, and summary.json.

        Args:
            summary: its content.
            trials: of the study.
            runs: theirs.
        """
        histories = [(trial, self.histories[trial.name]) for trial in trials]
        lines = (self._line(trial, record) for trial, history in histories for record in history)
        write_text(self.path / "metrics.jsonl", "".join(lines))
        write_hits(self.path / "hits.npz", runs)
        if self._shorter_summary() is not None:
            for name in UNCERTAINTY_PICTURES:  # of other weights than these
                (self.path / name).unlink(missing_ok=True)
        self._draw(summary, trials)
        self.rewrite_summary(summary)
        (self.path / "wall.json").unlink(missing_ok=True)

    def rewrite_summary(self, summary: Mapping[str, Any]) -> None:
        """Add to the summary of a finished run.

        Args:
            summary: its content, and more.
        """
        write_json(self.path / "summary.json", sealed(summary, self.path))

    def redraw(self, summary: Mapping[str, Any], trials: Sequence[Trial]) -> None:
        """Write the pictures and TensorBoard's events of a finished run anew, from its metrics.jsonl.

        Args:
            summary: The content of summary.json.
            trials: All runs of the study, in their order.
        """
        self.histories = histories_of(self.path / "metrics.jsonl", trials)
        shutil.rmtree(self.path / "tensorboard", ignore_errors=True)
        for trial in trials:
            for record in self.histories[trial.name]:
                self._write_events(trial, record)
        self._draw(summary, trials)
        self.rewrite_summary(summary)

    def _draw(self, summary: Mapping[str, Any], trials: Sequence[Trial]) -> None:
        from jaxdeep.report.figures import learning_curves, rate_curves

        title = f"{summary['experiment']} {summary['name']} on {summary['data']['name']}"
        groups: dict[str, dict[int | str, Sequence[EpochRecord]]] = {}
        for trial in trials:
            groups.setdefault(trial.group, {})[key_of(trial.labels)] = self.histories[trial.name]
        learning_curves(self.path / "curves.png", groups, title)
        if "range_test" in summary:
            rate_curves(self.path / "rates.png", summary, title)

    def _shorter_summary(self) -> Mapping[str, Any] | None:
        """The summary that the run had when it was shorter."""
        found = _content(self.path / "summary.json")
        return found if found is not None and self._is_shorter(found) else None

    def _is_shorter(self, summary: Mapping[str, Any]) -> bool:
        return is_extension({name: summary.get(name) for name in self._identity}, self._identity)

    def _note_wall(self) -> None:
        write_json(self.path / "wall.json", {"seconds": self.wall_seconds})
        self._noted = time.perf_counter()

    def _line(self, trial: Trial, record: EpochRecord) -> str:
        return json.dumps({**trial.labels, **finite(record), **self._marks}) + "\n"

    def _write_events(self, trial: Trial, record: EpochRecord) -> None:
        figures = finite(record)
        epoch = figures.pop("epoch")
        path = self.path / "tensorboard" / shortened(trial.name) / self._events
        append_events(path, epoch, {name: value for name, value in figures.items() if value is not None})


def _remove_run(path: Path) -> None:
    """Remove what a run writes, and nothing else that a user may keep there."""
    for name in FILES:
        entry = path / name
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink(missing_ok=True)


def _content(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file, or None where it cannot be read."""
    try:
        return read_json(path)
    except UserError:
        return None


def _reason(path: Path, error: OSError) -> str:
    """Why a folder cannot be made or opened."""
    if os.path.islink(path) and not os.path.exists(path):
        return "a link to what is not there"
    return "a file, not a folder" if os.path.isfile(path) else error.strerror or str(error)


def finite(record: EpochRecord) -> dict[str, Any]:
    """An epoch's figures for JSON: None where one is not finite."""
    return {name: null_if_not_finite(value) for name, value in record._asdict().items()}
