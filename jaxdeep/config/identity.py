"""What two runs must share to be the same: the fields of a configuration that can change a result."""

from collections.abc import Mapping
from typing import Any, Final

from jaxdeep.config.compare import differences
from jaxdeep.config.config import Config
from jaxdeep.config.parts import PARTS

WITHOUT_EFFECT: Final[frozenset[str]] = frozenset()
"""Fields, by dotted name, that change what is shown of a run and none of its figures. Two runs may differ in them."""

DEFAULTS_BEFORE: Final = {"data.valid_size": 5_000, "model.units": (100,) * 20}
"""Defaults of the versions that stored a configuration without a field, where those of this version differ."""


def comparable(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run is, in the fields of this version.

    A field that the stored configuration lacks has the default of its time: the version that wrote it lacked it too. A
    field of WITHOUT_EFFECT is left out.

    Args:
        identity: what a run or a study is, as nested JSON values. Its `config` may be of an earlier version.

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
    """Return the fields in which a configuration differs from another, by dotted name, with its values.

    Args:
        base: Configuration that is compared with, as nested JSON values.
        config: Configuration whose values are returned, as nested JSON values. It may be of an earlier version.

    >>> changed_fields({"train": {"epochs": 2}}, {"train": {"epochs": 5}})
    {'train.epochs': 5}
    """
    one, other = (comparable({"config": of})["config"] for of in (base, config))
    return {name: value for name, (_, value) in differences(one, other).items()}
