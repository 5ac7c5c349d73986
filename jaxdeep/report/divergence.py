"""The one rule of reports: the number of runs that diverged stands beside every figure of several runs.

A run that diverged has the figures of its best epoch, if there was one before. Means, comparisons and ensembles take
them, and the count says so. A run without figures is left out. A candidate with a run that diverged is never the best.
"""


def counted(runs: int, diverged: int) -> str:
    """Return a number of runs in words, with the number of diverged runs if there are any.

    Args:
        runs: Number of runs, 0 or more.
        diverged: Number of runs that diverged, 0 or more.

    >>> counted(10, 0), counted(10, 2)
    ('10', '10, 2 diverged')
    """
    return f"{runs}" + (f", {diverged} diverged" if diverged else "")


def named(name: str, runs: int, diverged: int) -> str:
    """Return a name, with the number of runs that diverged if there are any.

    Args:
        name: Name of the runs.
        runs: Number of runs, 0 or more.
        diverged: Number of runs that diverged, 0 or more.

    >>> named("mean", 3, 0), named("mean", 3, 1)
    ('mean', 'mean (1 of 3 diverged)')
    """
    return f"{name} ({diverged} of {runs} diverged)" if diverged else name


def losses_in_words(name: str, runs: int, diverged: int, left_out: int, noun: str = "seeds") -> list[str]:
    """Return sentences on a configuration whose runs diverged: one on the runs left out, and one on the others.

    Args:
        name: Name of the configuration.
        runs: Number of runs, 0 or more.
        diverged: Number of runs that diverged, at most `runs`.
        left_out: Number of runs that diverged before they had an epoch to keep, at most `diverged`.
        noun: Name of the runs in the plural.

    >>> losses_in_words("selu", 10, 2, 2)
    ['selu lost 2 of 10 seeds (diverged)']
    >>> losses_in_words("selu", 10, 1, 0)
    ['1 of 10 seeds of selu diverged after the best epoch, whose figures count']
    """
    said = [f"{name} lost {left_out} of {runs} {noun} (diverged)"] if left_out else []
    if late := diverged - left_out:
        said.append(f"{late} of {runs} {noun} of {name} diverged after the best epoch, whose figures count")
    return said
