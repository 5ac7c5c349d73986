"""The tuning of configurations as a typed, frozen value: the content of tune.json.

Each configuration is searched with the same budget. Its best learning rate then trains fresh seeds.
"""

import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from jaxdeep.config.values import cut
from jaxdeep.errors import UserError
from jaxdeep.study.budget import Budget
from jaxdeep.study.result import LONGEST_TITLE, SCHEMA_VERSION, schema_of
from jaxdeep.study.trial_result import as_list
from jaxdeep.study.tuned import Regret, Tuned, known_fields


@dataclass(frozen=True)
class Tuning:
    """The tuning of one or more configurations on the same rows.

    Attributes:
        experiment: Name of the experiment.
        data: Name, source, synthetic and digest of the data set.
        budget: Budget that every configuration was tuned with.
        search_seeds: Seeds of the range test and of the search.
        fresh_seeds: Seeds that each best rate is trained with.
        configurations: Search of each configuration.
        command: Command that repeats the tuning, or None.
        processor: Name of the processor, or None.
        commit: Commit of the code, or None outside of a checkout.
        versions: Versions of Python and of the packages by name.
        schema_version: Version of the schema of tune.json.
    """

    experiment: str
    data: Mapping[str, Any]
    budget: Budget
    search_seeds: tuple[int, ...]
    fresh_seeds: tuple[int, ...]
    configurations: tuple[Tuned, ...]
    command: str | None = None
    processor: str | None = None
    commit: str | None = None
    versions: Mapping[str, str] | None = None
    schema_version: int = SCHEMA_VERSION

    def __repr__(self) -> str:
        rates = ", ".join(f"{tuned.name} {tuned.best_rate:g}" for tuned in self.configurations)
        synthetic = ", synthetic" if self.data["synthetic"] else ""
        return f"Tuning({cut(f'{self.experiment}: {rates}', LONGEST_TITLE)}{synthetic})"

    @property
    def best_rates(self) -> dict[str, float]:
        """Return the best learning rate of each configuration by its name."""
        return {tuned.name: tuned.best_rate for tuned in self.configurations}

    @property
    def wall_seconds(self) -> float | None:
        """Return the seconds of all searches, or None if a record was lost."""
        seconds = [tuned.wall_seconds for tuned in self.configurations]
        return None if None in seconds else sum(of for of in seconds if of is not None)

    def regret(self, name: str, other: str) -> Regret | None:
        """Return what one configuration loses at the best rate of another.

        Args:
            name: Name of the configuration that loses.
            other: Name of the configuration whose best rate is tried.

        Returns:
            The regret. None if their optimizers or the kinds of their schedules differ, whose rates mean other things.
        """
        by_name = {tuned.name: tuned for tuned in self.configurations}
        one, another = by_name[name], by_name[other]
        return one.regret(other, another.best_rate) if share_rates(one.config, another.config) else None

    @property
    def regrets(self) -> tuple[Regret, ...]:
        """Return the regret of each ordered pair of configurations that has one."""
        names = [tuned.name for tuned in self.configurations]
        pairs = (self.regret(*pair) for pair in itertools.permutations(names, 2))
        return tuple(regret for regret in pairs if regret is not None)

    def to_json(self) -> dict[str, Any]:
        """Return the content of tune.json."""
        return {
            **{entry.name: as_list(getattr(self, entry.name)) for entry in fields(self)},
            "budget": {**asdict(self.budget), "finder_seeds": len(self.search_seeds)},
            "configurations": [tuned.to_json() for tuned in self.configurations],
            "regrets": [regret.to_json() for regret in self.regrets],
            "wall_seconds": self.wall_seconds,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Tuning":
        """Return the tuning in a tune.json.

        Args:
            content: Content of the file as JSON values.

        Raises:
            UserError: The schema is a later one, or a value is missing or has another type.
        """
        schema_of(content)
        try:
            given = known_fields(cls, content)
            budget = Budget(**known_fields(Budget, content["budget"]))
            configurations = tuple(map(Tuned.from_json, content["configurations"]))
            return cls(**{**given, "budget": budget, "configurations": configurations})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise UserError(f"it is no tuning of configurations ({reason})") from error


def share_rates(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether a learning rate means the same to two configurations: same optimizer and same kind of schedule.

    Args:
        one: First configuration as JSON values, by part and field.
        other: Second configuration as JSON values, by part and field.
    """
    return all(one[part][name] == other[part][name] for part, name in (("optim", "optimizer"), ("schedule", "kind")))
