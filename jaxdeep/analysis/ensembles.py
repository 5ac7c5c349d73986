"""What several networks do not know, as an ensemble."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from jaxdeep.analysis.metric_checks import not_probabilities
from jaxdeep.analysis.uncertainty import Uncertainty, entropy, moments
from jaxdeep.errors import UserError


def ensemble(probabilities: Sequence[np.ndarray] | np.ndarray) -> Uncertainty:
    """Take the members of a study as one predictor: the same moments as over samples, over members.

    Args:
        probabilities: [M, N, C], by 2 or more networks for the same N images; each row sums to 1.

    Returns:
        Moments and doubts of N images.

    Raises:
        UserError: there are fewer than 2 members, their shapes differ, or a row is not one of probabilities.

    Source: Lakshminarayanan, Pritzel, Blundell, "Simple and scalable predictive uncertainty estimation using deep
    ensembles" (2017).
    """
    drawn = jnp.asarray(_members(probabilities))
    return moments(drawn.mean(0), drawn.var(0), entropy(drawn).mean(0))._replace(samples=drawn)


def _members(probabilities: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """[M, N, C], or a refusal."""
    try:
        members = [np.asarray(of_member) for of_member in probabilities]
    except (TypeError, ValueError) as error:
        raise UserError(f"the members' probabilities are not arrays: {error}. Give each network's [N, C]") from error
    if len(members) < 2:
        raise UserError(f"an ensemble of {len(members)} networks; allowed: 2 or more, as of --seeds 5")
    shapes = list(dict.fromkeys(of_member.shape for of_member in members))
    if len(shapes) > 1 or len(shapes[0]) != 2 or 0 in shapes[0]:
        raise UserError(
            f"the members' probabilities have the shapes {', '.join(map(str, shapes))}. "
            "Give each network's [N, C] for the same N images, N at least 1"
        )
    if not all(jnp.issubdtype(of_member.dtype, jnp.floating) for of_member in members):
        types = ", ".join(dict.fromkeys(str(of_member.dtype) for of_member in members))
        raise UserError(f"the members' probabilities are {types}. Give floats, as Run.predict returns them")
    drawn = np.stack(members)
    wrong = not_probabilities(drawn)
    if wrong.any():
        member, row = np.argwhere(wrong)[0]
        raise UserError(
            f"{wrong.sum()} of {wrong.size} rows are not probabilities, the first of them row {row} of member "
            f"{member}: they are negative, not finite, or do not sum to 1. Give what Run.predict returns"
        )
    return drawn
