"""The result of a study as one typed, frozen value. Every table, figure and page reads it.

`StudyResult.to_json` returns the content of summary.json. `from_json` also reads summaries of version 0.1, which have
no `schema_version`. Files hold None in place of NaN.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Final

from jaxdeep.config.model import REGRESSION_HEADS
from jaxdeep.config.values import cut
from jaxdeep.errors import UserError
from jaxdeep.study.by_class import means_by_class
from jaxdeep.study.ranking import Standing, standing
from jaxdeep.study.trial_result import (
    TEST_METRICS,
    Candidate,
    Correct,
    MeanFigure,
    TrialResult,
    as_list,
    as_tuple,
    figure_text,
    means_from_json,
    means_to_json,
)
from jaxdeep.train.fit import Run
from jaxdeep.train.history import EpochRecord

SCHEMA_VERSION: Final = 1
"""Version of the schema of summary.json and comparison.json. Version 0.1 wrote none, which counts as 0."""
MEANS: Final = (
    *("best_epoch", "epochs", "val_loss", "val_accuracy", "highest_val_accuracy", "accuracy_regret"),
    *("lowest_val_loss", "loss_regret", "train_loss", "train_accuracy", "test_loss", "test_accuracy", "seconds"),
    *TEST_METRICS,
)
"""Figures whose means over trials are taken."""
FIGURES: Final = ("val_loss", "val_accuracy", "test_loss", "test_accuracy")
"""Figures that are published and compared."""
DESIGN: Final = ("grid", "space", "samples", "folds", "halving", "source")
"""Parts of a study that its identity holds only if they are given."""
IDENTITY: Final = ("experiment", "name", "config", "seeds", *DESIGN, "data")
"""Parts that two studies must share to be the same."""
LONGEST_TITLE: Final = 150
"""Characters of its names that a result shows of itself."""
_TYPES: Final = {
    **dict.fromkeys(("experiment", "name", "device"), str),
    **dict.fromkeys(("config", "data", "versions"), Mapping),
    "parameters": int,
}
"""Type of each value that every summary holds."""


@dataclass(frozen=True)
class StudyResult:
    """A finished study.

    Attributes:
        experiment: Name of the experiment, such as "cifar", or a name that the caller gave.
        name: Name of the configuration.
        config: Configuration as JSON values, by part and field.
        seeds: S seeds in 0 .. 2^32 - 1.
        data: Name, source, synthetic and digest of the data set.
        trials: Figures of each trial, a trial for each candidate, seed and fold.
        candidates: Means of each candidate. There is one candidate if nothing is varied.
        parameters: Number of weights, biases and moving statistics of a network.
        command: Command that repeats the study, or None.
        device: Number and kind of devices, such as "1 x cpu".
        versions: Versions of Python and of the packages by name.
        grid: Values of each field that the study varies, by dotted name.
        space: Range of each field that the study draws from as text, by dotted name.
        samples: Number of candidates that were drawn, or None.
        folds: Number of folds of the cross-validation, or None.
        halving: "successive" or "hyperband" if a search dropped candidates, or None.
        source: Digest of the networks that the trials start from, or None.
        overlap: Validation rows over training rows of a trial if trials draw them from the same rows, in folds or by
            `data.resample`. 0 if all trials have the same rows, and in studies of version 0.1.
        reported: Figures that the chapter's sources print of the named configuration.
        changed: JSON value of each field that differs from the named configuration, by dotted name. None if it is not
            known, as in studies of version 0.1 and of a configuration without a recipe.
        wall_seconds: Seconds that all processes took, with compilation. None if the record was lost.
        compile_seconds: Seconds that compilation took, added up over programs that were compiled side by side.
        processor: Name of the processor, such as "AMD EPYC". None in studies of version 0.1.
        commit: Commit of the code, or None outside of a checkout.
        range_test: Rates that the learning rate range test suggests, if the study varies the rate.
        uncertainty: Figures of the predictive uncertainty as JSON values, if they were requested.
        class_names: Names of the C classes. None for more than 30 classes and in earlier studies.
        files: Digests of the files beside summary.json by name.
        schema_version: Version of the schema of summary.json.
        histories: Epochs of each trial, in the order of `trials`. Empty if they were not read.
        correct: Correctly classified rows of each trial. None if they were not read.
        runs: Networks that the call which returned this result has trained, by the index of the trial.
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
    source: str | None = None
    overlap: float = 0.0
    reported: tuple[Mapping[str, Any], ...] = ()
    changed: Mapping[str, Any] | None = None
    wall_seconds: float | None = None
    compile_seconds: float = 0.0
    processor: str | None = None
    commit: str | None = None
    range_test: Mapping[str, Any] | None = None
    uncertainty: Mapping[str, Any] | None = None
    class_names: tuple[str, ...] | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION
    histories: tuple[tuple[EpochRecord, ...], ...] = field(default=(), repr=False, compare=False)
    correct: Correct | None = field(default=None, repr=False, compare=False)
    runs: Mapping[int, Run] = field(default_factory=dict, repr=False, compare=False)

    @property
    def metric(self) -> str:
        """Return what the figures that are called accuracy are: "accuracy", or "R2" for regression."""
        return "R2" if self.config.get("model", {}).get("head") in REGRESSION_HEADS else "accuracy"

    def __repr__(self) -> str:
        title, best = cut(f"{self.experiment} {self.name}", LONGEST_TITLE), self.best
        counts = [_counted(len(self.trials), "trial")]
        counts += [_counted(len(self.candidates), "candidate")] if self.varied else []
        name = "best mean test_accuracy" if self.varied else "mean test_accuracy"
        counts += [] if best is None else [figure_text(name, best.mean["test_accuracy"].mean)]
        counts += [f"{self.diverged} diverged"] if self.diverged else []
        return f"StudyResult({title}: {', '.join(counts + (['synthetic'] if self.data['synthetic'] else []))})"

    @property
    def varied(self) -> tuple[str, ...]:
        """Return the dotted names of the fields in which the candidates differ."""
        return (*self.grid, *self.space)

    @property
    def diverged(self) -> int:
        """Return the number of trials that diverged."""
        return sum(trial.diverged for trial in self.trials)

    @property
    def left_out(self) -> int:
        """Return the number of trials that diverged before their first usable epoch."""
        return sum(trial.is_left_out for trial in self.trials)

    @property
    def mean(self) -> Mapping[str, MeanFigure]:
        """Return the means of a study that varies nothing, by figure.

        Raises:
            UserError: The study has several candidates, each with means of its own.
        """
        if len(self.candidates) != 1:
            raise UserError(f"the study has {len(self.candidates)} candidates. Take `.mean` of one of `.candidates`.")
        return self.candidates[0].mean

    @property
    def by_class(self) -> dict[str, Any] | None:
        """Return what `means_by_class` does. None if several candidates have means of their own."""
        return None if self.varied else means_by_class(self.trials, self.overlap)

    @property
    def matmul_precision(self) -> str | None:
        """Return the precision of the matrix products. None if the study varies it, and in studies of version 0.1."""
        field = "train.matmul_precision"
        return None if field in self.varied else self.config.get("train", {}).get("matmul_precision")

    def trials_of(self, candidate: Candidate) -> list[TrialResult]:
        """Return the trials of one candidate.

        Args:
            candidate: An entry of `candidates`.
        """
        values = candidate.values
        return [trial for trial in self.trials if all(trial.values[name] == value for name, value in values.items())]

    @cached_property
    def best(self) -> Candidate | None:
        """Return the candidate that `standing` ranks first, or None if every candidate has diverged trials.

        It has the lowest mean val_loss of all candidates without a diverged trial. With train.monitor="val_accuracy" it
        has the highest mean val_accuracy.
        """
        by_accuracy = self.config.get("train", {}).get("monitor") == "val_accuracy"
        places: list[Standing] = [
            standing(
                [_rank(candidate, by_accuracy=by_accuracy)], sum(trial.diverged for trial in self.trials_of(candidate))
            )
            for candidate in self.candidates
        ]
        first = min(range(len(places)), key=places.__getitem__, default=None)
        return self.candidates[first] if first is not None and places[first].may_be_best else None

    def identity(self) -> dict[str, Any]:
        """Return the values that two studies must share to be the same, as nested JSON values."""
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
            **({} if (by_class := self.by_class) is None else {"by_class": by_class}),
            **({} if self.class_names is None else {"class_names": list(self.class_names)}),
            **({"overlap": self.overlap} if self.overlap else {}),
            "diverged": self.diverged,
            "chapter": [dict(figures) for figures in self.reported],
            **({} if self.changed is None else {"changed": dict(self.changed)}),
            "parameters": self.parameters,
            "command": self.command,
            "wall_seconds": self.wall_seconds,
            "compile_seconds": self.compile_seconds,
            "device": self.device,
            "processor": self.processor,
            **({} if self.matmul_precision is None else {"matmul_precision": self.matmul_precision}),
            "commit": self.commit,
            "versions": dict(self.versions),
            "schema_version": self.schema_version,
            **({} if self.range_test is None else {"range_test": self.range_test}),
            **({} if self.uncertainty is None else {"uncertainty": self.uncertainty}),
            **({"files": dict(self.files)} if self.files else {}),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "StudyResult":
        """Return the study in a summary.json. Values that version 0.1 did not write are None or are counted.

        Args:
            content: Content of the file as JSON values.

        Raises:
            UserError: The schema is a later one, or a value is missing or has another type.
        """
        schema_of(content)
        try:
            return _from_json(content)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise UserError(f"it is no summary of a study ({reason})") from error


def _rank(candidate: Candidate, *, by_accuracy: bool) -> float | None:
    """Return the mean by which a candidate is chosen. Lower is better."""
    mean = candidate.mean["val_accuracy" if by_accuracy else "val_loss"].mean
    return -mean if by_accuracy and mean is not None else mean


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def schema_of(content: Mapping[str, Any]) -> int:
    """Return the version of the schema of a summary.json or a comparison.json.

    Args:
        content: Content of the file as JSON values.

    Returns:
        The version, or 0 if the file has none.

    Raises:
        UserError: The version is later than this version of jaxdeep supports.
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
    names = {entry.name for entry in fields(StudyResult)}
    known = names - {"trials", "candidates", "histories", "correct", "runs"}
    given = {name: value for name, value in content.items() if name in known}
    for name, kind in _TYPES.items():
        if not isinstance(given[name], kind):
            raise TypeError(f"{name} is {given[name]!r:.40}")
    if not {"name", "source", "synthetic", "digest"} <= given["data"].keys():
        raise TypeError("data is incomplete")
    return replace(
        StudyResult(**{"command": None, **given}, trials=trials, candidates=tuple(candidates)),
        seeds=tuple(content["seeds"]),
        class_names=as_tuple(content.get("class_names")),
        reported=tuple(content["chapter"]),
        schema_version=content.get("schema_version", 0),
    )
