"""Training deep neural networks in JAX: the chapter's MLP experiments, compiled as a whole.

A name is imported from its file when it is first used. So whoever serves a network imports nothing that trains.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from jaxdeep.version import __version__

if TYPE_CHECKING:
    from jaxdeep.analysis.conformal import ConformalSets, conformal
    from jaxdeep.analysis.conformal_intervals import ConformalIntervals
    from jaxdeep.analysis.ensembles import ensemble
    from jaxdeep.analysis.uncertainty import Uncertainty, mc_dropout, mc_predict
    from jaxdeep.config import Config, Data, Model, Optim, Regularize, Schedule, Train, Transfer
    from jaxdeep.data.dataset import Dataset
    from jaxdeep.data.folds import stratified_folds
    from jaxdeep.data.sources import load_images
    from jaxdeep.errors import JaxdeepWarning, UserError
    from jaxdeep.lint import lint
    from jaxdeep.run.api import draw, run_study, table
    from jaxdeep.run.tuning import TuningResult
    from jaxdeep.run.tuning_api import tune
    from jaxdeep.study.brackets import Bracket, hyperband, successive_halving
    from jaxdeep.study.budget import Budget
    from jaxdeep.study.compare import compare_studies
    from jaxdeep.study.comparison import Comparison
    from jaxdeep.study.halving import fit_by_halving
    from jaxdeep.study.result import StudyResult
    from jaxdeep.study.runner import fit_all
    from jaxdeep.study.trial import Member, Trial
    from jaxdeep.study.tuning import Tuning
    from jaxdeep.train.exported import ExportedNetwork, load_exported
    from jaxdeep.train.fit import Run, fit
    from jaxdeep.train.history import EpochRecord
    from jaxdeep.train.saved import load

__all__ = [
    "Bracket",
    "Budget",
    "Comparison",
    "Config",
    "ConformalIntervals",
    "ConformalSets",
    "Data",
    "Dataset",
    "EpochRecord",
    "ExportedNetwork",
    "JaxdeepWarning",
    "Member",
    "Model",
    "Optim",
    "Regularize",
    "Run",
    "Schedule",
    "StudyResult",
    "Train",
    "Transfer",
    "Trial",
    "Tuning",
    "TuningResult",
    "Uncertainty",
    "UserError",
    "__version__",
    "compare_studies",
    "conformal",
    "draw",
    "ensemble",
    "fit",
    "fit_all",
    "fit_by_halving",
    "hyperband",
    "lint",
    "load",
    "load_exported",
    "load_images",
    "mc_dropout",
    "mc_predict",
    "run_study",
    "stratified_folds",
    "successive_halving",
    "table",
    "tune",
]

_HOMES: Final = {
    "ConformalIntervals": "jaxdeep.analysis.conformal_intervals",
    "ConformalSets": "jaxdeep.analysis.conformal",
    "conformal": "jaxdeep.analysis.conformal",
    "ensemble": "jaxdeep.analysis.ensembles",
    "Uncertainty": "jaxdeep.analysis.uncertainty",
    "mc_dropout": "jaxdeep.analysis.uncertainty",
    "mc_predict": "jaxdeep.analysis.uncertainty",
    "Config": "jaxdeep.config",
    "Data": "jaxdeep.config",
    "Model": "jaxdeep.config",
    "Optim": "jaxdeep.config",
    "Regularize": "jaxdeep.config",
    "Schedule": "jaxdeep.config",
    "Train": "jaxdeep.config",
    "Transfer": "jaxdeep.config",
    "Dataset": "jaxdeep.data.dataset",
    "stratified_folds": "jaxdeep.data.folds",
    "load_images": "jaxdeep.data.sources",
    "JaxdeepWarning": "jaxdeep.errors",
    "UserError": "jaxdeep.errors",
    "lint": "jaxdeep.lint",
    "draw": "jaxdeep.run.api",
    "run_study": "jaxdeep.run.api",
    "table": "jaxdeep.run.api",
    "TuningResult": "jaxdeep.run.tuning",
    "tune": "jaxdeep.run.tuning_api",
    "Bracket": "jaxdeep.study.brackets",
    "hyperband": "jaxdeep.study.brackets",
    "successive_halving": "jaxdeep.study.brackets",
    "Budget": "jaxdeep.study.budget",
    "compare_studies": "jaxdeep.study.compare",
    "Comparison": "jaxdeep.study.comparison",
    "fit_by_halving": "jaxdeep.study.halving",
    "StudyResult": "jaxdeep.study.result",
    "fit_all": "jaxdeep.study.runner",
    "Member": "jaxdeep.study.trial",
    "Trial": "jaxdeep.study.trial",
    "Tuning": "jaxdeep.study.tuning",
    "ExportedNetwork": "jaxdeep.train.exported",
    "load_exported": "jaxdeep.train.exported",
    "Run": "jaxdeep.train.fit",
    "fit": "jaxdeep.train.fit",
    "EpochRecord": "jaxdeep.train.history",
    "load": "jaxdeep.train.saved",
}
"""Module of each public name."""


class _Package(ModuleType):
    """This package, in which `lint` stays the function when the package of that name is imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "lint" or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used.

    Args:
        name: Attribute that this module does not have yet.

    Raises:
        AttributeError: It is no public name.
    """
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
