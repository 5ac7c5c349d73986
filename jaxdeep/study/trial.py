"""A run of a study, with the labels that distinguish it from other runs."""

from dataclasses import dataclass, field
from typing import Any

from jaxdeep.config import Config, short
from jaxdeep.config.choices import check
from jaxdeep.config.config import checked_values
from jaxdeep.config.made import plain
from jaxdeep.config.seeds import plain_seed
from jaxdeep.config.values import cut, scalar
from jaxdeep.study.trial_result import LONGEST_VALUES


@dataclass(frozen=True)
class Trial:
    """A run of a study.

    Attributes:
        config: Configuration to train.
        seed: Seed of all random numbers in 0 .. 2^32 - 1.
        values: Value of each field that the study varies, by dotted name such as optim.learning_rate.
        fold: Index of the fold of a cross-validation, counted from 0. None without folds.

    Raises:
        UserError: The configuration has another type, the seed or fold is out of range, or the configuration does not
            have the values.
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

    def __repr__(self) -> str:
        varied = "".join(f"{name}={short(value)}, " for name, value in self.values.items())
        return (
            f"Trial({cut(varied, LONGEST_VALUES)}seed={self.seed}{'' if self.fold is None else f', fold={self.fold}'})"
        )

    @property
    def candidate(self) -> str:
        """Return the name that trials of all seeds and folds share, such as `optim.learning_rate=0.001`.

        It is "" if nothing varies.
        """
        return ",".join(f"{name}={short(value)}" for name, value in self.values.items())

    @property
    def labels(self) -> dict[str, Any]:
        """Return the labels of the trial's figures as JSON values: seed, fold and the varied fields."""
        fold = {} if self.fold is None else {"fold": self.fold}
        return {"seed": self.seed, **fold, **{name: plain(value) for name, value in self.values.items()}}

    @property
    def name(self) -> str:
        """Return the name of the trial, unique in its study.

        It is `optim.learning_rate=0.001,seed_42`, with `,fold_0` if there are folds.
        """
        fold = "" if self.fold is None else f",fold_{self.fold}"
        return f"{self.candidate},seed_{self.seed}{fold}".lstrip(",")


Member = Trial
"""Name of Trial before version 0.2."""
