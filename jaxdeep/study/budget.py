"""The budget that configurations are tuned with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jaxdeep.config.arguments import optional_whole
from jaxdeep.config.choices import check
from jaxdeep.config.values import whole
from jaxdeep.errors import UserError
from jaxdeep.study.design import seeds_from

SEEDS_APART: Final = 10_000
"""Distance of the first seed of a search from the first fresh seed. No more fresh seeds are allowed."""
FEWEST_RATES, MOST_RATES = 3, 30
"""Smallest and largest number of learning rates of a search. The smallest has a rate and both neighbours."""


@dataclass(frozen=True)
class Budget:
    """The budget that every configuration is tuned with.

    Attributes:
        rates: Number of learning rates of each configuration, 3 .. 30.
        seeds: Number of seeds of each rate, 1 or more. The range test has the same seeds.
        epochs: Largest number of epochs of a trial. None takes the configuration's own `train.epochs`. A larger number
            than these has no effect.
    """

    rates: int = 5
    seeds: int = 3
    epochs: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "rates", whole("rates", self.rates, FEWEST_RATES))
        object.__setattr__(self, "seeds", whole("seeds", self.seeds, 1))
        object.__setattr__(self, "epochs", optional_whole("epochs", self.epochs, 1))
        check("rates", self.rates, self.rates <= MOST_RATES, f"a whole number in {FEWEST_RATES} .. {MOST_RATES}")

    def epochs_of(self, epochs: int) -> int:
        """Return the largest number of epochs of a trial of the search.

        Args:
            epochs: The configuration's own `train.epochs`.
        """
        return epochs if self.epochs is None else min(epochs, self.epochs)

    def search_seeds(self, fresh: Sequence[int]) -> tuple[int, ...]:
        """Return the seeds of the search. They begin SEEDS_APART after the first fresh seed.

        Args:
            fresh: Seeds that the best rate is trained with.

        Raises:
            UserError: The seeds of the search would be fresh seeds too, or exceed the largest seed.
        """
        first = fresh[0] + SEEDS_APART
        try:
            seeds = seeds_from(first, self.seeds)
        except UserError as error:
            raise UserError(f"the seeds of the search begin at {first}: {error}") from error
        if both := sorted(set(seeds) & set(fresh)):
            raise UserError(
                f"seed {both[0]} is a fresh seed and one of the search, which begins {SEEDS_APART:,} seeds after the "
                f"first. Give {SEEDS_APART:,} fresh seeds at most."
            )
        return seeds
