"""The training of a question's cells, each run stored as it ends, so that a killed command continues."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from experiments.record import Points, Settings
from experiments.transfer.cells import Cell, Question
from jaxdeep import load
from jaxdeep.config import Config
from jaxdeep.data.dataset import Dataset
from jaxdeep.study.names import folder_name
from jaxdeep.study.runner import fit_all
from jaxdeep.study.trial import Trial
from jaxdeep.train.run import Run

QUICK_EPOCHS: Final = 3


@dataclass(frozen=True)
class Study:
    """A question with its rows.

    Attributes:
        question: Question with its cells.
        settings: Settings of the study.
        seeds: Seeds of the runs.
        data: All rows of the image set.
        points: Finished runs.
        folder: Folder of the study.
    """

    question: Question
    settings: Settings
    seeds: tuple[int, ...]
    data: Dataset
    points: Points
    folder: Path

    def config_of(self, config: Config) -> Config:
        """Return a configuration with the few epochs of a quick study if it is one.

        Args:
            config: Configuration of a cell or of its source.
        """
        if not self.settings.quick:
            return config
        changes: dict[str, Any] = {"train.epochs": QUICK_EPOCHS}
        if config.transfer.unfreeze_epoch:
            changes["transfer.unfreeze_epoch"] = 1
        return config.updated(changes)


def train_cells(study: Study) -> None:
    """Train all runs that are missing.

    A source is trained once for each seed, and kept in the study's folder.

    Args:
        study: Study to finish.
    """
    sources: dict[Config, list[Cell]] = {}
    for cell in study.question.cells:
        if cell.source is not None:
            sources.setdefault(study.config_of(cell.source), []).append(cell)
    _train(study, [cell for cell in study.question.cells if cell.source is None], {})
    _train_sources(study, [config for config, cells in sources.items() if _missing(study, cells)])
    for config, cells in sources.items():
        if _missing(study, cells):
            _train(study, cells, {seed: load(_path(study, config, seed)) for seed in study.seeds})


def _missing(study: Study, cells: Sequence[Cell]) -> list[tuple[Cell, int, int]]:
    """Return the runs of some cells that are not finished: cell, number of the draw, and seed."""
    return [
        (cell, draw, seed)
        for cell in cells
        for draw in range(study.question.draws)
        for seed in study.seeds
        if not study.points.has(cell.name, draw, seed)
    ]


def _path(study: Study, config: Config, seed: int) -> Path:
    """Return the path of a source's network."""
    classes = "".join(map(str, config.data.classes))
    return study.folder / "sources" / f"{folder_name(f'classes {classes}')}-seed_{seed}.npz"


def _train_sources(study: Study, configs: Sequence[Config]) -> None:
    """Train the sources that are missing, and store each as it ends."""
    wanted = [(config, seed) for config in configs for seed in study.seeds if not _path(study, config, seed).exists()]
    (study.folder / "sources").mkdir(exist_ok=True)

    def store(index: int, run: Run) -> None:
        config, seed = wanted[index]
        study.points.add("source", list(config.data.classes), seed, _figures(run))
        run.save(_path(study, config, seed))

    fit_all([Trial(config, seed) for config, seed in wanted], study.data, on_end=store)


def _train(study: Study, cells: Sequence[Cell], sources: dict[int, Run]) -> None:
    """Train the missing runs of cells with the same source."""
    wanted = _missing(study, cells)
    trials = []
    for cell, draw, seed in wanted:
        own = {"data.draw": study.question.draw_of(seed, draw)} if cell.config.data.is_drawn else {}
        trials.append(Trial(study.config_of(cell.config).updated(own), seed))

    def store(index: int, run: Run) -> None:
        cell, draw, seed = wanted[index]
        study.points.add(cell.name, draw, seed, _figures(run))

    if trials:
        fit_all(trials, study.data, on_end=store, source=lambda trial: sources.get(trial.seed))


def _figures(run: Run) -> dict[str, Any]:
    """Return the figures of a run. A diverged one without a best epoch has none."""
    if not run.best_epoch:
        return {"diverged": True}
    return {
        "test_accuracy": run.test_accuracy,
        "test_loss": run.test_loss,
        "val_accuracy": run.val_accuracy,
        "val_loss": run.val_loss,
        "best_epoch": run.best_epoch,
        "epochs": len(run.history),
        "wrong": int((~run.test_correct).sum()),
        "test_rows": len(run.test_correct),
        "seconds": run.seconds,
    }
