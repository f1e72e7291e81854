"""What holds of the project's shape: names, and the one direction of imports."""

import ast
import os
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import ecom_assets
from ecom_assets import catalog
from ecom_assets.contract import Layer

ROOT = Path(ecom_assets.__file__).parent
LANGUAGE = {"contract", "days", "table_asset"}
"""What table files may use, beside shared expressions, the feeds and the named steps of their own layer."""
CORE = {"contract", "days", "declaration", "engine", "errors", "landing.provenance", "sql"}

MAY_IMPORT = {
    "errors": set(),
    "days": set(),
    "contract": set(),
    "landing.provenance": set(),
    "sql": {"days"},
    "postgres": {"errors"},
    "alerting": {"days", "errors"},
    "settings": {"alerting", "days", "errors", "landing", "postgres"},
    "declaration": {"contract", "days"},
    "table_asset": {"contract", "days", "declaration"},
    "expressions": {"contract"},
    "feeds": {"contract"},
    "models": set(),
    "shop": set(),
    "engine": CORE - {"engine"},
    "landing": {"errors", "sql"},
    "sources": {*CORE, "alerting.configuration", "feeds", "landing", "postgres", "settings", "shop"} - {"declaration"},
    "streaming": {"alerting", "contract", "days", "errors", "feeds", "landing", "shop", "sources", "sql"}
    | {"models.fraud", "serving.snapshot"},
    "warehouse": {*CORE, "alerting", "landing", "settings"},
    "serving": {"days", "errors", "landing.provenance", "sql"},
    "publishing": {*CORE, "serving", "warehouse"},
    "catalog": {*Layer, *CORE},
    "quality": {*CORE, "kpi", "models", "serving", "shop", "sources"},
    "exports": {*CORE, "postgres", "serving"},
    "documentation": {*CORE, "catalog", "exports", "landing.files", "quality", "serving"},
    "monitoring": {"alerting", "days", "errors", "landing", "postgres", "serving", "settings", "sql"}
    | {"quality.data_quality", "warehouse.ledger.schema"},
    "api": {*CORE, "alerting", "landing", "serving", "settings"},
    "dashboard": {*CORE, "catalog", "serving", "settings"},
    "orchestration": {
        *CORE,
        "alerting",
        "catalog",
        "documentation",
        "exports",
        "landing",
        "monitoring",
        "publishing",
        "quality",
        "serving",
        "settings",
        "sources",
        "streaming",
        "warehouse",
    },
    "own": {*CORE, "expressions", "orchestration", "settings"},
    "definitions": {"catalog", "orchestration", "own", "settings"},
    "cli": {
        *CORE,
        "postgres",
        "api",
        "catalog",
        "dashboard",
        "definitions",
        "documentation",
        "exports",
        "landing",
        "orchestration",
        "publishing",
        "quality",
    }
    | {"alerting", "monitoring", "serving", "settings", "shop", "sources", "streaming", "warehouse"},
}
"""Part to the parts that it may import, beside itself."""
DOOR = ("catalog", "orchestration")
"""The one import upward: `catalog.assets` makes Dagster's assets when it is called."""


def _imports(file: Path) -> set[str]:
    """The modules of ours that a file imports, as paths below the package: "gold._versions"."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "ecom_assets":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("ecom_assets."):
            found.add(node.module.removeprefix("ecom_assets."))
    return found


def _loads(file: Path, package: str) -> bool:
    """Whether a file imports a package of others."""
    nodes = list(ast.walk(ast.parse(file.read_text())))
    named = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    named += [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)]
    return package in {name.partition(".")[0] for name in named}


def _files(part: str) -> list[Path]:
    path = ROOT / part.replace(".", "/")
    return [path.with_suffix(".py")] if path.with_suffix(".py").exists() else sorted(path.rglob("*.py"))


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_imports_point_one_way(part):
    allowed = {part, *MAY_IMPORT[part], *(high for low, high in [DOOR] if low == part)}
    for file in _files(part):
        used = {module if module in allowed else module.partition(".")[0] for module in _imports(file)}
        assert used <= allowed, f"{file.name} imports {used - allowed}"


def test_only_the_command_line_knows_click():
    assert {file.parent.name for file in ROOT.rglob("*.py") if _loads(file, "click")} == {"cli"}


def test_streamlit_shows_charts_and_declares_none():
    assert {file.name for file in ROOT.rglob("*.py") if _loads(file, "streamlit")} == {"app.py", "server.py"}


def test_no_module_prints():
    for file in ROOT.rglob("*.py"):
        assert "print" not in {getattr(node, "id", None) for node in ast.walk(ast.parse(file.read_text()))}, file


def test_no_part_imports_upward():
    assert list(TopologicalSorter(MAY_IMPORT).static_order())


def test_the_law_covers_every_part():
    parts = {path.stem for path in ROOT.iterdir() if not path.name.startswith("_")}
    assert parts == {part for part in MAY_IMPORT if "." not in part} | set(Layer)


def test_the_top_level_shows_the_architecture():
    assert len(list(ROOT.glob("*.py"))) <= 10


def test_dagster_is_known_to_orchestration_definitions_and_the_command_line():
    importers = {
        file.relative_to(ROOT).parts[0].removesuffix(".py") for file in ROOT.rglob("*.py") if _loads(file, "dagster")
    }
    assert importers == {"orchestration", "definitions", "cli", "catalog"}


@pytest.mark.parametrize("layer", Layer)
def test_a_table_file_imports_the_language_its_feed_and_steps_of_its_own_layer(layer):
    for file in _files(layer):
        for module in _imports(file):
            own_step = module.startswith(f"{layer}._")
            shared = module.partition(".")[0] in (
                "expressions",
                "feeds",
                *(["models"] if layer == "predictions" else []),
            )
            assert module in LANGUAGE or shared or own_step, f"{file.name}: {module}"


def test_private_parts_of_dagster_are_used_in_one_module():
    private = [
        file.name
        for file in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("dagster") and "._" in str(node.module)
    ]
    assert set(private) == {"_dagster.py"}


def _texts(file: Path) -> list[str]:
    """The string literals of a file, those within f-strings included."""
    nodes = ast.walk(ast.parse(file.read_text()))
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def test_the_ledgers_tables_are_named_by_the_ledger_and_by_readers_of_the_snapshot():
    inside = {ROOT / "warehouse" / "ledger", ROOT / "serving"}
    others = [file for file in ROOT.rglob("*.py") if inside.isdisjoint(file.parents)]
    naming = [file.name for file in others if any(re.search(r"\bledger\.[a-z]", text) for text in _texts(file))]

    assert naming == []


def test_the_ledger_imports_nothing_else_of_the_warehouse():
    for file in _files("warehouse/ledger"):
        for module in _imports(file):
            assert module.startswith("warehouse.ledger.") or not module.startswith("warehouse"), (
                f"{file.name}: {module}"
            )


def test_nothing_but_the_command_line_imports_the_definitions():
    importers = {file.stem for file in ROOT.rglob("*.py") if "definitions" in _imports(file)}
    assert importers == {"running"}


def test_the_path_of_a_table_is_its_name():
    for name, module in catalog.modules().items():
        assert module.__name__ == f"ecom_assets.{name}"
        assert module.asset is catalog.tables()[name]
        assert module.asset.name == name


DECLARES = """
import sys
from ecom_assets import catalog, contract, days, declaration
assert len(catalog.tables()) > 80
assert "ecom_assets.settings" not in sys.modules
assert "dagster" not in sys.modules
"""


def test_declaring_all_tables_loads_no_dagster_and_reads_no_settings(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT.parent)}
    subprocess.run([sys.executable, "-c", DECLARES], cwd=tmp_path, env=environment, check=True)


def _layers_in(node: ast.AST) -> set[str]:
    parts = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else []
    named = {part.value if isinstance(part, ast.Constant) else getattr(part, "id", None) for part in parts}
    return named & set(Layer)


def test_the_layers_are_listed_in_one_place():
    """A new layer is a line in `Layer` and a folder of tables."""
    elsewhere = {
        file.relative_to(ROOT): found
        for file in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if len(found := _layers_in(node)) > 2
    }

    assert elsewhere == {}
    assert set(catalog.LAYERS) == {file.parent.name for file in ROOT.glob("*/*.py") if "table_asset" in _imports(file)}
