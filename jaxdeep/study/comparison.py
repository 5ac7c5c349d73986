"""The comparison of finished studies as typed, frozen values: the content of comparison.json."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from jaxdeep.analysis.evidence import Answer, Remedy
from jaxdeep.config.values import cut
from jaxdeep.errors import UserError
from jaxdeep.study.result import LONGEST_TITLE, SCHEMA_VERSION, schema_of
from jaxdeep.study.trial_result import MeanFigure, means_from_json, means_to_json

BETTER: Final = "better"
WORSE: Final = "worse"
IDENTICAL: Final = "identical"
"""Verdict on a figure that is equal in every run, so that there is nothing to test."""
NOT_COMPARED: Final = "not compared"
"""Verdict on a figure that fewer than two trials of both studies have, because others diverged."""


@dataclass(frozen=True)
class FigureComparison:
    """The difference of one figure between two studies.

    Attributes:
        verdict: "better" or "worse" for the first study, "equivalent", "undecided", IDENTICAL or NOT_COMPARED.
        pairs: Number of trials that have this figure in both studies.
        difference: Mean of the first study minus mean of the second, or None if nothing is compared.
        low: Lower end of the difference's 95% interval by itself, or None if nothing is compared.
        high: Upper end of the difference's 95% interval by itself, or None if nothing is compared.
        p_value: Two-sided p-value of no difference by itself, or None if nothing is compared.
        answer: "different", "equivalent" or "undecided". None if there is nothing to test.
        low_corrected: Lower end of the interval that is corrected for the number of comparisons.
        high_corrected: Upper end of the interval that is corrected for the number of comparisons.
        p_corrected: p-value of no difference that is corrected for the number of comparisons (Bonferroni).
        p_equivalence: Corrected p-value of a difference at least as large as smallest_effect.
        comparisons: Number of compared pairs. Identical pairs do not count.
        smallest_effect: Smallest effect of interest in the unit of the figure.
        detectable: Smallest true difference that these trials and rows show with a probability of 80%.
        more: "seeds" or "rows", whichever would have to be more to show the smallest effect of interest, or None.
        rows: Number of rows over which accuracies are compared. None if trials alone are compared.
        chose_epoch: Whether the figure is of rows that chose an epoch, so that it is too good.
    """

    verdict: str
    pairs: int
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    answer: Answer | None = None
    low_corrected: float | None = None
    high_corrected: float | None = None
    p_corrected: float | None = None
    p_equivalence: float | None = None
    comparisons: int | None = None
    smallest_effect: float | None = None
    detectable: float | None = None
    more: Remedy | None = None
    rows: int | None = None
    chose_epoch: bool = False

    @property
    def is_compared(self) -> bool:
        """Return whether the figure is compared."""
        return self.verdict != NOT_COMPARED


@dataclass(frozen=True)
class Losses:
    """The trials of a study that diverged.

    Attributes:
        runs: Number of all trials.
        diverged: Number of trials that diverged.
        left_out: Number of trials that diverged before their first usable epoch.
    """

    runs: int
    diverged: int
    left_out: int


@dataclass(frozen=True)
class Pair:
    """Two studies and the differences of their figures.

    Attributes:
        one: Name of the first study.
        other: Name of the second study.
        folds: Number of folds of both studies, or None without cross-validation.
        differing: Both values of each differing field by dotted name.
        diverged: Numbers of diverged trials of each study by its name.
        figures: Comparison of each figure by name.
    """

    one: str
    other: str
    folds: int | None
    differing: Mapping[str, list[Any]]
    diverged: Mapping[str, Losses]
    figures: Mapping[str, FigureComparison]

    def __repr__(self) -> str:
        verdicts = ", ".join(f"{name} {figure.verdict}" for name, figure in self.figures.items())
        return f"Pair({cut(f'{self.one}, {self.other}', LONGEST_TITLE)}: {cut(verdicts, LONGEST_TITLE - 20)})"


@dataclass(frozen=True)
class Comparison:
    """Several studies on the same rows, each compared with every other study.

    Attributes:
        names: Names of the studies.
        data: Name, source, synthetic and digest of the data set.
        means: Mean of each figure, by the names of the study and of the figure.
        diverged: Numbers of diverged trials of each study by its name.
        pairs: Each study with every later study.
        schema_version: Version of the schema of comparison.json.
        metric: What the figures that are called accuracy are: "accuracy", or "R2" for regression.
    """

    names: tuple[str, ...]
    data: Mapping[str, Any]
    means: Mapping[str, Mapping[str, MeanFigure]]
    diverged: Mapping[str, Losses]
    pairs: tuple[Pair, ...]
    schema_version: int = SCHEMA_VERSION
    metric: str = "accuracy"

    def __repr__(self) -> str:
        title = cut(f"{', '.join(self.names)} on {self.data['name']}", LONGEST_TITLE)
        synthetic = ", synthetic" if self.data["synthetic"] else ""
        return f"Comparison({title}: {self.pairs_compared} of {len(self.pairs)} pairs compared{synthetic})"

    @property
    def pairs_compared(self) -> int:
        """Return the number of pairs in which at least one figure is compared."""
        return sum(any(figure.is_compared for figure in pair.figures.values()) for pair in self.pairs)

    def to_json(self) -> dict[str, Any]:
        """Return the content of comparison.json."""
        return {
            "names": list(self.names),
            "data": dict(self.data),
            "means": {name: means_to_json(means) for name, means in self.means.items()},
            "diverged": _plain(self.diverged),
            "pairs": [
                {
                    **{name: getattr(pair, name) for name in ("one", "other", "folds")},
                    "differing": dict(pair.differing),
                    "diverged": _plain(pair.diverged),
                    "figures": _plain(pair.figures),
                }
                for pair in self.pairs
            ],
            "schema_version": self.schema_version,
            "metric": self.metric,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Comparison":
        """Return the comparison in a comparison.json. Figures of version 0.1 have no answer and another verdict.

        Args:
            content: Content of the file as JSON values.

        Raises:
            UserError: The schema is a later one, or a value is missing or has another type.
        """
        version = schema_of(content)
        try:
            return cls(
                names=tuple(content["names"]),
                data=content["data"],
                means={name: means_from_json(means, 0) for name, means in content["means"].items()},
                diverged={name: Losses(**counts) for name, counts in content.get("diverged", {}).items()},
                pairs=tuple(map(_pair, content["pairs"])),
                schema_version=version,
                metric=content.get("metric", "accuracy"),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(f"it is no comparison of studies ({error})") from error


def _pair(content: Mapping[str, Any]) -> Pair:
    return Pair(
        content["one"],
        content["other"],
        content["folds"],
        content.get("differing", {}),
        {name: Losses(**counts) for name, counts in content.get("diverged", {}).items()},
        {name: _figure(values) for name, values in content["figures"].items()},
    )


def _figure(content: Mapping[str, Any]) -> FigureComparison:
    """Return the comparison of a figure without what version 0.1 wrote: p_holm and pairs_to_tell."""
    return FigureComparison(
        **{name: value for name, value in content.items() if name not in ("p_holm", "pairs_to_tell")}
    )


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return dataclasses as JSON values by name."""
    return {name: {field.name: getattr(value, field.name) for field in fields(value)} for name, value in values.items()}
