"""The public names: each is imported from one file, when it is first used."""

import ast
import importlib
import inspect
import types

import pytest

import jaxdeep
import jaxdeep.lint.rates  # which would otherwise put the package in the function's place


def test_each_name_has_one_home_for_people_tools_and_programs() -> None:
    (block,) = (node for node in ast.parse(inspect.getsource(jaxdeep)).body if isinstance(node, ast.If))
    imported = {alias.name: node.module for node in block.body for alias in node.names}  # type: ignore[attr-defined]
    assert imported == jaxdeep._HOMES
    assert sorted([*imported, "__version__"]) == sorted(jaxdeep.__all__)
    for name, home in imported.items():
        assert getattr(jaxdeep, name) is getattr(importlib.import_module(home), name)


def test_lint_stays_the_function() -> None:
    assert isinstance(jaxdeep.lint, types.FunctionType)


def test_all_names_are_listed_and_others_are_refused() -> None:
    assert set(jaxdeep.__all__) <= set(dir(jaxdeep))
    with pytest.raises(AttributeError, match="module 'jaxdeep' has no attribute 'predict'"):
        getattr(jaxdeep, "predict")  # noqa: B009
