"""The result of a study as one typed, frozen value, which every table, figure and page reads.

`StudyResult.to_json` is the content of summary.json. `from_json` reads that of this version and of version 0.1, whose
summaries have no `schema_version`. NaN is never written: None is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Final

from jaxdeep.errors import UserError
from jaxdeep.study.ranking import Standing, standing
from jaxdeep.study.trial_result import (
    Candidate,
    Correct,
    MeanFigure,
    TrialResult,
    as_list,
    means_from_json,
    means_to_json,
)
from jaxdeep.train.fit import Run
from jaxdeep.train.history import EpochRecord

SCHEMA_VERSION: Final = 1
"""Of summary.json and comparison.json. Version 0.1 wrote none, which counts as 0."""
MEANS: Final = (
    *("best_epoch", "epochs", "val_loss", "val_accuracy", "highest_val_accuracy", "test_loss", "test_accuracy"),
    "seconds",
)
"""The figures whose means over trials are taken."""
FIGURES: Final = ("val_loss", "val_accuracy", "test_loss", "test_accuracy")
"""The figures that are published and compared."""
DESIGN: Final = ("grid", "space", "samples", "folds", "halving")
"""What of a design its identity has only where it is given."""
IDENTITY: Final = ("experiment", "name", "config", "seeds", *DESIGN, "data")
"""What two studies must share to be the same."""
_TYPES: Final = {
    **dict.fromkeys(("experiment", "name", "device"), str),
    **dict.fromkeys(("config", "data", "versions"), Mapping),
    "parameters": int,
}
"""What every summary has, of which type."""


@dataclass(frozen=True)
class StudyResult:
    """A finished study.

    Attributes:
        experiment: name of the experiment, such as "cifar", or what the caller named.
        name: name of the configuration.
        config: the configuration as JSON values, by part and field.
        seeds: S seeds.
        data: name, source, synthetic and digest of the data set.
        trials: one entry for each seed, fold and choice of values.
        candidates: one entry for each choice of values, a single one where nothing is varied.
        parameters: number of weights, biases and moving statistics of a network.
        command: command that repeats the study, or None.
        device: number and kind of devices, such as "1 x cpu".
        versions: versions of Python and of the packages, by name.
        grid: values of each field that the study varies, by dotted name.
        space: range of each field that the study draws from, as text, by dotted name.
        samples: number of candidates that were drawn, or None.
        folds: number of folds of the cross-validation, or None.
        halving: "successive" or "hyperband" where a search dropped candidates, or None.
        reported: figures that the chapter's sources print.
        wall_seconds: time that all processes took, compilation included, or None where the note of it was lost.
        compile_seconds: time that compilation took.
        processor: name of the processor, such as "AMD EPYC". None in studies of version 0.1.
        commit: commit of the code, or None outside of a checkout.
        range_test: what the learning rate range test suggests, for studies that vary the rate.
        uncertainty: what the networks do not know, as JSON values, where it was asked.
        files: digests of the files beside summary.json, by name.
        schema_version: version of the schema by which this was written.
        histories: epochs of each trial, in the order of `trials`. Empty if they were not read.
        correct: which rows each trial classifies correctly. None if they were not read.
        runs: networks of the trials that were trained by the call that returned this, by the index of the trial.
    """

    experiment: str
    name: str
    config: Mapping[str, Any]
    seeds: tuple[int, ...]
    data: Mapping[str, Any]
    trials: tuple[TrialResult, ...]
    candidates: tuple[Candidate, ...]
    parameters: int
    command: str | None
    device: str
    versions: Mapping[str, str]
    grid: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    space: Mapping[str, str] = field(default_factory=dict)
    samples: int | None = None
    folds: int | None = None
    halving: str | None = None
    reported: tuple[Mapping[str, Any], ...] = ()
    wall_seconds: float | None = None
    compile_seconds: float = 0.0
    processor: str | None = None
    commit: str | None = None
    range_test: Mapping[str, Any] | None = None
    uncertainty: Mapping[str, Any] | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION
    histories: tuple[tuple[EpochRecord, ...], ...] = field(default=(), repr=False, compare=False)
    correct: Correct | None = field(default=None, repr=False, compare=False)
    runs: Mapping[int, Run] = field(default_factory=dict, repr=False, compare=False)

    def __repr__(self) -> str:
        return f"StudyResult({self.experiment} {self.name}: {len(self.trials)} trials, {self.diverged} diverged)"

    @property
    def varied(self) -> tuple[str, ...]:
        """Return the fields that the candidates differ in."""
        return (*self.grid, *self.space)

    @property
    def diverged(self) -> int:
        """Return the number of trials that diverged."""
        return sum(trial.diverged for trial in self.trials)

    @property
    def left_out(self) -> int:
        """Return the number of trials that diverged before they had an epoch to keep."""
        return sum(trial.is_left_out for trial in self.trials)

    @property
    def mean(self) -> Mapping[str, MeanFigure]:
        """Return the means of a study that varies nothing.

        Raises:
            UserError: it has several candidates, each with means of its own.
        """
        if len(self.candidates) != 1:
            raise UserError(f"the study has {len(self.candidates)} candidates. Take `.mean` of one of `.candidates`")
        return self.candidates[0].mean

    def trials_of(self, candidate: Candidate) -> list[TrialResult]:
        """Return the trials of one candidate.

        Args:
            candidate: one of `candidates`.
        """
        values = candidate.values
        return [trial for trial in self.trials if all(trial.values[name] == value for name, value in values.items())]

    @cached_property
    def best(self) -> Candidate | None:
        """The candidate that is ranked first (`standing`): the lowest mean val_loss of those that lost no trial.

        None where every candidate lost a trial.
        """
        places: list[Standing] = [
            standing([candidate.mean["val_loss"].mean], sum(trial.diverged for trial in self.trials_of(candidate)))
            for candidate in self.candidates
        ]
        first = min(range(len(places)), key=places.__getitem__, default=None)
        return self.candidates[first] if first is not None and places[first].may_be_best else None

    def identity(self) -> dict[str, Any]:
        """Return what two studies must share to be the same, as nested JSON values."""
        given = {name: as_list(getattr(self, name)) for name in DESIGN if getattr(self, name)}
        named = {"experiment": self.experiment, "name": self.name, "config": self.config}
        return {**named, "seeds": list(self.seeds), **given, "data": dict(self.data)}

    def to_json(self) -> dict[str, Any]:
        """Return the content of summary.json."""
        return {
            **self.identity(),
            "runs": [trial.to_json() for trial in self.trials],
            **(
                {"points": [candidate.to_json() for candidate in self.candidates]}
                if self.varied
                else {"mean": means_to_json(self.candidates[0].mean)}
            ),
            "diverged": self.diverged,
            "chapter": [dict(of) for of in self.reported],
            "parameters": self.parameters,
            "command": self.command,
            "wall_seconds": self.wall_seconds,
            "compile_seconds": self.compile_seconds,
            "device": self.device,
            "processor": self.processor,
            "commit": self.commit,
            "versions": dict(self.versions),
            "schema_version": self.schema_version,
            **({} if self.range_test is None else {"range_test": self.range_test}),
            **({} if self.uncertainty is None else {"uncertainty": self.uncertainty}),
            **({"files": dict(self.files)} if self.files else {}),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "StudyResult":
        """Return the study of a summary.json. What version 0.1 did not write is None, or is counted.

        Raises:
            UserError: it is of a later schema, or something is missing or has another type.
        """
        schema_of(content)
        try:
            return _from_json(content)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            what = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise UserError(f"it is no summary of a study ({what})") from error


def schema_of(content: Mapping[str, Any]) -> int:
    """Return the version of the schema by which a summary.json or a comparison.json was written.

    Args:
        content: content of the file.

    Raises:
        UserError: it is a later one than this version of jaxdeep knows.
    """
    version = content.get("schema_version", 0)
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise UserError(f"it has schema_version {version}. Read it with a later version of jaxdeep")
    return version


def _from_json(content: Mapping[str, Any]) -> StudyResult:
    trials = tuple(map(TrialResult.from_json, content["runs"]))
    points = content["points"] if "points" in content else [{"values": {}, "mean": content["mean"]}]
    candidates = []
    for point in points:
        values = point["values"]
        lost = sum(trial.diverged for trial in trials if all(trial.values[name] == values[name] for name in values))
        candidates.append(Candidate(values, means_from_json(point["mean"], lost), lost))
    known = {of.name for of in fields(StudyResult)} - {"trials", "candidates", "histories", "correct", "runs"}
    given = {name: value for name, value in content.items() if name in known}
    for name, kind in _TYPES.items():
        if not isinstance(given[name], kind):
            raise TypeError(f"{name} is {given[name]!r:.40}")
    if not {"name", "source", "synthetic", "digest"} <= given["data"].keys():
        raise TypeError("data is incomplete")
    return replace(
        StudyResult(**{"command": None, **given}, trials=trials, candidates=tuple(candidates)),
        seeds=tuple(content["seeds"]),
        reported=tuple(content["chapter"]),
        schema_version=content.get("schema_version", 0),
    )
