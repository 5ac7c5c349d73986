"""The comparison of finished studies as typed, frozen values: the content of comparison.json."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

from jaxdeep.errors import UserError
from jaxdeep.study.result import SCHEMA_VERSION, schema_of
from jaxdeep.study.trial_result import MeanFigure, means_from_json, means_to_json

INDISTINCT: Final = "not distinguishable"
NOT_COMPARED: Final = "not compared"
"""The verdict on a figure that fewer than two runs of both configurations have, because others diverged."""
Answer = Literal["different", "equivalent", "undecided"]


@dataclass(frozen=True)
class FigureComparison:
    """How far one figure of two studies lies apart.

    Attributes:
        verdict: "better", "worse" or INDISTINCT for the first study, or NOT_COMPARED.
        pairs: number of trials that both studies have with this figure.
        difference: mean of the first study minus that of the other one, or None where nothing is compared.
        low: lower end of the difference's 95% interval, or None.
        high: upper end of that interval, or None.
        p_value: two-sided p-value of no difference, or None.
        p_holm: the same after Holm's correction for all pairs that are compared, or None.
        pairs_to_tell: number of trials that would show a difference of this size, or None.
        answer: "different", "equivalent" or "undecided". None until a rule has judged it.
    """

    verdict: str
    pairs: int
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    p_holm: float | None = None
    pairs_to_tell: int | None = None
    answer: Answer | None = None

    @property
    def is_compared(self) -> bool:
        """Whether there is a difference at all."""
        return self.verdict != NOT_COMPARED


@dataclass(frozen=True)
class Losses:
    """The trials of a study that diverged.

    Attributes:
        runs: number of all trials.
        diverged: number of those that diverged.
        left_out: number of those that diverged before they had an epoch to keep.
    """

    runs: int
    diverged: int
    left_out: int


@dataclass(frozen=True)
class Pair:
    """Two studies, and how far their figures lie apart.

    Attributes:
        one: name of the first study.
        other: name of the other study.
        folds: number of folds of both, or None without cross-validation.
        differing: both values of each field in which their configurations differ, by dotted name.
        diverged: which trials each study lost, by its name.
        figures: the comparison of each figure, by name.
    """

    one: str
    other: str
    folds: int | None
    differing: Mapping[str, list[Any]]
    diverged: Mapping[str, Losses]
    figures: Mapping[str, FigureComparison]


@dataclass(frozen=True)
class Comparison:
    """Several studies of the same rows, each against every other one.

    Attributes:
        names: names of the studies.
        data: name, source, synthetic and digest of the data set.
        means: mean of each figure, by the name of the study and of the figure.
        diverged: which trials each study lost, by its name.
        pairs: every study against every later one.
        schema_version: version of the schema by which this was written.
    """

    names: tuple[str, ...]
    data: Mapping[str, Any]
    means: Mapping[str, Mapping[str, MeanFigure]]
    diverged: Mapping[str, Losses]
    pairs: tuple[Pair, ...]
    schema_version: int = SCHEMA_VERSION

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
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Comparison":
        """Return the comparison of a comparison.json. Figures of version 0.1 have no answer.

        Raises:
            UserError: it is of a later schema, or something is missing or has another type.
        """
        version = schema_of(content)
        try:
            return cls(
                names=tuple(content["names"]),
                data=content["data"],
                means={name: means_from_json(means, 0) for name, means in content["means"].items()},
                diverged={name: Losses(**of) for name, of in content.get("diverged", {}).items()},
                pairs=tuple(map(_pair, content["pairs"])),
                schema_version=version,
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(f"it is no comparison of studies ({error})") from error


def _pair(content: Mapping[str, Any]) -> Pair:
    return Pair(
        content["one"],
        content["other"],
        content["folds"],
        content.get("differing", {}),
        {name: Losses(**of) for name, of in content.get("diverged", {}).items()},
        {name: FigureComparison(**of) for name, of in content["figures"].items()},
    )


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Dataclasses as JSON values, by name."""
    return {name: {of.name: getattr(value, of.name) for of in fields(value)} for name, value in values.items()}
