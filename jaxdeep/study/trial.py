"""One run of a study, and what tells it from the others."""

from dataclasses import dataclass, field
from typing import Any

from jaxdeep.config import Config, short
from jaxdeep.config.choices import check
from jaxdeep.config.config import checked_values, plain
from jaxdeep.config.seeds import plain_seed
from jaxdeep.config.values import scalar


@dataclass(frozen=True)
class Trial:
    """One run of a study.

    Attributes:
        config: what is run.
        seed: with which seed, in 0 .. 2^32 - 1.
        values: what of the configuration the study varies: field, such as optim.learning_rate, -> its value there.
        fold: which of the study's folds it is run on, from 0; None: there are no folds.

    Raises:
        UserError: no configuration, a seed or a fold out of its range, or values that the configuration does not have.
    """

    config: Config
    seed: int
    values: dict[str, Any] = field(default_factory=dict, hash=False)
    fold: int | None = None

    def __post_init__(self) -> None:
        check("config", self.config, isinstance(self.config, Config), "a Config")
        object.__setattr__(self, "seed", plain_seed(self.seed))
        object.__setattr__(self, "values", checked_values(self.config, self.values))
        fold = scalar(self.fold)
        is_index = isinstance(fold, int) and not isinstance(fold, bool) and fold >= 0
        check("fold", self.fold, fold is None or is_index, "0 or more, or None")
        object.__setattr__(self, "fold", fold)

    @property
    def candidate(self) -> str:
        """What it shares with trials of other seeds and folds: `optim.learning_rate=0.001`; "" if nothing varies."""
        return ",".join(f"{name}={short(value)}" for name, value in self.values.items())

    @property
    def labels(self) -> dict[str, Any]:
        """What tells its figures from the others', as JSON values: seed, fold, and what the study varies."""
        fold = {} if self.fold is None else {"fold": self.fold}
        return {"seed": self.seed, **fold, **{name: plain(value) for name, value in self.values.items()}}

    @property
    def name(self) -> str:
        """What tells it from all others: `optim.learning_rate=0.001,seed_42`, and `,fold_0` where there are folds."""
        fold = "" if self.fold is None else f",fold_{self.fold}"
        return f"{self.candidate},seed_{self.seed}{fold}".lstrip(",")


Member = Trial
"""What a trial was called before version 0.2."""
