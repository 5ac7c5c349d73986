"""Every file and every function that docs/design.md names exists, and no question takes more than five files."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "design.md").read_text()
QUESTIONS = dict(re.findall(r"^## ([^\n]+\?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
CODE = re.compile(r"`([^`\n]+)`")


def entries(text: str) -> list[str]:
    """Return the numbered entries of a question, each with its following lines."""
    return re.findall(r"^\d\. .*?(?=^\d\. |\Z)", text, re.MULTILINE | re.DOTALL)


def names_in(path: Path) -> set[str]:
    """Return what a file defines: functions, classes, their methods and fields, as `Class.method`."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{part.name}" for part in node.body if isinstance(part, ast.FunctionDef)}
            fields = (part.target for part in node.body if isinstance(part, ast.AnnAssign))
            found |= {f"{node.name}.{field.id}" for field in fields if isinstance(field, ast.Name)}
    return found


def test_there_are_five_questions() -> None:
    assert len(QUESTIONS) == 5
    for text in QUESTIONS.values():
        assert len(entries(text)) >= 1
        assert len({code for code in CODE.findall(text) if "/" in code}) <= 5


@pytest.mark.parametrize("path", sorted({code for code in CODE.findall(PAGE) if "/" in code}))
def test_every_file_that_is_named_exists(path: str) -> None:
    assert (ROOT / path).is_file()


@pytest.mark.parametrize("title", QUESTIONS)
def test_every_function_stands_in_the_file_of_its_entry(title: str) -> None:
    """A word of an entry is a path, a flag, `Config`, or a name of one of the entry's files."""
    for entry in entries(QUESTIONS[title]):
        codes = CODE.findall(entry)
        assert entry.startswith(tuple(f"{number}. `{codes[0]}`: " for number in range(1, 6)))
        defined = {"Config"}.union(*(names_in(ROOT / code) for code in codes if "/" in code))
        named = [code.removesuffix("()") for code in codes if "/" not in code and not code.startswith("--")]
        assert named, "an entry names a function"
        assert not set(named) - defined
