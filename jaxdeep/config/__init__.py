"""What a run is: one frozen, hashable value.

A `Config` is everything that decides the numbers of a run except the images and the seed. Programs are compiled for its
`Static` part. What a study may vary without compiling again is taken out of it as `Hyper`, their argument.
"""

from jaxdeep.config.compare import differences, refuse_other, short, shortened
from jaxdeep.config.config import Config, Hyper, Settings
from jaxdeep.config.data import Data
from jaxdeep.config.model import Model
from jaxdeep.config.optim import Optim
from jaxdeep.config.regularize import Regularize
from jaxdeep.config.schedule import Schedule
from jaxdeep.config.static import Static, Trained
from jaxdeep.config.train import Train
from jaxdeep.config.transfer import Phase, Transfer

__all__ = [
    "Config",
    "Data",
    "Hyper",
    "Model",
    "Optim",
    "Phase",
    "Regularize",
    "Schedule",
    "Settings",
    "Static",
    "Train",
    "Trained",
    "Transfer",
    "differences",
    "refuse_other",
    "short",
    "shortened",
]
