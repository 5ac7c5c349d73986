"""Find words that docs/words.txt rules out: `python -m docs.words jaxdeep README.md`.

The docstrings of Python files and the prose of Markdown files are read. Code, tables and HTML comments are not.
"""

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

LIST: Final = Path(__file__).with_name("words.txt")
CODE: Final = re.compile(r"```.*?```|<!--.*?-->|``?[^`\n]+``?|^ *>>> [^\n]*$|^ *\|[^\n]*$", re.DOTALL | re.MULTILINE)
SECTION: Final = re.compile(r"^ *(Args|Returns|Attributes|Raises|Yields):$")
ENTRY_OPENINGS: Final = re.compile(r"^ +(?:\*{0,2}\w+: )?(of|as|likewise|ditto)\b", re.IGNORECASE)


class Prose(NamedTuple):
    """A docstring, or the text of a Markdown file.

    Attributes:
        path: File that holds the text.
        line: Line of the file at which the text begins, counted from 1.
        text: Text with its line breaks.
    """

    path: Path
    line: int
    text: str


class Finding(NamedTuple):
    """A place in a file that breaks a rule.

    Attributes:
        path: File that holds the place.
        line: Line of the file, counted from 1.
        message: What is wrong, and what to write.
    """

    path: Path
    line: int
    message: str


def prose_of(path: Path) -> Iterator[Prose]:
    """Yield the docstrings of a Python file, or the text of a Markdown file.

    Strings behind the assignments of a module or a class count as docstrings.

    Args:
        path: A .py or .md file.

    Yields:
        One text after the other, in the order of the file.
    """
    if path.suffix != ".py":
        yield Prose(path, 1, path.read_text())
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            continue
        strings = [inner for inner in node.body if isinstance(inner, ast.Expr)]
        for inner in strings:
            if isinstance(inner.value, ast.Constant) and isinstance(inner.value.value, str):
                yield Prose(path, inner.lineno, inner.value.value)


def rules() -> list[tuple[re.Pattern[str], str]]:
    """Return the patterns of words.txt, each with the words to write in their place."""
    lines = [line for line in LIST.read_text().splitlines() if line and not line.startswith("#")]
    pairs = [line.split(" -> ") for line in lines]
    spaced = [(pattern.replace(" ", r"\s+"), instead) for pattern, instead in pairs]  # a line may end between two words
    return [(re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE), instead) for pattern, instead in spaced]


def findings(prose: Prose) -> Iterator[Finding]:
    """Yield the places of a text that break a rule.

    Args:
        prose: Docstring or page.

    Yields:
        One finding for each place.
    """

    def finding(start: int, message: str) -> Finding:
        return Finding(prose.path, prose.line + prose.text.count("\n", 0, start), message)

    text = CODE.sub(lambda code: re.sub(r"[^\n]", "_", code.group()), prose.text)
    for pattern, instead in rules():
        for match in pattern.finditer(text):
            words = " ".join(match.group().split())
            yield finding(match.start(), f'"{words}": write {instead}.')
    if prose.path.suffix != ".py":
        return
    for match in re.finditer(";", text):
        yield finding(match.start(), "a semicolon: write two sentences.")
    in_section, start = False, 0
    for line in text.splitlines(keepends=True):
        if SECTION.match(line.rstrip()):
            in_section = True
        elif not line.strip():
            in_section = False
        elif in_section and (match := ENTRY_OPENINGS.match(line)) and ":" in line:
            yield finding(start, f'an entry begins with "{match.group(1)}": say what the value is.')
        start += len(line)


def main(arguments: Sequence[str]) -> int:
    """Print the findings in files and folders.

    Args:
        arguments: Paths of files, and of folders whose Python files are read.

    Returns:
        The exit status: 1 if there is a finding, else 0.
    """
    paths = [path for name in arguments for path in (sorted(Path(name).rglob("*.py")) or [Path(name)])]
    found = [finding for path in paths for prose in prose_of(path) for finding in findings(prose)]
    for path, line, message in found:
        print(f"{path}:{line}: {message}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
