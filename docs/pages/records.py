"""The records of finished runs: RESULTS/EXPERIMENT/CONFIGURATION and an ending. The documents rest on them."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from jaxdeep.cli.recipe import Recipe
from jaxdeep.config import Config, differences
from jaxdeep.errors import UserError
from jaxdeep.study.files import read_json
from jaxdeep.study.result import StudyResult
from jaxdeep.study.stored import KINDS_OF_PICTURES, UNCERTAINTY_PICTURES, read_study
from jaxdeep.study.tuning import Tuning

KINDS: Final = {
    "summary.json": {
        "summary.json": ".json",
        "metrics.jsonl": ".jsonl",
        "hits.npz": ".npz",
        **{f"curves.{kind}": f".{kind}" for kind in KINDS_OF_PICTURES},
        **{f"{name}.{kind}": f".{name}.{kind}" for name in ("rates", "diagnostics") for kind in KINDS_OF_PICTURES},
        **{name: f".{name}" for name in UNCERTAINTY_PICTURES},
    },
    "lr_finder.json": {
        "lr_finder.json": ".find-lr.json",
        **{f"lr_finder.{kind}": f".find-lr.{kind}" for kind in KINDS_OF_PICTURES},
    },
    "tune.json": {"tune.json": ".tune.json"},
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
            run: folder of a finished run, or of a range test.

        Raises:
            UserError: the run is not finished, or its images were synthetic.
        """
        kinds = [kind for kind in KINDS if (run / kind).exists()]
        if not kinds:
            raise UserError(f"{run} holds neither {' nor '.join(KINDS)}: not a finished run")
        for kind in kinds:
            record = read_json(run / kind)
            has_epochs = "mean" in record and "folds" not in record  # no page shows the epochs of other studies
            if record["data"]["synthetic"]:
                raise UserError(f"{run} is a run on synthetic images: its figures are no results")
            target = self.folder / record["experiment"]
            target.mkdir(parents=True, exist_ok=True)
            for name, ending in KINDS[kind].items():
                if (run / name).exists() and (has_epochs or not name.startswith(("metrics.", "curves."))):
                    shutil.copyfile(run / name, target / f"{self.name_of(record)}{ending}")

    def name_of(self, record: Mapping[str, Any]) -> str:
        """Return the configuration's name, the fields that were changed, the fields that a study varies, and how.

        Args:
            record: Content of a summary.json, of a lr_finder.json or of a tune.json.
        """
        if "configurations" in record:
            return tuning_name([tuned["name"] for tuned in record["configurations"]])
        changed = self.changed(record)
        varied = (f"{field}=all" for field in (*record.get("grid", ()), *record.get("space", ())))
        how = (f"{part}={record[part]}" for part in ("samples", "folds", "halving") if part in record)
        return ",".join((record["name"], *(f"{field}={value}" for field, value in changed.items()), *varied, *how))

    def changed(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of a record's configuration that differ from its recipe, by dotted name.

        Args:
            record: content of a summary.json or of a lr_finder.json.
        """
        recipe = self.recipes[record["experiment"]][record["name"]]
        found = differences(recipe.config.to_dict(), Config.from_dict(record["config"]).to_dict())
        return {field: value for field, (_, value) in found.items()}

    def _read(self, summary: Path, *others: Path | None) -> StudyResult:
        """Read a record. What was changed is found anew, as records of earlier versions do not hold it."""
        study = read_study(summary, *others)
        return replace(study, changed=self.changed(study.identity()))

    def summaries(self, *experiments: str) -> list[Path]:
        """Return the paths of the recorded summaries of studies, without range tests and tunings.

        Args:
            experiments: Names of experiments. None means all that have recipes.
        """
        folders = [self.folder / name for name in experiments or self.recipes]
        paths = [path for folder in folders for path in sorted(folder.glob("*.json"))]
        return [path for path in paths if not path.name.endswith((".find-lr.json", ".tune.json"))]

    def studies(self, experiment: str, *, grids: bool = False) -> dict[str, StudyResult]:
        """Return an experiment's recorded studies by the names of their records, in the order of its configurations.

        Args:
            experiment: name of the experiment.
            grids: whether to return the studies over a whole grid, in place of single configurations.
        """
        order = list(self.recipes[experiment])
        found = [
            study
            for study in map(self._read, self.summaries(experiment))
            if (_is_grid(study) if grids else is_single(study))
        ]
        named = {self.name_of(study.identity()): study for study in found}
        return dict(sorted(named.items(), key=lambda item: (order.index(item[1].name), item[0])))

    def study(self, experiment: str, name: str) -> StudyResult:
        """Return a recorded study with its histories, and its correctly classified rows where they are recorded.

        Args:
            experiment: name of the experiment.
            name: name of the record.

        Raises:
            UserError: there is no such record.
        """
        path = self.folder / experiment / name
        files = {ending: path.with_name(f"{name}.{ending}") for ending in ("json", "jsonl", "npz")}
        correct = files["npz"] if files["npz"].exists() else None
        return self._read(files["json"], files["jsonl"], correct)

    def tuning(self, experiment: str, names: Sequence[str]) -> Tuning:
        """Return the recorded tuning of several configurations.

        Args:
            experiment: Name of the experiment.
            names: Names of the configurations, in the order of the tuning.

        Raises:
            UserError: There is no such record.
        """
        return Tuning.from_json(read_json(self.folder / experiment / f"{tuning_name(names)}.tune.json"))


def tuning_name(names: Sequence[str]) -> str:
    """Return the name of the record of a tuning.

    Args:
        names: Names of its configurations, in order.
    """
    return "-vs-".join(names)


def is_single(study: StudyResult) -> bool:
    """Return whether a study is of one configuration on the validation images as they are.

    Args:
        study: result of the study.
    """
    return not study.varied and study.folds is None


def _is_grid(study: StudyResult) -> bool:
    return bool(study.grid) and not (study.samples or study.folds or study.halving)
