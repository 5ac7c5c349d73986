"""Identity of a run: the fields of a configuration that can change a result."""

from collections.abc import Mapping
from typing import Any, Final

from jaxdeep.config.compare import differences
from jaxdeep.config.config import Config
from jaxdeep.config.parts import PARTS

WITHOUT_EFFECT: Final[frozenset[str]] = frozenset({"transfer.source"})
"""Dotted names of fields that change no figure of a run. A source is identified by its digest, not by its path."""

DEFAULTS_BEFORE: Final = {"data.valid_size": 5_000, "model.units": (100,) * 20}
"""Defaults of earlier versions that this version changed. A stored configuration that lacks the field meant these."""


def comparable(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return the identity of a run in the fields of this version.

    A field that the stored configuration lacks has the default of its time. A field of WITHOUT_EFFECT is left out.

    Args:
        identity: Identity of a run or a study as nested JSON values. An earlier version may have written its `config`.

    >>> comparable({"seed": 3, "config": {"train": {"epochs": 2}}})["config"]["train"]["keep"]
    'best'
    """
    config = identity.get("config")
    if not isinstance(config, Mapping):
        return dict(identity)
    defaults = Config().updated(DEFAULTS_BEFORE).to_dict()
    parts = {**dict.fromkeys(PARTS), **config}
    filled = {
        part: {
            name: value
            for name, value in {**defaults.get(part, {}), **(config.get(part) or {})}.items()
            if f"{part}.{name}" not in WITHOUT_EFFECT
        }
        for part in parts
        if isinstance(config.get(part, {}), Mapping)
    }
    others = {part: value for part, value in config.items() if part not in filled}
    return {**identity, "config": {**filled, **others}}


def changed_fields(base: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields in which a configuration differs from another. Each dotted name has its value.

    Args:
        base: Configuration that is compared with as nested JSON values.
        config: Configuration whose values are returned as nested JSON values. It may be of an earlier version.

    >>> changed_fields({"train": {"epochs": 2}}, {"train": {"epochs": 5}})
    {'train.epochs': 5}
    """
    one, other = (comparable({"config": of})["config"] for of in (base, config))
    return {name: value for name, (_, value) in differences(one, other).items()}
