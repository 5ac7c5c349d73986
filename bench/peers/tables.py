"""Fit one contestant to several divisions of one table, and print a line of JSON for each.

Started as `python -m bench.peers.tables TABLE CONTESTANT DIVISIONS`.
"""

import json
import sys
import time
import warnings
from typing import Any, cast

from bench.peers.table_fits import FITS
from bench.peers.table_sets import SETS, TARGET, frame_of

TEST_SHARE = 0.25
"""Share of the rows that test. Classes have their share of them."""


def main() -> None:
    """Print score and seconds of each division."""
    from sklearn.metrics import accuracy_score, r2_score
    from sklearn.model_selection import train_test_split

    warnings.simplefilter("ignore")
    name, contestant, divisions = sys.argv[1], sys.argv[2], int(sys.argv[3])
    frame, task = frame_of(name), SETS[name].task
    score = r2_score if task == "regression" else accuracy_score
    stdout, sys.stdout = sys.stdout, sys.stderr  # libraries print
    for seed in range(divisions):
        strata = None if task == "regression" else frame[TARGET]
        train, test = cast(Any, train_test_split)(frame, test_size=TEST_SHARE, random_state=seed, stratify=strata)
        began = time.perf_counter()
        found = FITS[contestant](train, test, task, seed)
        seconds = time.perf_counter() - began
        line = {"score": float(score(test[TARGET], found)), "seconds": seconds, "rows": len(frame)}
        print(json.dumps(line), file=stdout, flush=True)


if __name__ == "__main__":
    main()
