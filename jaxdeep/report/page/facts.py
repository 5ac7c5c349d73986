"""What a result rests on: command, data, date, machine, versions and configuration, as a list of terms and values."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from xml.etree.ElementTree import Element

from jaxdeep.config import Config, short
from jaxdeep.config.identity import changed_fields
from jaxdeep.errors import UserError
from jaxdeep.report.page.elements import Node, code, element

LONGEST_COMMAND: Final = 300
"""Characters of a command that is shown without a fold."""


def facts_list(facts: Mapping[str, Node]) -> Element:
    """Return terms and values. A term without a value is left out.

    Args:
        facts: Value of each term.
    """
    shown = {term: value for term, value in facts.items() if value is not None and value != ""}
    entries = ((element("dt", term), element("dd", value)) for term, value in shown.items())
    return element("dl", (node for entry in entries for node in entry), class_="facts")


def fold(title: str, *content: Node | Sequence[Node]) -> Element:
    """Return content that opens on demand.

    Args:
        title: What is inside.
        content: Elements and texts.
    """
    return element("details", element("summary", title), *content)


def command_node(command: str | None) -> Node:
    """Return a command as code, behind a fold if it is very long. Return None without one."""
    if not command:
        return None
    return code(command) if len(command) <= LONGEST_COMMAND else fold(f"{command[:80]} ...", code(command))


def data_in_full(data: Mapping[str, Any]) -> str:
    """Return the name, the source and the digest of a data set.

    Args:
        data: Name, source, synthetic and digest of the data set. Each may be missing.

    >>> data_in_full({"name": "mnist", "source": "classic files", "synthetic": False, "digest": "0a1b"})
    'mnist, classic files, digest 0a1b'
    >>> data_in_full({"name": "m", "synthetic": True})
    'm, synthetic'
    """
    parts = [data.get("name"), data.get("source"), "synthetic" if data.get("synthetic") else None]
    digest = data.get("digest")
    return ", ".join(str(part) for part in (*parts, f"digest {digest}" if digest else None) if part)


def versions_in_words(versions: Mapping[str, Any] | None) -> str:
    """Return the versions of Python and of the packages in one line.

    >>> versions_in_words({"python": "3.11.7", "jax": "0.10.2"})
    'python 3.11.7, jax 0.10.2'
    """
    return ", ".join(f"{name} {version}" for name, version in (versions or {}).items())


def duration(seconds: float | None) -> str:
    """Return a time in words, or "" if it is not known.

    >>> duration(3.21), duration(125.0), duration(7300.0), duration(None)
    ('3.2 s', '2 min 05 s', '2 h 02 min', '')
    """
    if seconds is None:
        return ""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    if round(seconds) < 3_600:
        return "{} min {:02} s".format(*divmod(round(seconds), 60))
    return "{} h {:02} min".format(*divmod(round(seconds / 60), 60))


def configuration_nodes(config: Mapping[str, Any], changed: Mapping[str, Any] | None) -> list[Element]:
    """Return what differs from the named configuration, and behind a fold all that differs from the defaults.

    Args:
        config: Configuration as nested JSON values.
        changed: JSON value of each field that differs from the named configuration. None if that is not known.
    """
    try:
        own = changed_fields(Config().to_dict(), config)
    except (UserError, AttributeError, KeyError, TypeError):
        return [fold("Configuration", element("pre", json.dumps(config, indent=1, default=str)))]
    nodes = [_fields("Changed from the named configuration", changed)] if changed else []
    title = f"Configuration: {len(own)} field{'' if len(own) == 1 else 's'} differ from the defaults"
    return [*nodes, fold(title, facts_list({name: code(short(value)) for name, value in own.items()}))]


def _fields(title: str, fields: Mapping[str, Any]) -> Element:
    words = ", ".join(f"{name} = {short(value)}" for name, value in fields.items())
    return element("p", f"{title}: ", code(words), class_="note")
