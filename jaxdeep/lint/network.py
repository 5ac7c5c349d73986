"""Mistakes of the network: SELU and alpha dropout outside of what they are made for, MC dropout without dropout."""

from itertools import pairwise
from typing import Final

import numpy as np

from jaxdeep.analysis.uncertainty import check_mc_dropout
from jaxdeep.config import Config, Model
from jaxdeep.config.choices import Layers, layer_indices
from jaxdeep.data.dataset import Dataset
from jaxdeep.errors import UserError
from jaxdeep.lint.finding import Finding
from jaxdeep.train.forward import model_of

LECUN: Final = ("lecun_normal", "lecun_uniform")
LARGEST_MEAN: Final = 0.1
VARIANCES: Final = (0.8, 1.5)
"""Means and variances from which SELU's fixed point (0, 1) attracts.

Source: Klambauer et al., "Self-normalizing neural networks" (2017), theorem 1.
"""
ROWS: Final = 1_000
"""Number of training rows that are looked at, evenly spread."""


def mc_dropout_without_dropout(config: Config, data: Dataset) -> Finding | None:
    """Find that nothing is random in MC dropout, so that all passes are the same. Ask it where MC dropout is wanted."""
    try:
        check_mc_dropout(model_of(config, data), config.model.dropout_rate, samples=2)
    except UserError as error:
        mend = "Give model.dropout_sites and a model.dropout_rate above 0."
        return Finding("mc-dropout-without-dropout", f"{str(error).rstrip('.')}. {mend}", 1)
    return None


def selu_without_lecun(config: Config, data: Dataset) -> Finding | None:
    """Find hidden kernels under SELU whose variance is not 1 / inputs.

    LeCun's initialisers have that variance. So have variance_scaling with scale 1 and fan_in, and orthogonal with gain
    1 where no layer is wider than its input. A user's own initialiser is not judged.
    """
    chosen = config.model.kernel_init
    if not _is_self_normalising(config.model) or not isinstance(chosen, str) or _is_lecun(config.model, data.inputs):
        return None
    return Finding(
        "selu-without-lecun",
        f"model.kernel_init is {chosen!r} with model.activation 'selu', which keeps mean 0 and variance 1 only from "
        "kernels of variance 1 / inputs. Use lecun_normal.",
        2,
    )


def selu_inputs_not_standardised(config: Config, data: Dataset) -> Finding | None:
    """Find that SELU's inputs, as they enter the network, have not about mean 0 and variance 1.

    The limits are LARGEST_MEAN and VARIANCES, widened by 3 / sqrt(rows) for what chance does. Columns that never
    change do not count. Rows that you standardised yourself pass, and so does batch normalisation of the input.
    """
    model = config.model
    is_normed = model.batch_norm_input or model.normed[0]
    if not _is_self_normalising(model) or is_normed or config.data.scaling == "standardize":
        return None
    mean, variance, rows = _moments(data)
    low, high = VARIANCES
    slack = 3 / np.sqrt(rows)
    if abs(mean) <= LARGEST_MEAN + slack and low - slack <= variance <= high + slack:
        return None
    return Finding(
        "selu-inputs-not-standardised",
        f"data.scaling is {config.data.scaling!r}: the inputs have mean {mean:.3g} and standard deviation "
        f"{np.sqrt(variance):.3g}, and SELU normalises itself only from about 0 and 1. Use data.scaling standardize.",
        2,
    )


def selu_with_penalty(config: Config, data: Dataset) -> Finding | None:
    """Find l1 or l2 on hidden kernels under SELU. A penalty of the output layer alone does no harm."""
    del data
    regularize = config.regularize
    names = [name for name in ("l1", "l2") if getattr(regularize, name) > 0]
    if not names or not _is_self_normalising(config.model) or not _is_hidden(regularize.penalized, config.model):
        return None
    fields = " and ".join(f"regularize.{name} is {getattr(regularize, name)}" for name in names)
    return Finding(
        "selu-with-penalty",
        f"{fields} with model.activation 'selu': a penalty shrinks the kernels below the variance that SELU's own "
        "normalisation needs. Stop early in its place, or use elu.",
        2,
    )


def selu_with_max_norm(config: Config, data: Dataset) -> Finding | None:
    """Find a max-norm on hidden units under SELU."""
    del data
    norm, constrained = config.regularize.max_norm, config.regularize.constrained
    if norm is None or not _is_self_normalising(config.model) or not _is_hidden(constrained, config.model):
        return None
    return Finding(
        "selu-with-max-norm",
        f"regularize.max_norm is {norm} with model.activation 'selu': a constraint keeps the kernels from the variance "
        "that SELU's own normalisation needs. Stop early in its place, or use elu.",
        2,
    )


def selu_with_dropout(config: Config, data: Dataset) -> Finding | None:
    """Find plain dropout in a network of SELU layers."""
    del data
    model = config.model
    if not any(model.dropped) or model.dropout != "dropout" or not _is_self_normalising(model):
        return None
    return Finding(
        "selu-with-dropout",
        "model.dropout is 'dropout' with model.activation 'selu': plain dropout changes the mean and the variance that "
        "SELU keeps. Use alpha_dropout.",
        2,
    )


def alpha_dropout_without_selu(config: Config, data: Dataset) -> Finding | None:
    """Find alpha dropout behind another activation than SELU. A user's own activation is not judged."""
    del data
    model = config.model
    if not any(model.dropped) or model.dropout != "alpha_dropout" or not isinstance(model.activation, str):
        return None
    if model.activation == "selu":
        return None
    return Finding(
        "alpha-dropout-without-selu",
        f"model.dropout is 'alpha_dropout' with model.activation {model.activation!r}: it sets values to SELU's lower "
        "bound, and keeps mean and variance only behind SELU. Use dropout, or selu with lecun_normal.",
        3,
    )


def _is_self_normalising(model: Model) -> bool:
    """Whether SELU is to keep the scale of some layer, which batch normalisation would do in its place."""
    return model.activation == "selu" and not all(model.normed)


def _is_lecun(model: Model, inputs: int) -> bool:
    match model.kernel_init:
        case "variance_scaling":
            return model.init_scale == 1 and model.init_mode == "fan_in"
        case "orthogonal":
            return model.init_scale == 1 and all(before >= units for before, units in pairwise((inputs, *model.units)))
    return model.kernel_init in LECUN


def _is_hidden(layers: Layers, model: Model) -> bool:
    """Whether a hidden layer is among these."""
    hidden = len(model.units)
    return min(layer_indices(layers, hidden + 1)) < hidden


def _moments(data: Dataset) -> tuple[float, float, int]:
    """Mean and variance of all values of training rows as they enter the network, and the number of these rows."""
    chosen = np.linspace(0, data.train.size - 1, min(data.train.size, ROWS)).astype(np.int32)
    rows = data.train.own_rows[chosen]
    values = (np.asarray(data.train.images[rows], np.float64) - np.asarray(data.mean)) * np.asarray(data.scale)
    varying = values[:, values.min(0) < values.max(0)]
    return (float(varying.mean()), float(varying.var()), len(rows)) if varying.size else (0.0, 1.0, len(rows))
