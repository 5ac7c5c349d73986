"""What the tests of the report share: claims, a repository of a few records, and folders of runs, broken ones too."""

import json
import shutil
from pathlib import Path
from typing import Any

from experiments.record import ROOT

DRAWING = '<svg xmlns="http://www.w3.org/2000/svg" width="80pt" height="40pt"><path d="M 0 0 L 80 40"/></svg>'
NASTY = "<script>alert('x')</script> & \"so\" <b>"
"""A name that is shown as it is, and is never markup."""
RECORDS = (
    *("cifar/elu", "cifar/selu", "cifar/onecycle.find-lr", "fashion_mnist/dropout", "mnist/digits_0_4"),
    *("transfer/fashion", "transfer/layers"),
)


def claim(name: str = "dead_relu", **changes: Any) -> dict[str, Any]:
    """The record of a claim."""
    effect = {"unit": "points", "effect": 1.2, "low": 0.5, "high": 1.9, "n": 5}
    part = {"name": "share", "statement": "the share is above 0", **effect, "claimed_low": 0.0, "claimed_high": None}
    return {
        "name": name,
        "statement": f"{name}: ReLU units die, more at large rates",
        "sources": ["001"],
        "questions": [4],
        "section": "Activations",
        "hypothesis": "the share of dead units grows with the rate",
        "parts": [{**part, "verdict": "holds"}],
        "verdict": "holds",
        "verdict_text": "All parts hold.",
        "reduced": "",
        "tables": [{"title": "Dead units", "columns": ["rate", "share"], "rows": [["0.01", 0.25], ["0.1", None]]}],
        "quick": False,
        "data": {"name": "mnist", "source": "classic files", "synthetic": False, "digest": "0a1b"},
        "rows": {"train": 50_000},
        "seeds": [42, 43],
        "time": "2026-11-29T00:00:00+00:00",
        "commit": "abc1234",
        "changed": False,
        "command": f"python -m experiments.claims --claim {name}",
        "machine": {"processor": "AMD EPYC", "cores": 2, "device": "1 x cpu"},
        "versions": {"python": "3.11.7", "jax": "0.10.2"},
        "seconds": 123.4,
        **changes,
    }


def write(path: Path, content: Any) -> Path:
    """Write JSON, or text as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def repository(root: Path) -> Path:
    """A repository with a few of the records, three claims, figures, and a broken record."""
    results = root / "experiments" / "results"
    for name in RECORDS:
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        for source in (ROOT / "experiments" / "results").glob(f"{name}.*"):
            shutil.copyfile(source, results / name.partition("/")[0] / source.name)
    shutil.copytree(ROOT / "bench" / "records", root / "bench" / "records")
    lines = (ROOT / "bench" / "RESULTS.md").read_text().splitlines()
    write(root / "bench" / "RESULTS.md", "\n".join(lines[:80]))
    write(results / "claims" / "dead_relu.json", claim())
    write(results / "claims" / "dead_relu.svg", DRAWING)
    write(results / "claims" / "nasty.json", claim(NASTY, statement=NASTY, verdict="fails", section=NASTY))
    write(results / "claims" / "bare.json", {"name": "bare", "statement": "a bare claim", "verdict": "undecided"})
    figures = [{"name": "bowl", "title": "The bowl", "caption": "Loss.", "section": "Faster", "command": "x"}]
    write(results / "figures" / "figures.json", {"figures": [*figures, {"name": "gone", "title": "Gone"}]})
    write(results / "figures" / "bowl.svg", DRAWING)
    write(results / "cifar" / "torn.json", '{"experiment": "cifar", ')
    return root


def broken_runs(runs: Path) -> Path:
    """Folders of runs that are half-written, damaged, foreign or empty, and a quick claim on synthetic images."""
    data = {"name": "synthetic_mnist", "source": "built-in synthetic", "synthetic": True}
    write(runs / "claims" / "quick" / "record.json", claim("quick", quick=True, data=data))
    write(runs / "claims" / "quick" / "figure.svg", DRAWING)
    write(runs / "cifar" / "half" / "config.json", {})
    write(runs / "cifar" / "half" / "metrics.jsonl", '{"epoch": 1}\n{"epoch": 2}\n{"epo')
    write(runs / "cifar" / "torn" / "summary.json", '{"experiment": "cif')
    write(runs / "cifar" / "null" / "summary.json", {"runs": None, "config": {}})
    write(runs / "cifar" / "foreign" / "summary.json", {"hello": 1})
    write(runs / "transfer" / "points" / "points.json", {"points": {"a": {}}})
    write(runs / "transfer" / "odd" / "record.json", {"experiment": "transfer", "question": "layers", "cells": 3})
    write(runs / "transfer" / NASTY.replace("/", "|") / "record.json", "[1]")
    (runs / "cifar" / "empty").mkdir()
    return runs
