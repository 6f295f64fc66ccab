"""A module or a function that grows past these holds two things."""

import ast

import pytest

from tests.project.sources import modules

MODULE_LINES = 500
FUNCTION_LINES = 60
OWN = ("vpsctl/", "quickstart/", ".ci/", "tests/images/", "migrations/")


def own() -> list[str]:
    return [name for name in modules() if name.startswith(OWN)]


def test_modules_are_short() -> None:
    lines = {name: max((getattr(node, "end_lineno", 0) for node in modules()[name].body), default=0) for name in modules()}
    assert {name: count for name, count in lines.items() if count >= MODULE_LINES} == {}


def test_functions_are_short() -> None:
    long = [
        f"{name}:{node.lineno} {node.name}: {lines} lines"
        for name in own()
        for node in ast.walk(modules()[name])
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) >= FUNCTION_LINES
    ]
    assert long == []


def test_packages_re_export_nothing() -> None:
    assert [name for name in own() if name.endswith("__init__.py") and modules()[name].body] == []


@pytest.mark.parametrize("word", ["services", "managers", "helpers", "utils"])
def test_modules_are_named_by_what_they_do(word: str) -> None:
    assert [name for name in own() if word in name.removesuffix(".py").split("/")] == []
