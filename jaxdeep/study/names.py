"""Names of folders without commas and vertical bars, which shells, links and spreadsheets misread."""

from collections.abc import Sequence

from jaxdeep.config import shortened


def folder_name(name: str) -> str:
    """Return the folder name for a name of several parts.

    Args:
        name: Parts separated by commas, such as "optim.learning_rate=0.001,seed_42".

    >>> folder_name("optim.learning_rate=0.001,seed_42")
    'optim.learning_rate=0.001+seed_42'
    """
    return shortened(name.replace(",", "+").replace("|", "_"))


def printable(value: object) -> str:
    """Return a path or a message as text that every stream and log accepts. Undecodable bytes become escapes.

    Args:
        value: Any value.
    """
    return str(value).encode(errors="backslashreplace").decode()


def old_folder_name(parts: Sequence[str]) -> str:
    """Return the folder name that version 0.1 gave to a study.

    Args:
        parts: Parts of the name.

    >>> old_folder_name(["elu", "optim.learning_rate=0.001|0.01"])
    'elu,optim.learning_rate=0.001|0.01'
    """
    return shortened(",".join(parts))
