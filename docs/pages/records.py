"""The records of finished runs, on which the documents rest: RESULTS/EXPERIMENT/CONFIGURATION.*"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jaxdeep.cli.recipe import Recipe
from jaxdeep.config import Config, differences
from jaxdeep.errors import UserError
from jaxdeep.study.files import read_histories, read_json
from jaxdeep.study.folder import UNCERTAINTY_PICTURES
from jaxdeep.train.history import EpochRecord

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
"""The file that shows a record's kind, and the endings under which the files of this kind are kept."""


@dataclass(frozen=True)
class Records:
    """The records in a folder.

    Attributes:
        recipes: every experiment's configurations, by the names of experiment and configuration.
        folder: path of the records, with a folder for each experiment.
    """

    recipes: Mapping[str, Mapping[str, Recipe]]
    folder: Path

    def take(self, run: Path) -> None:
        """Copy a finished run, or a range test, into the records.

        Args:
            run: folder of the run.

        Raises:
            UserError: the run is not finished, or its images were synthetic.
        """
        kinds = [kind for kind in KINDS if (run / kind).exists()]
        if not kinds:
            raise UserError(f"{run} holds neither {' nor '.join(KINDS)}: not a finished run")
        for kind in kinds:
            record = read_json(run / kind)
            if record["data"]["synthetic"]:
                raise UserError(f"{run} is a run on synthetic images: its figures are no results")
            target = self.folder / record["experiment"]
            target.mkdir(parents=True, exist_ok=True)
            for name, ending in KINDS[kind].items():
                is_long = name == "metrics.jsonl" and not is_single(record)  # hundreds of kB that no table reads
                if (run / name).exists() and not is_long:
                    shutil.copyfile(run / name, target / f"{self.name_of(record)}{ending}")

    def name_of(self, record: Mapping[str, Any]) -> str:
        """Return the configuration's name, the fields that were changed, the fields that a study varies, and how."""
        recipe = self.recipes[record["experiment"]][record["name"]]
        changed = differences(recipe.config.to_dict(), Config.from_dict(record["config"]).to_dict())
        varied = (f"{field}=all" for field in (*record.get("grid", ()), *record.get("space", ())))
        how = (f"{part}={record[part]}" for part in ("samples", "folds", "halving") if part in record)
        return ",".join((record["name"], *(f"{field}={value}" for field, (_, value) in changed.items()), *varied, *how))

    def summaries(self, experiment: str, *, grids: bool = False) -> list[dict[str, Any]]:
        """Return the summaries of an experiment's recorded runs, in the order of its configurations.

        Args:
            experiment: name of the experiment.
            grids: whether to return the studies over a whole grid, in place of single configurations.
        """
        paths = [path for path in (self.folder / experiment).glob("*.json") if not path.name.endswith(".find-lr.json")]
        order = list(self.recipes[experiment])
        found = [record for record in map(read_json, paths) if (_is_grid(record) if grids else is_single(record))]
        return sorted(found, key=lambda record: (order.index(record["name"]), self.name_of(record)))

    def histories(self, experiment: str, name: str) -> dict[int | str, list[EpochRecord]]:
        """Return the epochs of each seed of a recorded run.

        Raises:
            UserError: there is no such record.
        """
        return read_histories(self.folder / experiment / f"{name}.jsonl")


def is_single(record: Mapping[str, Any]) -> bool:
    """Return whether a record is of one configuration on the validation images as they are."""
    return "mean" in record and "folds" not in record


def _is_grid(record: Mapping[str, Any]) -> bool:
    return "grid" in record and not {"samples", "folds", "halving"} & record.keys()
