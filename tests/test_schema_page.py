"""docs/schema.md describes every key that a run writes, and no key that none writes."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_data import lean_compilation
from small_documents import small_commands

from docs import publish
from jaxdeep.study.result import MEANS

PAGE = (publish.ROOT / "docs" / "schema.md").read_text()
DESCRIBED = set(re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE))
FIELD = re.compile(r"\w+\.\w+")
OWN_NAMES = ("versions", "files", "left_out", "means", "diverged")
"""Keys whose content has names of its own, such as the names of packages and studies."""
LEAVES = ("config",)
"""Keys whose content another page describes."""
REFERENCES = {
    r"^(points\[\]\.|comparison\.means\.NAME\.)?mean\.FIGURE\.": "mean.FIGURE.",
    r"^comparison\.means\.NAME\.FIGURE\.": "mean.FIGURE.",
    r"^uncertainty\.by_samples\[\]\.FIGURE\.": "uncertainty.predictors.PREDICTOR.FIGURE.",
    r"^uncertainty\.by_samples\[\]\.FIGURE_difference\.": "difference.",
    r"^uncertainty\.verdicts\[\]\.figures\.FIGURE\.": "difference.",
    r"^comparison\.pairs\[\]\.diverged\.NAME\.": "comparison.diverged.NAME.",
    r"^tune\.configurations\[\]\.own_regret\.": "tune.regrets[].",
}
"""Keys that the page describes elsewhere."""
NOT_HERE = {"uncertainty.left_out.NAME"}
"""Keys that nothing writes here, since all other sets are at hand."""


def named(key: str, parent: str, path: str) -> str:
    """Return a key as the page names it."""
    if parent == "predictors":
        return "PREDICTOR"
    if "figures" in path or "PREDICTOR" in path or parent in ("mean", "by_samples[]") or path.endswith("means.NAME."):
        figure = key.removesuffix("_difference")
        is_figure = figure in MEANS or re.fullmatch(
            r"(val_)?(accuracy|nll|brier|ece|ece_equal_mass|aurc)|temperature|.+/.+/.+", figure
        )
        if is_figure:
            return "FIGURE" + key[len(figure) :]
    if parent == "by_class" and key != "confusion":
        return "CLASS_FIGURE"
    if FIELD.fullmatch(key) and parent != "files":
        return "FIELD"
    if parent in OWN_NAMES and key not in ("runs", "diverged", "left_out"):
        return "NAME"
    return key


def keys_of(content: Any, path: str = "") -> Iterator[str]:
    """Yield every key of a JSON value that has no further keys, with the keys above it."""
    parent = path.split(".")[-2] if path.count(".") else ""
    if isinstance(content, dict) and content and parent not in LEAVES:
        for key, value in content.items():
            yield from keys_of(value, f"{path}{named(key, parent, path)}.")
    elif isinstance(content, list) and content and isinstance(content[0], dict):
        for value in content:
            yield from keys_of(value, f"{path.removesuffix('.')}[].")
    else:
        yield path.removesuffix(".")


def described_as(key: str) -> set[str]:
    """Return the key by which the page describes a key, and the key above it that refers there."""
    for pattern, of_page in REFERENCES.items():
        if match := re.match(pattern, key):
            return {match.group().removesuffix("."), of_page + key[match.end() :]}
    return {key}


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> set[str]:
    """The keys that small studies of every kind write."""
    folder = tmp_path_factory.mktemp("schema")
    found: set[str] = set()
    commands = {
        "--config elu --epochs 1 --workdir a --train.diagnostics": ("summary.json", ""),
        "--config elu --epochs 1 --transfer.source ../0/a": ("summary.json", ""),
        "--config alpha_dropout --seeds 2 --mc-samples 3 --ensemble": ("summary.json", ""),
        "--config elu --grid lr=1e-4,1e-3": ("summary.json", ""),
        "--config elu --space lr=1e-4:1e-3 --samples 2": ("summary.json", ""),
        "--config elu --space lr=1e-4:1e-3 --halving hyperband": ("summary.json", ""),
        "--config elu --folds 2 --epochs 2": ("summary.json", ""),
        "--compare elu selu --seeds 2": ("comparison.json", "comparison."),
        "--compare elu bn --tune --tune-rates 3 --tune-seeds 1 --epochs 1 --seeds 2": ("tune.json", "tune."),
        "--config onecycle --find-lr --seeds 2": ("lr_finder.json", "lr_finder."),
    }
    with pytest.MonkeyPatch.context() as patch, lean_compilation(), small_commands() as run:
        for number, (command, (name, path)) in enumerate(commands.items()):
            here = folder / str(number)
            here.mkdir()
            patch.chdir(here)
            assert run(["experiments.cifar", *command.split()]) == 0
            (file,) = here.rglob(name)
            found |= {of for key in keys_of(json.loads(file.read_text()), path) for of in described_as(key)}
            for rows in here.rglob("metrics.jsonl"):
                found |= {
                    key for line in rows.read_text().splitlines() for key in keys_of(json.loads(line), "metrics.")
                }
    shared = {f"lr_finder.{name}" for name in ("experiment", "name", "config", "seeds")}
    return {key for key in found if key not in shared and not key.startswith("lr_finder.data.")}


def records() -> set[str]:
    """Return the keys of all committed records."""
    paths = publish.RECORDS.summaries()
    return {of for path in paths for key in keys_of(json.loads(path.read_text())) for of in described_as(key)}


def is_described(key: str) -> bool:
    """Return whether the page has a key, or a key above it whose content is empty here."""
    return any(_is_at_or_below(name, key) for name in DESCRIBED)


def test_every_key_of_the_records_is_described() -> None:
    assert sorted(key for key in records() if not is_described(key)) == []


def test_every_key_that_is_written_is_described(written) -> None:
    assert sorted(key for key in written if not is_described(key)) == []


def test_every_key_that_is_described_is_written(written) -> None:
    found = written | records()
    assert sorted(key for key in DESCRIBED - NOT_HERE if not any(_is_at_or_below(name, key) for name in found)) == []


def _is_at_or_below(name: str, key: str) -> bool:
    return name == key or name.startswith((f"{key}.", f"{key}[]"))


def test_a_row_says_type_and_meaning() -> None:
    rows = [line.split(" | ") for line in PAGE.splitlines() if line.startswith("| `")]
    assert all(len(row) == 3 and row[2].strip(" |") for row in rows)


def test_paths_are_named_by_what_they_hold(tmp_path: Path) -> None:
    content = {
        "runs": [{"seed": 1, "optim.learning_rate": 0.1}],
        "versions": {"jax": "1"},
        "mean": {"val_loss": {"std": None}},
    }
    assert sorted(keys_of(content)) == ["mean.FIGURE.std", "runs[].FIELD", "runs[].seed", "versions.NAME"]
