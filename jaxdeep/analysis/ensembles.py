"""Predictive uncertainty of several trained networks as one ensemble."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxdeep.analysis.metric_checks import not_probabilities
from jaxdeep.analysis.uncertainty import Uncertainty, entropy, moments
from jaxdeep.errors import UserError


def ensemble(probabilities: Sequence[np.ndarray] | np.ndarray) -> Uncertainty:
    """Return the predictive uncertainty of an ensemble of networks.

    The moments are computed like those from MC dropout, with networks in place of samples.

    Args:
        probabilities: Class probabilities [M, N, C] by M networks for the same N images. M is 2 or more and each row
            sums to 1.

    Returns:
        Moments and entropies of the N images in nats. Its samples are the probabilities [M, N, C].

    Raises:
        UserError: There are fewer than 2 networks, their shapes differ or a row is not a distribution over classes.

    Source: Lakshminarayanan, Pritzel, Blundell, "Simple and scalable predictive uncertainty estimation using deep
    ensembles" (2017).
    """
    return pooled_members(jnp.asarray(_members(probabilities)))


def pooled_members(samples: jax.Array) -> Uncertainty:
    """Return the predictive uncertainty of an ensemble without checks, so that it can be compiled.

    Args:
        samples: Class probabilities [M, N, C] by M networks for the same N images.

    Returns:
        Moments and entropies of the N images in nats. Its samples are the probabilities [M, N, C].
    """
    return moments(samples.mean(0), samples.var(0), entropy(samples).mean(0))._replace(samples=samples)


def _members(probabilities: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Return the probabilities as one array [M, N, C], after checks."""
    try:
        members = [np.asarray(member) for member in probabilities]
    except (TypeError, ValueError) as error:
        raise UserError(
            f"the networks' probabilities are not arrays ({error}). Give an array [N, C] for each network."
        ) from error
    if len(members) < 2:
        raise UserError(f"an ensemble has {len(members)} networks. Give 2 or more, for example by --seeds 5.")
    shapes = list(dict.fromkeys(member.shape for member in members))
    if len(shapes) > 1 or len(shapes[0]) != 2 or 0 in shapes[0]:
        raise UserError(
            f"the networks' probabilities have the shapes {', '.join(map(str, shapes))}. "
            "Give an array [N, C] for each network, with the same N images and N at least 1."
        )
    if not all(jnp.issubdtype(member.dtype, jnp.floating) for member in members):
        types = ", ".join(dict.fromkeys(str(member.dtype) for member in members))
        raise UserError(f"the networks' probabilities are {types}. Give floats, as Run.predict returns them.")
    samples = np.stack(members)
    wrong = not_probabilities(samples)
    if wrong.any():
        member, row = np.argwhere(wrong)[0]
        raise UserError(
            f"{wrong.sum()} of {wrong.size} rows are negative, not finite or do not sum to 1, the first of them row "
            f"{row} of member {member}. Give probabilities, as Run.predict returns them."
        )
    return samples
