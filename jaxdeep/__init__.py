"""Training deep neural networks in JAX: the chapter's MLP experiments, compiled as a whole."""

from jaxdeep.config import Config, Data, Model, Optim, Regularize, Schedule, Train
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.sources import load_images
from jaxdeep.errors import UserError
from jaxdeep.train.fit import Run, fit
from jaxdeep.train.history import EpochRecord
from jaxdeep.train.sweep import Member, fit_all
from jaxdeep.version import __version__

__all__ = [
    "Config",
    "Data",
    "Dataset",
    "EpochRecord",
    "Member",
    "Model",
    "Optim",
    "Regularize",
    "Run",
    "Schedule",
    "Train",
    "UserError",
    "__version__",
    "fit",
    "fit_all",
    "load_images",
]
