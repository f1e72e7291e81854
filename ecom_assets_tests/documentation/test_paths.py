"""The pages that show newcomers around name paths that exist."""

import re

import pytest

import ecom_assets
from ecom_assets.documentation import architecture
from ecom_assets.settings import PROJECT

PACKAGE = PROJECT / ecom_assets.__name__
IN_BACKTICKS = re.compile(r"`((?:[\w.-]+/)+[\w.-]*|[\w-]+\.py)`")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)[^)]*\)")
EXAMPLE = "ecom_assets/kpi/daily_units.py"
README = (PROJECT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")])


@pytest.mark.parametrize("path", sorted(set(IN_BACKTICKS.findall(architecture.text()))))
def test_the_architecture_names_modules_that_exist(path):
    assert (PACKAGE / path).exists() or (PROJECT / path).exists()


@pytest.mark.parametrize("path", sorted({p for p in IN_BACKTICKS.findall(README) if p.startswith("ecom_assets/")}))
def test_the_readme_names_modules_that_exist_and_an_example_that_does_not(path):
    assert (PROJECT / path).exists() != (path == EXAMPLE)


@pytest.mark.parametrize(
    "page", sorted([PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")]), ids=lambda p: p.name
)
def test_a_page_links_to_what_exists(page):
    links = LINK.findall(page.read_text(encoding="utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []
