"""The examples of the documents run: Python blocks, and each command of the console blocks.

The blocks of a page run in their order, in one empty folder with a small `mine.npz`. Python blocks share a namespace.
Commands that train run on small images, with small networks, three epochs and two seeds at most (small_documents.py).
Commands of `make`, `pip` and the shell are not run: their targets, extras and flags must exist.

A `text` block straight behind another block shows its output. Each of its lines must have been printed, but for its
numbers, since processors round apart and commands are made small. A line `...` stands for lines that are left out. Put
`<!-- skip: next -->` before a block that cannot run.
"""

import contextlib
import io
import json
import os
import re
import shlex
import sys
import tomllib
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import nbformat
import numpy as np
import pytest
from small_data import lean_compilation
from small_documents import EXPERIMENTS, small_commands
from sybil import Document, Example, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser, SkipParser

import bench.keras_reference
import bench.options
import jaxdeep
from bench.questions import QUESTIONS
from docs import publish
from docs.pages.notebook import commands_of, notebook
from jaxdeep.cli.main import HELP

ROOT = Path(__file__).parent.parent
PAGES = ["README.md", "CONTRIBUTING.md", *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/**/*.md"))]
NUMBER = re.compile(r"[-+]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?")
SHELL = {"source", "cd", "export", "git", "ls", "cat", "bash", "pre-commit", "tensorboard"}
"""Programs whose words are not looked at."""
COMMAND = re.compile(r"^!(?:python -m |(?=jaxdeep ))", re.MULTILINE)


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path) -> Path:
    """An empty folder with a user's file."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 4))
    np.savez(tmp_path / "mine.npz", x=rows, y=(rows[:, 0] > 0).astype(int))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run() -> Iterator[Callable[[list[str]], int]]:
    with small_commands() as run, lean_compilation():
        yield run


@contextlib.contextmanager
def as_a_user_has_it() -> Iterator[None]:
    """JAX as it is by default, less strict than in the tests."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def masked(text: str) -> list[str]:
    """Return the lines of a text with each number as #, and single spaces.

    An interval that ends at its range has its ends in place of its half. The few seeds of a test have such intervals.
    """
    lines = (" ".join(NUMBER.sub("#", line).split()) for line in text.splitlines())
    return [line.replace("# (# to #)", "# ± #") for line in lines]


def check_words(words: list[str]) -> None:
    """Refuse a command that is not run and does not exist."""
    program, *given = words
    if program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert {word for word in given if "=" not in word} <= set(targets), f"no such target: {words}"
    elif program.endswith("pip"):
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        found = re.findall(r"\[([\w,]+)\]", " ".join(given))
        assert {extra for names in found for extra in names.split(",")} <= set(extras), f"no such extra: {words}"
    else:
        assert program in SHELL, f"{words} is neither run nor known: write a jaxdeep command, or skip the block"


def run_line(line: str, run: Callable[[list[str]], int]) -> str:
    """Run a line of a console block and return what it printed."""
    words = shlex.split(line, comments=True)
    if words[:2] == ["make", "cifar"]:
        given = dict(word.split("=", 1) for word in words[2:])
        words = ["python", "-m", "experiments.cifar", *shlex.split(given.get("ARGS", "--config selu"))]
    if words[:1] == ["jaxdeep"]:
        words = ["python", "-m", *words]
    if not words[0].endswith("python"):
        check_words(words)
        return ""
    is_file = words[1].endswith(".py")
    assert words[1] == "-m" or is_file, f"{line}: only modules and files are run"
    module, *given = words[1 if is_file else 2 :]
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        if module in EXPERIMENTS or module in ("jaxdeep", "experiments.compress") or is_file:
            status = run([module, *given])
            assert status == 0, f"{line}: status {status}\n{output.getvalue()}"
        elif module == "bench":
            bench.options.parse(list(QUESTIONS), given, lambda: {"device": {"platform": "cpu"}})
        elif module == "docs.publish":
            publish.parser().parse_args(given)
        else:
            check_module(module, given)
    return output.getvalue()


def check_module(module: str, given: list[str]) -> None:
    """Refuse a module that does not exist, or a flag that its source does not name."""
    place = ROOT / module.replace(".", "/")
    path = place / "__main__.py" if place.is_dir() else place.with_suffix(".py")
    assert path.is_file() or module in ("pytest", "pip", "mkdocs"), f"no module {module}"
    if path.is_file():
        flags = [word for word in given if word.startswith("--")]
        assert not [flag for flag in flags if f'"{flag}"' not in path.read_text()], f"no such flag: {module} {given}"


def examples(page: str, run: Callable[[list[str]], int]) -> Document:
    """Return a page with its blocks, which know how to run."""
    printed: list[str] = []
    ends: list[int] = []

    def python(example: Example) -> None:
        output = io.StringIO()
        with contextlib.redirect_stdout(output), as_a_user_has_it():
            evaluator(example)
        printed[:], ends[:] = [output.getvalue()], [example.end]

    def console(example: Example) -> None:
        with as_a_user_has_it():
            printed[:], ends[:] = [run_line(line, run) for line in commands_of(example.parsed)], [example.end]

    def text(example: Example) -> None:
        lines = masked("\n".join(printed))
        is_output = ends and not example.document.text[ends[0] : example.start].strip()
        if is_output and lines:  # what is not run prints nothing
            shown = [line for line in masked(example.parsed) if line and line != "..."]
            assert [line for line in shown if line not in lines] == [], "\n".join(["is not printed; this is:", *lines])

    evaluator = PythonEvaluator()
    parsers = [CodeBlockParser("python", python), CodeBlockParser("console", console), CodeBlockParser("bash", console)]
    return Sybil([*parsers, CodeBlockParser("text", text), SkipParser()]).parse(ROOT / page)


@pytest.mark.parametrize("page", [page for page in PAGES if page not in publish.NOTEBOOKS.values()])  # they run whole
def test_the_examples_of_a_page_run(page, run, monkeypatch) -> None:
    document = examples(page, run)
    module = types.ModuleType("example")
    monkeypatch.setitem(sys.modules, "example", module)
    document.namespace = vars(module)
    for example in document:
        example.evaluate()


def test_the_readme_has_at_most_160_lines_and_one_table_of_seven_configurations() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 160
    table = text.partition("<!-- table: exercise -->\n")[2].partition("\n<!-- end")[0].splitlines()
    assert len(table) == 2 + 7
    assert max(map(len, table)) <= 80


def test_the_reference_has_every_public_name() -> None:
    named = re.findall(r"^::: jaxdeep\.(?:lint\.)?(\w+)$", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE)
    assert sorted([*named, "__version__"]) == sorted(jaxdeep.__all__)


PAGE = """# A page

Text with `code`.

```python
x = 1
print(x)
```

```console
python -m experiments.cifar --list  # all
jaxdeep train mine.npz --epochs 1
```

```text
1
```
"""


def test_a_notebook_has_the_pages_blocks_as_cells_and_is_the_same_again() -> None:
    found = nbformat.reads(notebook(PAGE), as_version=4)
    nbformat.validate(found)
    setup, *cells = found.cells
    assert "PYTHONPATH" in setup.source
    assert [cell.cell_type for cell in cells] == ["markdown", "code", "code", "markdown"]
    assert cells[1].source == "x = 1\nprint(x)"
    assert cells[2].source.splitlines() == [
        "!python -m experiments.cifar --list  # all",
        "!jaxdeep train mine.npz --epochs 1",
    ]
    assert not any(cell.get("outputs") for cell in cells)
    assert notebook(PAGE) == notebook(PAGE)
    ids = [cell["id"] for cell in json.loads(notebook(PAGE + "More.\n"))["cells"]]
    assert ids[:4] == [cell.id for cell in found.cells][:4]
    assert len(set(ids)) == len(ids)


def executed(text: str, folder: Path, monkeypatch) -> nbformat.NotebookNode:
    """Return a notebook that was executed in a folder, with commands that were made small and must succeed."""
    from nbclient import NotebookClient

    found = nbformat.reads(text, as_version=4)
    small = f"python {shlex.quote(str(ROOT / 'tests' / 'small_documents.py'))} -m "
    for cell in (cell for cell in found.cells if cell.cell_type == "code"):
        lines = [
            f"{line}\nassert not _exit_code" if line.startswith("!") else line for line in cell.source.splitlines()
        ]
        cell.source = COMMAND.sub(lambda _: "!" + small, "\n".join(lines))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return NotebookClient(found, timeout=600, kernel_name="python3", resources={"metadata": {"path": folder}}).execute()


def test_a_notebooks_cells_run_by_its_own_python(here, monkeypatch) -> None:
    monkeypatch.setenv("PATH", os.defpath)
    page = PAGE.replace("jaxdeep train mine.npz --epochs 1\n", "")
    page = page.replace("print(x)", "import sys\nprint(sys.executable)")
    cells = executed(notebook(page), here, monkeypatch).cells
    assert cells[2].outputs[0].text.strip() == sys.executable
    assert "selu" in cells[3].outputs[0].text


@pytest.mark.slow
@pytest.mark.parametrize("path", publish.NOTEBOOKS)
def test_the_notebook_of_a_page_runs(path, here, monkeypatch) -> None:
    assert executed((ROOT / path).read_text(), here, monkeypatch).cells


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("make cifra", "no such target"),
        ("pip install -e '.[benhc]'", "no such extra"),
        ("python -m experiments.cifar --config nobody", "status 2"),
        ("python -m docs.word README.md", "no module docs.word"),
        ("python -m bench.keras_reference --seed 8", "no such flag"),
        ("pyhton -m jaxdeep", "neither run nor known"),
        ("python -c pass", "only modules and files are run"),
    ],
)
def test_a_command_that_does_not_exist_is_found(line, message, run) -> None:
    with pytest.raises(AssertionError, match=message):
        run_line(line, run)


def test_help_is_what_a_page_calls_it() -> None:
    assert {"--help", "--help-all"} <= HELP
