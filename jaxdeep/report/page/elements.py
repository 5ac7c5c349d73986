"""HTML as a tree of elements. Texts and attributes are escaped when the tree is written, so no name can be markup.

The tree is the standard library's. A page needs no template language: a table or a section is a small function.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from jaxdeep.errors import UserError

Node = Element | str | None
"""An element, a text, or nothing."""
NOT_IN_HTML: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
"""Characters that HTML has no place for. U+FFFD stands in their place."""


def element(tag: str, *children: Node | Iterable[Node], **attributes: str | None) -> Element:
    """Return an element.

    Args:
        tag: Name of the element, such as "p".
        children: Elements and texts inside, or iterables of these. None is left out.
        attributes: Value of each attribute. None leaves it out. A name ends with "_" where Python has the word, and "_"
            inside a name stands for "-".

    >>> html_of(element("p", "a ", element("b", "c"), class_="note", aria_label="d"))
    '<p class="note" aria-label="d">a <b>c</b></p>'
    """
    given = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
    found = Element(tag, {name: clean(value) for name, value in given.items() if value is not None})
    for child in children:
        for node in [child] if child is None or isinstance(child, Element | str) else child:
            _append(found, node)
    return found


def _append(parent: Element, node: Node) -> None:
    """Put a node behind the others of an element."""
    if isinstance(node, Element):
        parent.append(node)
    elif node is not None and len(parent):
        parent[-1].tail = (parent[-1].tail or "") + clean(node)
    elif node is not None:
        parent.text = (parent.text or "") + clean(node)


def clean(text: str) -> str:
    r"""Return a text without characters that HTML has no place for.

    >>> clean("a\x00b")
    'a\ufffdb'
    """
    return NOT_IN_HTML.sub("\ufffd", text)


def html_of(node: Element) -> str:
    """Return an element as HTML.

    Args:
        node: Element with all that is inside.
    """
    return ElementTree.tostring(node, encoding="unicode", method="html")


def text_of(node: Node) -> str:
    """Return the text of a node without its elements.

    >>> text_of(element("p", "a ", element("b", "c")))
    'a c'
    """
    return "" if node is None else node if isinstance(node, str) else "".join(node.itertext())


def code(text: str) -> Element:
    """Return a text as code.

    Args:
        text: Command or name.
    """
    return element("code", text)


class Names:
    """Gives each section, table and figure of a page an id of its own."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def of(self, *words: str) -> str:
        """Return a new id that is made of words.

        Args:
            words: Words of any characters, the outermost section first.

        >>> names = Names()
        >>> names.of("runs", "cifar/elu,x=1"), names.of("runs", "cifar/elu,x=1"), names.of("<b>")
        ('runs-cifar-elu-x-1', 'runs-cifar-elu-x-1-2', 'b')
        """
        plain = unicodedata.normalize("NFKD", " ".join(words)).encode("ascii", "ignore").decode().lower()
        name = re.sub(r"[^a-z0-9_]+", "-", plain).strip("-") or "part"
        found, count = name, 1
        while found in self._given:
            count += 1
            found = f"{name}-{count}"
        self._given.add(found)
        return found


def check_tag(text: str, tag: str) -> str:
    """Return a style sheet or a script that cannot end its own element.

    Args:
        text: Content of the element.
        tag: Name of the element, "style" or "script".

    Raises:
        UserError: The text would end the element.
    """
    if f"</{tag}" in text.lower():
        raise UserError(f"the {tag} holds </{tag}, which would end it. Write it in another way.")
    return text
