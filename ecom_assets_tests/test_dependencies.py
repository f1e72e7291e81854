"""The declared dependencies are those that the product imports."""

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import ecom_assets

ROOT = Path(ecom_assets.__file__).parent
PROJECT = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())["project"]
DECLARED = {
    re.match(r"[\w-]+", requirement)[0]
    for requirements in (
        PROJECT["dependencies"],
        *map(PROJECT["optional-dependencies"].get, ("dashboard", "postgres", "serving", "stream", "tableau")),
    )
    for requirement in requirements
}
NOT_IMPORTED = {
    "dagster-dg-cli": "the command `dg`",
    "dagster-graphql": "the web server's API",
    "dagster-webserver": "the UI",
    "tzdata": "read by zoneinfo where the system has no time zones",
}
"""Dependencies that no module imports, and what needs them."""
NOT_DECLARED = {
    "markupsafe": "in the version that Jinja requires, for parts of pages that are escaped already",
    "pydantic": "in the version that Dagster requires, for configurable I/O managers",
    "sqlalchemy": "in the version that Dagster requires, for its event log",
    "starlette": "in the version that FastAPI requires, for responses",
}
"""Distributions that the product imports and another dependency brings."""


@cache
def _imported() -> set[str]:
    """The distributions that the product imports."""
    modules = set()
    for file in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                modules.add(node.module.partition(".")[0])
    known = packages_distributions()
    outside = modules - sys.stdlib_module_names - {ROOT.name}
    return {distribution.lower() for module in outside for distribution in known[module]}


@pytest.mark.parametrize("dependency", sorted(DECLARED - set(NOT_IMPORTED)))
def test_a_declared_dependency_is_imported(dependency):
    assert dependency in _imported()


def test_an_imported_package_is_declared():
    assert _imported() - DECLARED == set(NOT_DECLARED)


def test_the_exceptions_are_declared_and_not_imported():
    assert set(NOT_IMPORTED) <= DECLARED
    assert not _imported() & set(NOT_IMPORTED)
