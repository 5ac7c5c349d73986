"""Names of folders: without commas and vertical bars, which shells, links and spreadsheets take for something else."""

from collections.abc import Sequence

from jaxdeep.config import shortened


def folder_name(name: str) -> str:
    """Return a name of several parts as the name of a folder.

    Args:
        name: parts such as "optim.learning_rate=0.001,seed_42", separated by commas.

    >>> folder_name("optim.learning_rate=0.001,seed_42")
    'optim.learning_rate=0.001+seed_42'
    """
    return shortened(name.replace(",", "+").replace("|", "_"))


def printable(value: object) -> str:
    """Return a path or a message as text that every stream and log takes.

    A name that is no text keeps its bytes as escapes.

    Args:
        value: any value.
    """
    return str(value).encode(errors="backslashreplace").decode()


def old_folder_name(parts: Sequence[str]) -> str:
    """Return the name that version 0.1 gave to the folder of a study.

    Args:
        parts: parts of the name.

    >>> old_folder_name(["elu", "optim.learning_rate=0.001|0.01"])
    'elu,optim.learning_rate=0.001|0.01'
    """
    return shortened(",".join(parts))
