"""The settings of a study that is no grid, its points, which are stored as they are finished, and its record."""

import json
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from jaxdeep.analysis.statistics import Estimate, mean_over_runs
from jaxdeep.config import Config, Data, Train
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.sources import load_images
from jaxdeep.errors import UserError
from jaxdeep.study.files import read_json, write_json
from jaxdeep.study.runner import cores
from jaxdeep.study.summarise import commit
from jaxdeep.train.devices import describe_device, describe_processor

ROOT: Final = Path(__file__).parent.parent
RESULTS: Final = ROOT / "experiments" / "results"
POINTS: Final = "points.json"
QUICK_ROWS, QUICK_VALID_ROWS, QUICK_EPOCHS = 2_000, 1_000, 2
"""Training rows, validation rows and epochs of a quick study."""


@dataclass(frozen=True)
class Settings:
    """What determines the points of a study.

    Attributes:
        experiment: Name of the experiment, such as "compress".
        question: Question of the study, such as "sparse".
        dataset: Name of the image set.
        epochs: Number of epochs of each training.
        quick: Whether few rows and settings are used. Its figures are no results.
        source: Source of the images, as `load_images` takes it.
    """

    experiment: str
    question: str
    dataset: str
    epochs: int
    quick: bool
    source: str

    @property
    def name(self) -> str:
        """Return the name of the study's folder and files."""
        parts = (self.question, self.dataset, f"epochs={self.epochs}", *(["quick"] if self.quick else []))
        return ",".join((*parts, *(["synthetic"] if self.source == "synthetic" else [])))

    def config(self, base: Config) -> Config:
        """Return a configuration with the study's epochs and rows.

        Args:
            base: Configuration of a network.
        """
        rows = {"data.train_size": QUICK_ROWS, "data.valid_size": QUICK_VALID_ROWS} if self.quick else {}
        return base.updated({"train.epochs": self.epochs, **rows})

    def load(self, base: Config, data_dir: Path | None) -> Dataset:
        """Return the rows of the study.

        Args:
            base: Configuration whose scaling is used.
            data_dir: Folder of the classic files, or None.

        Raises:
            UserError: The images are not there.
        """
        return self.load_rows(self.config(base).data, data_dir)

    def load_rows(self, data: Data, data_dir: Path | None) -> Dataset:
        """Return the rows of a study that divides and scales them in one way.

        Args:
            data: Division and scaling of the rows.
            data_dir: Folder of the classic files, or None.

        Raises:
            UserError: The images are not there.
        """
        return Dataset.from_images(load_images(self.dataset, source=self.source, data_dir=data_dir), data)


class Points:
    """The finished points of a study in a JSON file, so that a killed command goes on where it was."""

    def __init__(self, folder: Path, settings: Settings, data: Dataset) -> None:
        """Read the points of an earlier call.

        Args:
            folder: Folder of the study, which is made if it is missing.
            settings: Settings of the study.
            data: Rows of the study.

        Raises:
            UserError: The folder holds points of other settings or other rows.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / POINTS
        self._identity = {"settings": asdict(settings), "data": data.identity()}
        stored = read_json(self._path) if self._path.exists() else {**self._identity, "points": {}}
        if any(stored.get(name) != value for name, value in self._identity.items()):
            raise UserError(f"{self._path} holds points of other settings or rows. Give another --workdir.")
        self._points: dict[str, dict[str, Any]] = stored["points"]

    @staticmethod
    def key(method: str, setting: Any, seed: int) -> str:
        """Return the name of a point."""
        return f"{method} {json.dumps(setting)} seed {seed}"

    def has(self, method: str, setting: Any, seed: int) -> bool:
        """Return whether a point is finished."""
        return self.key(method, setting, seed) in self._points

    def of(self, method: str, setting: Any, seeds: Sequence[int]) -> list[dict[str, Any]]:
        """Return the figures of a method's setting, one for each seed."""
        return [self._points[self.key(method, setting, seed)] for seed in seeds]

    def add(self, method: str, setting: Any, seed: int, figures: Mapping[str, Any]) -> None:
        """Store a finished point.

        Args:
            method: Name of the method.
            setting: Strength of the method, a JSON value.
            seed: Seed of the network.
            figures: Figures of the point as JSON values.
        """
        self._points[self.key(method, setting, seed)] = dict(figures)
        write_json(self._path, {**self._identity, "points": self._points})


def estimate(values: Sequence[float]) -> dict[str, Any]:
    """Return a mean with its 95% interval over seeds, as JSON values.

    Args:
        values: Figure of each seed.
    """
    found: Estimate = mean_over_runs(values)
    return found._asdict()


def stamp(settings: Settings, seeds: Sequence[int], data: Dataset, argv: Sequence[str]) -> dict[str, Any]:
    """Return what a record says of its origin, as JSON values.

    Args:
        settings: Settings of the study.
        seeds: Seeds of the runs.
        data: Rows of the study.
        argv: Words of the command behind its module.
    """
    return {
        **asdict(settings),
        "seeds": list(seeds),
        "data": data.identity(),
        "rows": {"train": data.train.size, "valid": data.valid.size, "test": data.test.size},
        **origin(shlex.join(("python", "-m", f"experiments.{settings.experiment}", *argv))),
    }


def origin(command: str) -> dict[str, Any]:
    """Return when, where and by what a record is made, as JSON values.

    Args:
        command: Command that repeats it.
    """
    changed = _git("status", "--porcelain", "--", ".", ":!experiments/results")
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "changed": None if changed is None else bool(changed),
        "command": command,
        "machine": {"processor": describe_processor(), "cores": cores(), "device": describe_device()},
        "matmul_precision": Train().matmul_precision,
        "versions": {"python": platform.python_version(), **{of: metadata.version(of) for of in ("jax", "jaxlib")}},
    }


def _git(*argv: str) -> str | None:
    """Return git's output, or None if it fails."""
    try:
        done = subprocess.run(("git", *argv), cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return None if done.returncode else done.stdout.strip()


def check_recordable(*, wanted: bool, quick: bool, source: str) -> None:
    """Refuse to record a study whose figures are no results.

    Args:
        wanted: Whether a record is asked for.
        quick: Whether the study is a quick one.
        source: Source of the images, as `load_images` takes it.

    Raises:
        UserError: The study is a quick one, or its images are synthetic.
    """
    if wanted and (quick or source == "synthetic"):
        raise UserError("--record is for full studies of real images. Leave it out, or --quick and --data synthetic.")


def copy_record(folder: Path, settings: Settings, data: Dataset, name: str) -> None:
    """Copy a finished study's record and figure into the repository.

    Args:
        folder: Folder of the study.
        settings: Settings of the study.
        data: Rows of the study.
        name: Name of the record.

    Raises:
        UserError: The images are synthetic.
    """
    if data.is_synthetic:
        raise UserError("the images are synthetic: their figures are no results. Give the real ones by --data-dir.")
    target = RESULTS / settings.experiment
    target.mkdir(parents=True, exist_ok=True)
    for file, ending in (("record.json", "json"), ("figure.png", "png"), ("figure.svg", "svg")):
        shutil.copyfile(folder / file, target / f"{name}.{ending}")


def exit_status(run: Callable[[], None]) -> int:
    """Run a study's command, and turn an error that the user can mend, or Ctrl-C, into a line on stderr.

    Args:
        run: Function that finishes the study.

    Returns:
        0, 2 for an error that the user can mend, or 130 after Ctrl-C.
    """
    try:
        run()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command continues", file=sys.stderr)
        return 130
    return 0
