"""Checks that refuse a run before anything is compiled."""

import jax

from jaxdeep.config import Config
from jaxdeep.config.arguments import check_type
from jaxdeep.data.augmentation import check_augmentation
from jaxdeep.data.dataset import Dataset
from jaxdeep.data.subsets import selected
from jaxdeep.errors import UserError
from jaxdeep.optim.schedules import check_length
from jaxdeep.train.functions import check_functions
from jaxdeep.train.memory import check_memory
from jaxdeep.train.step import length_of


def check_fits(config: Config, data: Dataset) -> None:
    """Refuse a configuration that cannot be trained on a data set.

    Args:
        config: Configuration to train.
        data: Data set to train on.

    Raises:
        UserError: An argument has another type. JAX has not enabled float64. The data set was made with another `Data`.
            The schedule has another length. The augmentation needs images of another shape. The network is larger than
            the memory. One sigmoid unit is to tell more than two classes apart. JAX cannot trace a function of the
            user's own.
    """
    check_type("config", config, Config, "a Config")
    check_type("data", data, Dataset, "a Dataset, as Dataset.from_arrays makes it")
    check_dtype(config)
    data = selected(data, config.data)
    check_memory(config, data)
    check_length(config.schedule, length_of(config, data))
    check_augmentation(config.data, data.image_shape)
    check_functions(config, data)


def check_dtype(config: Config) -> None:
    """Refuse float64 if JAX would make float32 of it.

    Args:
        config: Configuration to train.

    Raises:
        UserError: `train.dtype` is float64 and JAX has not enabled it.
    """
    if config.train.dtype == "float64" and jax.dtypes.canonicalize_dtype("float64") != "float64":
        raise UserError(
            "train.dtype is float64, which needs JAX's 64-bit types. "
            'Call jax.config.update("jax_enable_x64", True) first.'
        )
