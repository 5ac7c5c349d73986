"""A small table with numbers, gaps, categories and groups, whose target can be learnt."""

import numpy as np
import pandas as pd

from jaxdeep import Data

ROWS = 300
DATA = Data(valid_size=60)


def small_frame(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """Three rows a visitor; `age` and `town` have gaps, and town D is rare."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 90, rows).astype(float),
            "income": rng.lognormal(10, 1, rows),
            "town": rng.choice(["A", "B", "C", "D"], rows, p=[0.5, 0.3, 0.195, 0.005]),
            "member": rng.random(rows) > 0.5,
            "visitor": np.arange(rows) // 3,
        }
    )
    frame["churn"] = np.where((frame.age > 50) ^ frame.member, "yes", "no")
    frame.loc[::7, "age"] = np.nan
    frame.loc[3::11, "town"] = None
    return frame
