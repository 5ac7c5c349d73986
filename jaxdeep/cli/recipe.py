"""An experiment's configurations, with a description and the chapter's figures of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jaxdeep.cli.table_flags import TableFlags
from jaxdeep.config import Config
from jaxdeep.study.reported import Reported, ReportedMC


@dataclass(frozen=True)
class Recipe:
    """A named configuration.

    Attributes:
        config: Configuration to train.
        description: One line for `--list`.
        reported: Figures that the chapter's sources print for it. Empty if they print none.
        reported_mc: Figures of MC dropout that the chapter's sources print for it. Empty if they print none.
        source: Name of the configuration whose trained networks it starts from. None: it starts from new weights.
        expected: Names of findings of `jaxdeep.lint` that it shows on purpose. Nobody is warned of them.
    """

    config: Config
    description: str
    reported: tuple[Reported, ...] = ()
    reported_mc: tuple[ReportedMC, ...] = ()
    expected: tuple[str, ...] = ()
    source: str | None = None


@dataclass(frozen=True)
class Experiment:
    """A set of configurations on the same data, and the command that trains them.

    Attributes:
        name: Name of the experiment in titles, and of its folder in runs/.
        dataset: Name of its images, or of the user's own rows.
        recipes: Configurations of the experiment by name.
        source: User's own `.npz` file or table. None takes the images that `dataset` names.
        program: Words that begin each of its commands. Empty becomes ("python", "-m", "experiments.NAME").
        table: How a table becomes rows and labels. None if `source` is no table.
    """

    name: str
    dataset: str
    recipes: Mapping[str, Recipe]
    source: Path | None = None
    program: tuple[str, ...] = ()
    table: TableFlags | None = None

    def __post_init__(self) -> None:
        if not self.program:
            object.__setattr__(self, "program", ("python", "-m", f"experiments.{self.name}"))
