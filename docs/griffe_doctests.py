"""A griffe extension: doctest examples of a docstring become code blocks on the site."""

import re
from typing import Any, Final

import griffe

EXAMPLE: Final = re.compile(r"^>>> .*?(?=\n\s*\n(?!>>>)|\Z)", re.DOTALL | re.MULTILINE)


class Doctests(griffe.Extension):
    """Puts the examples of each docstring between the fences of a code block."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite the docstring of an object.

        Args:
            obj: a module, class, function or attribute.
            kwargs: what else griffe hands over.
        """
        del kwargs
        if obj.docstring is not None:
            obj.docstring.value = EXAMPLE.sub(lambda found: f"```pycon\n{found.group()}\n```", obj.docstring.value)
