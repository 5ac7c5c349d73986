"""Trained arms in files, so that claims share them and a killed command trains only what is missing.

DIGEST.json    the study, its histories and the search of its learning rate
DIGEST.npz     the rows that each network classifies correctly
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from jaxdeep import Config, StudyResult
from jaxdeep.study.files import read_json, write_json
from jaxdeep.study.trial_result import Correct
from jaxdeep.study.tuning import Tuning
from jaxdeep.train.history import from_rows, to_rows


@dataclass(frozen=True)
class Arm:
    """A configuration at one learning rate, trained with fresh seeds.

    Attributes:
        name: Name of the arm in its claim.
        study: Study of the fresh seeds, with its histories and correctly classified rows.
        tuning: Search of the learning rate. None if the rate was given.
    """

    name: str
    study: StudyResult
    tuning: Tuning | None

    @property
    def rate(self) -> float:
        """Return the learning rate of the fresh seeds."""
        return float(self.study.config["optim"]["learning_rate"])

    @cached_property
    def config(self) -> Config:
        """Return the configuration of the fresh seeds."""
        return Config.from_dict(dict(self.study.config))


def kept(path: Path, name: str, train: Callable[[], tuple[StudyResult, Tuning | None]]) -> Arm:
    """Return the arm that is kept in a file, or train it and keep it.

    Args:
        path: Path of the JSON file.
        name: Name of the arm in its claim.
        train: Function that returns the study and the search of its learning rate.
    """
    if path.exists() and path.with_suffix(".npz").exists():
        return _read(path, name)
    study, tuning = train()
    arm = Arm(name, replace(study, name=name, runs={}), tuning)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, arm)
    return arm


def _write(path: Path, arm: Arm) -> None:
    """Write the rows first: the JSON file says that both are whole."""
    assert arm.study.correct is not None
    with path.with_suffix(".npz").open("wb") as file:
        np.savez_compressed(file, valid=arm.study.correct.valid, test=arm.study.correct.test)
    content = {
        "study": arm.study.to_json(),
        "histories": [to_rows(history) for history in arm.study.histories],
        "tuning": None if arm.tuning is None else arm.tuning.to_json(),
    }
    write_json(path, content)


def _read(path: Path, name: str) -> Arm:
    content = read_json(path)
    with np.load(path.with_suffix(".npz"), allow_pickle=False) as rows:
        correct = Correct(rows["valid"], rows["test"])
    histories = tuple(tuple(from_rows(history)) for history in content["histories"])
    study = replace(StudyResult.from_json(content["study"]), name=name, histories=histories, correct=correct)
    tuning = content["tuning"]
    return Arm(name, study, None if tuning is None else Tuning.from_json(tuning))
