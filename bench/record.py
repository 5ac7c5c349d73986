"""Records, one file for each day and device. An entry is written when its workload is finished.

A file holds `machine` and `questions: {question: {workload: entry}}`. An entry carries its own time, commit, versions
and precision, so that a long bench can be run in parts. The same workload again on the same day replaces its entry.
"""

import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from bench.children import ROOT
from jaxdeep.config import Train
from jaxdeep.study.files import write_json
from jaxdeep.train.devices import describe_processor

RECORDS = ROOT / "bench" / "records"
PACKAGES = ("jax", "jaxlib", "flax", "optax", "keras", "tensorflow", "torch", "scikit-learn", "numpy")
"""Packages whose versions an entry names."""


def machine(device: Mapping[str, Any]) -> dict[str, Any]:
    """Return the machine that the bench runs on, without names of users, hosts or folders.

    Args:
        device: Device of JAX, from `bench.children.device`.

    Returns:
        JSON values.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    processor = describe_processor()
    return {
        "name": f"{processor}, {cores} cores" if device["platform"] == "cpu" else device["kind"],
        "processor": processor,
        "cores": cores,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.system(),
        "device": dict(device),
    }


def add_record(
    folder: Path, machine: Mapping[str, Any], question: str, workload: str, entry: Mapping[str, Any]
) -> Path:
    """Add an entry to the day's record, or replace it.

    Args:
        folder: Folder of the records.
        machine: Machine of the measurements, from `machine`.
        question: Name of the question.
        workload: Name of the measured workload, such as "selu,batch=32,layers=20".
        entry: Measurements as finite JSON values.

    Returns:
        The record's file.
    """
    now = datetime.now(UTC)
    name = re.sub(r"[^a-z0-9]+", "-", str(machine["name"]).lower()).strip("-")
    path = folder / f"{now.date().isoformat()}-{name}.json"
    folder.mkdir(parents=True, exist_ok=True)
    record = json.loads(path.read_text()) if path.exists() else {"date": now.date().isoformat(), "questions": {}}
    record["machine"] = dict(machine)
    precision = {"matmul_precision": Train().matmul_precision}
    stamp = {"time": now.isoformat(timespec="seconds"), **commit(), "versions": versions(), **precision}
    record["questions"].setdefault(question, {})[workload] = {**stamp, **entry}
    write_json(path, record)
    return path


def records(folder: Path = RECORDS) -> list[dict[str, Any]]:
    """Return all records, the latest first.

    Args:
        folder: Folder of the records.

    Returns:
        Records as JSON values.
    """
    unsorted = [json.loads(path.read_text()) for path in sorted(folder.glob("20??-??-??-*.json"))]
    return sorted(unsorted, key=lambda record: record["date"], reverse=True)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the installed packages, without importing any."""
    numbers = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            numbers[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return numbers


def commit() -> dict[str, Any]:
    """Return the short hash of the commit, and whether files were changed since.

    The hash is from BENCH_COMMIT if the files are no git checkout. Records do not count as changes, because a bench
    writes them.

    Returns:
        `commit` and `changed`. Each is None if it is not known.
    """
    hash_ = _git("rev-parse", "--short", "HEAD") or os.environ.get("BENCH_COMMIT") or None
    changed = _git("status", "--porcelain", "--", ".", ":!bench/records", ":!bench/RESULTS.md")
    return {"commit": hash_, "changed": None if changed is None else bool(changed)}


def _git(*argv: str) -> str | None:
    """Return git's output, or None if it fails."""
    try:
        done = subprocess.run(("git", *argv), cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return None if done.returncode else done.stdout.strip()
