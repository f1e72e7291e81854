"""What holds of the project's shape: names, and the one direction of imports."""

import ast
from pathlib import Path

import pytest

import ecom_assets
from ecom_assets import catalog
from ecom_assets.table_asset import asset_key

ROOT = Path(ecom_assets.__file__).parent
TABLES = ("bronze", "silver", "gold", "kpi", "features")
LANGUAGE = {"contract", "days", "table_asset"}
"""What table files may use, beside shared expressions, the feeds and the named steps of their own layer."""

MAY_IMPORT = {
    "shop": {"shop"},
    "errors": set(),
    "days": set(),
    "sql": {"days"},
    "contract": set(),
    "declaration": {"contract", "days"},
    "feeds": {"contract", "feeds"},
    "landing": {"landing", "contract", "days", "engine", "errors", "settings", "sql"},
    "sources": {"sources", "landing", "feeds", "shop", "contract", "days", "engine", "errors", "settings", "sql"},
    "engine": {"engine", "contract", "days", "declaration", "errors", "sql"},
    "warehouse": {
        "warehouse",
        "table_asset",
        "contract",
        "days",
        "declaration",
        "engine",
        "errors",
        "landing",
        "settings",
        "sql",
    },
    "serving": {"serving", "days", "errors", "sql"},
    "publishing": {"publishing", "serving", "warehouse", "days", "declaration", "engine", "sql"},
}


def _imports(file: Path) -> set[str]:
    """The modules of ours that a file imports, as paths below the package: "gold._versions"."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "ecom_assets":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("ecom_assets."):
            found.add(node.module.removeprefix("ecom_assets."))
    return found


def _files(part: str) -> list[Path]:
    return [ROOT / f"{part}.py"] if (ROOT / f"{part}.py").exists() else sorted((ROOT / part).rglob("*.py"))


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_imports_point_one_way(part):
    for file in _files(part):
        used = {module.partition(".")[0] for module in _imports(file)}
        assert used <= MAY_IMPORT[part], f"{file.name} imports {used - MAY_IMPORT[part]}"


@pytest.mark.parametrize("layer", TABLES)
def test_a_table_file_imports_the_language_its_feed_and_steps_of_its_own_layer(layer):
    for file in _files(layer):
        for module in _imports(file):
            own_step = module.startswith(f"{layer}._")
            shared = module.partition(".")[0] in ("expressions", "feeds")
            assert module in LANGUAGE or shared or own_step, f"{file.name}: {module}"


def test_nothing_but_the_command_line_imports_the_definitions():
    importers = {file.stem for file in ROOT.rglob("*.py") if "definitions" in _imports(file)}
    assert importers == {"running"}


def test_the_path_of_a_table_is_its_name_and_its_asset():
    for name, module in catalog.modules().items():
        assert module.__name__ == f"ecom_assets.{name}"
        assert asset_key(name) in module.asset.keys
        assert catalog.tables()[name].contract.name == name
