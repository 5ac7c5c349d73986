"""Training deep neural networks in JAX: the chapter's MLP experiments, compiled as a whole."""

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
from jaxdeep.train.fit import Run, fit
from jaxdeep.train.history import EpochRecord
from jaxdeep.train.saved import load
from jaxdeep.version import __version__

__all__ = [
    "Bracket",
    "Budget",
    "Comparison",
    "Config",
    "Data",
    "Dataset",
    "EpochRecord",
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
    "draw",
    "ensemble",
    "fit",
    "fit_all",
    "fit_by_halving",
    "hyperband",
    "lint",
    "load",
    "load_images",
    "mc_dropout",
    "mc_predict",
    "run_study",
    "stratified_folds",
    "successive_halving",
    "table",
    "tune",
]
