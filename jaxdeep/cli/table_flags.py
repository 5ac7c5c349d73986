"""The flags of `jaxdeep train TABLE`: which column is the target, which ones are left out, and how rows are divided."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final, Literal

from jaxdeep.cli.flags import Flag, flags_of, read_flags
from jaxdeep.config import Config
from jaxdeep.config.choices import Task
from jaxdeep.config.words import words_of
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.table_columns import Numbers
from jaxdeep.data.tables import ENDS, is_table_path
from jaxdeep.errors import UserError


@dataclass(frozen=True)
class TableFlags:
    """How a table becomes rows and labels. Each field is a flag."""

    target: tuple[str, ...] = ()
    """Column of labels or numbers, or several. A table needs it."""
    drop: tuple[str, ...] = ()
    """Names of columns to leave out."""
    group: str | None = None
    """Name of a column whose equal values keep rows in one part. It is no feature."""
    test_size: int | float = 0.2
    """Share of the rows for the test part, or their number. The others train and validate."""
    test_file: Path | None = None
    """Table of the test rows, in place of a share."""
    no_test: bool = False
    """Take no test rows. All test figures are empty then."""
    numbers: Numbers = "standardize"
    """How numbers enter: standardised, as normal quantiles of their rank, or as shares of up to 16 bins."""
    weight: str | None = None
    """Name of a column that says how much a row counts in the losses. It is no feature."""
    class_weights: Literal["balanced"] | None = None
    """balanced: all classes count the same in the losses."""
    split_seed: int = 0
    """Seed of the division into parts. It is the same for all seeds of a study."""

    def words(self) -> tuple[str, ...]:
        """Return the words of the flags that differ from their defaults."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        given = {field.name: values[field.name] for field in fields(self) if values[field.name] != field.default}
        words = ((_word(name), *(() if value is True else words_of(value))) for name, value in given.items())
        return tuple(word for of_flag in words for word in of_flag)

    def dataset(self, path: Path, config: Config) -> Dataset:
        """Return the data set of a table.

        Args:
            path: Path of the table.
            config: Configuration. Its data have sizes and scaling, and its head says what the target is.

        Returns:
            The data set, on the default device.

        Raises:
            UserError: There is no target, or several for one class, or the table does not fit the flags.
        """
        if len(self.target) > 1 and task_of(config) == "classification" and config.model.head != "sigmoid":
            raise UserError(
                f"--target has {len(self.target)} columns. Give one, or add --model.head sigmoid for several labels or "
                "--model.head linear for numbers."
            )
        return Dataset.from_table(
            path,
            self.target[0] if len(self.target) == 1 else self.target,
            test=None if self.no_test else self.test_file or self.test_size,
            data=config.data,
            drop=self.drop,
            group=self.group,
            split_seed=self.split_seed,
            numbers=self.numbers,
            weight=self.weight,
            class_weights=self.class_weights,
            task="multilabel" if len(self.target) > 1 and config.model.head == "sigmoid" else task_of(config),
        )


def task_of(config: Config) -> Task:
    """Return what the output layer predicts: numbers, or one class of each row."""
    return "regression" if config.model.is_regression else "classification"


FLAGS: Final[tuple[Flag, ...]] = tuple(flag for flag in flags_of(TableFlags, {}) if flag.owner is TableFlags)
"""All flags of a table."""
WORDS: Final = frozenset(flag.word for flag in FLAGS)
"""Their words, such as "--target"."""


def take_flags(path: str, given: Sequence[str]) -> tuple[TableFlags | None, list[str]]:
    """Take the flags of a table out of a command line.

    Args:
        path: Path of the file that is trained on.
        given: Words behind the path.

    Returns:
        The flags of the table, or None if the file is no table. And all other words.

    Raises:
        UserError: A table has no target, another file has a flag of a table, or a value cannot be read.
    """
    words, others = [], []
    for is_own, word in _by_owner(given):
        (words if is_own else others).append(word)
    if not is_table_path(path):
        if words:
            raise UserError(
                f"{words[0]} is for a table, whose name ends in {', '.join(ENDS)}. Remove it, or give a table."
            )
        return None, others
    flags = read_flags(TableFlags(), FLAGS, words)
    if not flags.target:
        raise UserError(f"{path} is a table, and its target is not given. Name its column of labels by --target NAME.")
    if (flags.test_size != TableFlags.test_size) + (flags.test_file is not None) + flags.no_test > 1:
        raise UserError("--test-size, --test-file and --no-test each choose the test rows. Give one of them.")
    return flags, others


def _by_owner(given: Sequence[str]) -> Iterator[tuple[bool, str]]:
    """Yield each word, and whether it is a flag of a table or a value behind one."""
    is_own = False
    for word in given:
        if word.startswith("--"):
            is_own = word.partition("=")[0].replace("_", "-") in WORDS
        yield is_own, word


def _word(field: str) -> str:
    """Return the word of a field's flag."""
    return next(flag.word for flag in FLAGS if flag.field == field)
