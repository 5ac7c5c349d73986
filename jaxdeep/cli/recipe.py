"""What an experiment offers: a configuration, what it is, and what the chapter reports of it."""

from collections.abc import Mapping
from dataclasses import dataclass

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
    """A set of configurations on the same images.

    Attributes:
        name: as in `python -m experiments.NAME`.
        dataset: the name of its images.
        recipes: its configurations by name.
    """

    name: str
    dataset: str
    recipes: Mapping[str, Recipe]
