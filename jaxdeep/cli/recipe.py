"""What an experiment offers: a configuration, what it is, and what the chapter reports of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jaxdeep.config import Config
from jaxdeep.study.reported import Reported, ReportedMC


@dataclass(frozen=True)
class Recipe:
    """A named configuration.

    Attributes:
        config: what is run.
        description: one line for `--list`.
        reported: the chapter's figures; empty where it has none.
        reported_mc: likewise, of MC dropout.
        expected: names of the findings of `jaxdeep.lint` that it shows on purpose. Nobody is warned of them.
    """

    config: Config
    description: str
    reported: tuple[Reported, ...] = ()
    reported_mc: tuple[ReportedMC, ...] = ()
    expected: tuple[str, ...] = ()


@dataclass(frozen=True)
class Experiment:
    """A set of configurations on the same data, and the command that trains them.

    Attributes:
        name: Its name in titles, and of its folder in runs/.
        dataset: Name of its images, or of the user's own rows.
        recipes: Its configurations by name.
        source: An `.npz` file of the user's own. None: the images that `dataset` names.
        program: Words that begin each of its commands.
    """

    name: str
    dataset: str
    recipes: Mapping[str, Recipe]
    source: Path | None = None
    program: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.program:
            object.__setattr__(self, "program", ("python", "-m", f"experiments.{self.name}"))
