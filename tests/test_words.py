"""The list of words finds what it rules out, in docstrings and pages, and reads no code."""

from pathlib import Path

import pytest

from docs.words import main

PAGE = "# Title\n\n| a | b |\n|---|---|\n| those of | it |\n\n```python\nx = 1  # those of\n```\n\n{prose}\n"
MODULE = '"""{prose}\n\n>>> 1; 2\n1\n"""\n\nSIZE = 3\n"""{field}"""\n'


@pytest.mark.parametrize("prose", ["As those that diverged.", "As those\nthat diverged.", "LIKEWISE."])
def test_a_ruled_out_word_is_found_behind_a_table_and_over_the_end_of_a_line(prose, tmp_path: Path, capsys) -> None:
    path = tmp_path / "page.md"
    path.write_text(PAGE.format(prose=prose))
    assert main([str(path)]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{path}:11: ")


@pytest.mark.parametrize(
    ("prose", "field", "places"),
    [
        ("Return it.", "Number of rows.", 0),
        ("Return it; or not.", "Number of rows.", 1),
        ("Return it.", "So many rows.", 1),
        ("Return it.\n\nArgs:\n    rows: of the table.", "Number of rows.", 1),
        ("Return it.\n\nArgs:\n    rows: Rows of the table, `those of` it.", "Number of rows.", 0),
    ],
)
def test_docstrings_are_read_and_their_examples_are_not(prose, field, places, tmp_path: Path, capsys) -> None:
    (tmp_path / "module.py").write_text(MODULE.format(prose=prose, field=field))
    assert main([str(tmp_path)]) == (1 if places else 0)
    assert len(capsys.readouterr().out.splitlines()) == places
