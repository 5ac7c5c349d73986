"""All claims, in the order of the chapter."""

from collections.abc import Mapping
from typing import Final

from experiments.claims.activations import CLAIM as ACTIVATIONS
from experiments.claims.biases import CLAIM as BIASES
from experiments.claims.symmetry import CLAIM as SYMMETRY
from experiments.lab.claim import Claim

CLAIMS: Final[Mapping[str, Claim]] = {
    claim.name: claim
    for claim in (
        SYMMETRY,
        BIASES,
        ACTIVATIONS,
    )
}
