"""Differences from the published records of other studies, which give means with their intervals."""

import math
from collections.abc import Mapping
from typing import Any

from experiments.record import RESULTS, ROOT
from jaxdeep.analysis.differences import Difference, from_variance
from jaxdeep.errors import UserError
from jaxdeep.study.files import read_json


def record_of(experiment: str, name: str, command: str) -> dict[str, Any]:
    """Return a published record.

    Args:
        experiment: Name of the experiment, which is the folder of the record.
        name: Name of the record.
        command: Command that makes it.

    Raises:
        UserError: There is no such record.
    """
    path = RESULTS / experiment / f"{name}.json"
    if not path.exists():
        raise UserError(f"experiments/results/{experiment}/{name}.json is missing. First run {command}.")
    return read_json(path)


def bench_record(question: str, workload: str) -> dict[str, Any]:
    """Return the newest record of a bench question.

    Args:
        question: Name of the question.
        workload: Name of its workload.

    Raises:
        UserError: There is no such record.
    """
    for path in sorted((ROOT / "bench" / "records").glob("20*.json"), reverse=True):
        found = read_json(path).get("questions", {}).get(question, {})
        if workload in found:
            return found[workload]
    raise UserError(f"bench/records has no {question} of {workload}. First run python -m bench {question}.")


def of_estimate(estimate: Mapping[str, Any], factor: float = 1.0) -> Difference:
    """Return an estimate of a record as a difference from 0.

    Args:
        estimate: Mean, standard deviation of a run and number of runs.
        factor: Factor of the unit, such as 100 for points.
    """
    mean, std, runs = factor * estimate["mean"], factor * estimate["std"], estimate["runs"]
    return from_variance(mean, runs, std**2 / runs, 0.0, runs - 1)


def of_two(first: Mapping[str, Any], second: Mapping[str, Any], factor: float = 1.0) -> Difference:
    """Return the difference of two estimates of the same number of runs.

    The record does not hold the pairs of runs, so the variances are added. That is rather too wide for paired runs.

    Args:
        first: Estimate of the minuend.
        second: Estimate of the subtrahend.
        factor: Factor of the unit, such as 100 for points.
    """
    runs = min(first["runs"], second["runs"])
    variance = sum((factor * of["std"]) ** 2 / of["runs"] for of in (first, second))
    return from_variance(factor * (first["mean"] - second["mean"]), runs, variance, 0.0, runs - 1)


def of_interval(mean: float, low: float, high: float, runs: int) -> Difference:
    """Return a mean whose 95% interval by Student's t is given.

    Args:
        mean: Mean over runs.
        low: Lower end of the interval.
        high: Upper end of the interval.
        runs: Number of runs, 2 or more.
    """
    from scipy import stats  # 0.7 s to import

    error = (high - low) / 2 / float(stats.t.ppf(0.975, runs - 1))
    return from_variance(mean, runs, error**2, 0.0, runs - 1)


def of_ratio(ratio: Mapping[str, float], runs: int) -> Difference:
    """Return a ratio with its interval as a difference of logarithms.

    Args:
        ratio: Geometric mean and ends of its 95% interval.
        runs: Number of runs, 2 or more.
    """
    return of_interval(math.log(ratio["mean"]), math.log(ratio["low"]), math.log(ratio["high"]), runs)
