"""The number of cores that a process may use: the cores that it may run on, and the quota of its control group."""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

GROUPS: Final = Path("/sys/fs/cgroup")
"""Folder of Linux's control groups."""
OWN_GROUPS: Final = Path("/proc/self/cgroup")
"""File that names the control groups of this process."""


def cores() -> int:
    """Return the number of cores that the process may use.

    A container's quota of 2.5 cores counts as 3.

    Returns:
        1 or more.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = quota_of(GROUPS, OWN_GROUPS)
    return allowed if quota is None else max(min(allowed, math.ceil(quota)), 1)


def quota_of(groups: Path, own_groups: Path) -> float | None:
    """Return the cores whose time the control groups of a process allow it.

    Args:
        groups: Folder in which the control groups are mounted.
        own_groups: File with a line `number:controllers:path` for each of the process's groups.

    Returns:
        The lowest quota of its group and of the groups around it, in cores. None if nothing limits it.
    """
    quotas = [quota for folder in _folders(groups, own_groups) if (quota := _quota(folder)) is not None]
    return min(quotas, default=None)


def _folders(groups: Path, own_groups: Path) -> Iterator[Path]:
    """Yield the folders that may hold a quota. A container sees its own group as the root."""
    try:
        lines = own_groups.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, _, named = line.partition(":")
        controllers, _, path = named.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        for root in (groups, groups / controllers) if controllers else (groups,):
            inside = root / path.lstrip("/")
            yield from (folder for folder in (inside, *inside.parents) if folder.is_relative_to(root))


def _quota(folder: Path) -> float | None:
    """Return the quota of a control group in cores, in the files of version 2 or of version 1. None without one."""
    try:
        if (limits := folder / "cpu.max").exists():
            quota, period = limits.read_text().split()
        else:
            quota, period = ((folder / f"cpu.cfs_{name}_us").read_text().strip() for name in ("quota", "period"))
        return float(quota) / float(period) if quota not in ("max", "-1") else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
