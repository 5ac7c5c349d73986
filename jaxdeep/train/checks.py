"""What is refused before anything is compiled."""

import jax.numpy as jnp

from jaxdeep.config import Config
from jaxdeep.config.arguments import check_type
from jaxdeep.data.augmentation import check_augmentation
from jaxdeep.data.dataset import Dataset
from jaxdeep.errors import UserError
from jaxdeep.optim.schedules import check_length
from jaxdeep.train.functions import check_functions
from jaxdeep.train.memory import check_memory
from jaxdeep.train.step import length_of


def check_fits(config: Config, data: Dataset) -> None:
    """Refuse a configuration that cannot be run on a data set.

    Args:
        config: configuration of the run.
        data: data set of the run.

    Raises:
        UserError: an argument has another type, or JAX does not have the numbers of this type. The data set was made
            with another `Data`, the schedule has another length, or the augmentation needs images of another shape.
            The network is larger than the memory, or a function of the user's own cannot be traced.
    """
    check_type("config", config, Config, "a Config")
    check_type("data", data, Dataset, "a Dataset, as Dataset.from_arrays makes it")
    check_dtype(config)
    data.check_prepared_as(config.data)
    check_memory(config, data)
    check_length(config.schedule, length_of(config, data))
    check_augmentation(config.data, data.image_shape)
    check_functions(config, data)


def check_dtype(config: Config) -> None:
    """Refuse float64 if JAX would make float32 of it.

    Args:
        config: configuration of the run.

    Raises:
        UserError: `train.dtype` is float64, and JAX has not enabled it.
    """
    if config.train.dtype == "float64" and jnp.zeros(()).dtype != "float64":
        raise UserError('train.dtype is float64, which needs jax.config.update("jax_enable_x64", True) first')
