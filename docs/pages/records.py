"""The records of finished runs, which documentation rests on: experiments/results/EXPERIMENT/CONFIGURATION.*"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from experiments import cifar, fashion_mnist
from jaxdeep.cli.recipe import Recipe
from jaxdeep.config import Config, differences
from jaxdeep.errors import UserError
from jaxdeep.study.files import read_histories, read_json
from jaxdeep.study.folder import UNCERTAINTY_PICTURES
from jaxdeep.train.history import EpochRecord

RECIPES: Final[Mapping[str, Mapping[str, Recipe]]] = {"cifar": cifar.CONFIGS, "fashion_mnist": fashion_mnist.CONFIGS}
RESULTS: Final = Path(__file__).parents[2] / "experiments" / "results"
KINDS: Final = {
    "summary.json": {
        "summary.json": ".json",
        "metrics.jsonl": ".jsonl",
        "hits.npz": ".npz",
        "curves.png": ".png",
        "rates.png": ".rates.png",
        **{name: f".{name}" for name in UNCERTAINTY_PICTURES},
    },
    "lr_finder.json": {"lr_finder.json": ".find-lr.json", "lr_finder.png": ".find-lr.png"},
}
"""What tells a kind of record, and the endings under which its files are kept, as far as there are such files."""


def take(folder: Path, results: Path = RESULTS) -> None:
    """Copy a finished run, or a range test, into the records.

    Args:
        folder: of the run.
        results: folder of the records.

    Raises:
        UserError: the run is not finished, or its images were synthetic.
    """
    kinds = [kind for kind in KINDS if (folder / kind).exists()]
    if not kinds:
        raise UserError(f"{folder} holds neither {' nor '.join(KINDS)}: not a finished run")
    for kind in kinds:
        record = read_json(folder / kind)
        if record["data"]["synthetic"]:
            raise UserError(f"{folder} is a run on synthetic images: its figures are no results")
        target = results / record["experiment"]
        target.mkdir(parents=True, exist_ok=True)
        for name, ending in KINDS[kind].items():
            is_long = name == "metrics.jsonl" and not is_single(record)  # hundreds of kB that no table reads
            if (folder / name).exists() and not is_long:
                shutil.copyfile(folder / name, target / f"{record_name(record)}{ending}")


def record_name(record: Mapping[str, Any]) -> str:
    """The configuration's name, what of it was changed, what of it a study varies, and how."""
    recipe = RECIPES[record["experiment"]][record["name"]]
    changed = differences(recipe.config.to_dict(), Config.from_dict(record["config"]).to_dict())
    varied = (f"{field}=all" for field in (*record.get("grid", ()), *record.get("space", ())))
    how = (f"{part}={record[part]}" for part in ("samples", "folds", "halving") if part in record)
    return ",".join((record["name"], *(f"{field}={value}" for field, (_, value) in changed.items()), *varied, *how))


def is_single(record: Mapping[str, Any]) -> bool:
    """Whether a record is of one configuration on the validation images as they are."""
    return "mean" in record and "folds" not in record


def summaries(experiment: str, results: Path = RESULTS, *, grids: bool = False) -> list[dict[str, Any]]:
    """The summaries of an experiment's recorded runs, in the order of its configurations.

    Args:
        experiment: its name.
        results: folder of the records.
        grids: those of the studies over a whole grid, in place of those of single configurations.
    """
    paths = [path for path in (results / experiment).glob("*.json") if not path.name.endswith(".find-lr.json")]
    order = list(RECIPES[experiment])
    found = [record for record in map(read_json, paths) if (_is_grid(record) if grids else is_single(record))]
    return sorted(found, key=lambda record: (order.index(record["name"]), record_name(record)))


def _is_grid(record: Mapping[str, Any]) -> bool:
    return "grid" in record and not {"samples", "folds", "halving"} & record.keys()


def histories(experiment: str, name: str, results: Path = RESULTS) -> dict[int | str, list[EpochRecord]]:
    """The epochs of each seed of a recorded run.

    Raises:
        UserError: there is no such record.
    """
    return read_histories(results / experiment / f"{name}.jsonl")
