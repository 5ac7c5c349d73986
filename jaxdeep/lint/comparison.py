"""The mistake of a comparison: more differs than the thing that it is about."""

from typing import Final

from jaxdeep.config import Config, differences
from jaxdeep.lint.finding import Finding

NETWORK: Final = "the network"
RATE: Final = "optim.learning_rate"
THINGS: Final = {
    "model": NETWORK,
    "regularize": NETWORK,
    "optim": "the optimizer",
    "schedule": "the schedule",
    "train": "the loop",
    "data": "the images",
    "transfer": "the reused layers",
}
"""Things that can be compared, by part of a configuration."""


def compared(one: Config, other: Config) -> Finding | None:
    """Find that two configurations differ in more than one thing, so that figures of both cannot tell which matters.

    A thing is the network with its regularisers, the optimizer, the schedule, the loop with its batch size, or how the
    images are scaled. An optimizer, a schedule, a batch size and a scaling each need a learning rate of their own, so
    the rate counts beside another network only.

    Args:
        one: A configuration.
        other: The configuration that it is compared with.

    Returns:
        A finding whose message lists the fields by thing, or None.

    >>> from dataclasses import replace
    >>> from jaxdeep.config import Model, Train
    >>> elu = Config(model=Model(activation="elu", kernel_init="he_normal"))
    >>> compared(Config(), elu) is None
    True
    >>> compared(Config(), replace(elu, train=Train(batch_size=128))).name
    'more-than-one-difference'
    """
    fields: dict[str, list[str]] = {}
    for field in differences(one.to_dict(), other.to_dict()):
        fields.setdefault(THINGS[field.partition(".")[0]], []).append(field)
    if fields.get("the optimizer") == [RATE] and NETWORK not in fields and len(fields) > 1:
        del fields["the optimizer"]
    if len(fields) < 2:
        return None
    mend = "Change one at a time."
    if fields.get("the optimizer") == [RATE]:
        fields["the learning rate"] = fields.pop("the optimizer")
        mend = "Change one at a time, or see that each rate is the best of its network."
    listed = " and ".join(f"{thing} ({', '.join(names)})" for thing, names in fields.items())
    return Finding(
        "more-than-one-difference",
        f"the two differ in {listed}: no difference of their figures can be put down to one of these. {mend}",
        9,
    )
