"""Does dropout make a model sparse?"""

from typing import Final

from experiments.lab.claim import RATIO, Claim, Outcome, Part, Table
from experiments.lab.contrasts import ratio
from experiments.lab.lab import BASE, REDUCED, Lab, arms_of
from experiments.lab.tables import estimate_text
from jaxdeep.compress import sparsity_of

ARMS: Final = {"no dropout": {}, "dropout": {"model.dropout_sites": "every", "model.dropout_rate": 0.2}}
NEARLY_ZERO: Final = 1e-3


def measure(lab: Lab) -> Outcome:
    """Compare the shares of weights near zero with and without dropout."""
    shares = {
        name: [sparsity_of(run, below=NEARLY_ZERO) for run in lab.runs(config, seeds=5)]
        for name, config in arms_of(BASE, ARMS).items()
    }
    words = "With dropout at least twice as many weights lie within 0.001 of zero."
    part = Part("near zero, dropout / none", words, ratio(shares["dropout"], shares["no dropout"]), RATIO, 2.0)
    rows = [[name, estimate_text([100 * share for share in of], 2)] for name, of in shares.items()]
    return Outcome([part], [Table("Weights within 0.001 of zero, in percent", ["", "percent"], rows)], REDUCED)


CLAIM: Final = Claim(
    name="dropout_sparse",
    statement="Dropout makes a model sparse.",
    section="Dropout",
    hypothesis="With dropout of .2 at least twice as many kernel entries lie within .001 of zero.",
    measure=measure,
    sources=("002",),
    questions=(6,),
)
