"""The code that an eager transform can reach: the files that it imports, and the versions of their libraries."""

import ast
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from ecom_assets.errors import UserError

_PACKAGE = __name__.partition(".")[0]
_STOPS_AT = f"{_PACKAGE}.table_asset"
"""The module that registers a transform: it runs it and is not part of its code."""
_IMPORTED = re.compile(r"^\s*(?:import|from)\s+(\w+)", re.MULTILINE)
_WITH_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class UnknownCodeError(UserError):
    """A transform whose code cannot be read in full, so that a change of it would go unnoticed."""


def reachable_code(transform: Callable[..., Any]) -> str:
    """Returns all code that a transform can reach, without comments and docstrings, and the versions of its libraries.

    The files are the transform's own and all that these import from this package, from the transform's own package and
    from modules that belong to no installed distribution. Of an installed distribution only the version counts. Raises
    UnknownCodeError if the transform is not a function of a module, since it then holds values that no file shows.
    """
    inner = inspect.unwrap(transform)
    if not inspect.isfunction(inner) or inner.__closure__:
        raise UnknownCodeError(
            f"{transform!r} is not a plain function of a module. Write one that reads its values from the module, so "
            f"that a change of them is noticed."
        )
    todo, texts, libraries = [transform.__module__, inner.__module__], dict[str, str](), dict[str, str | None]()
    ours = {_PACKAGE, *(name.partition(".")[0] for name in todo)}
    while todo:
        module = todo.pop()
        if module in texts or module == _STOPS_AT:
            continue
        root = module.partition(".")[0]
        if root in sys.stdlib_module_names:
            continue
        if root not in ours and root not in libraries:
            libraries[root] = version_of(root)
        if libraries.get(root):
            continue
        if file := _file(module):
            package = module if file.name == "__init__.py" else module.rpartition(".")[0]
            texts[module], imports = _code_of(file.read_text(encoding="utf-8"), package)
            todo += imports
            todo += [module.rpartition(".")[0]] if "." in module else []
    if not texts:
        raise UnknownCodeError(f"{transform!r} has no source file, so that a change of it would go unnoticed.")
    versions = sorted(filter(None, libraries.values()))
    return "\n".join([*versions, *(f"{name}:\n{texts[name]}" for name in sorted(texts))])


@cache
def _code_of(source: str, package: str) -> tuple[str, Sequence[str]]:
    """Returns the code of a source text without comments and docstrings, and the modules that it imports."""
    tree = ast.parse(source)
    imports = list(_imports(tree, package))
    return ast.unparse(_without_docstrings(tree)), imports


def versions_imported(sources: Iterable[str]) -> list[str]:
    """Returns the name and version of each library that some source texts import at the start of a line."""
    roots = {root for source in sources for root in _IMPORTED.findall(source)} - {_PACKAGE} - sys.stdlib_module_names
    return sorted(filter(None, map(version_of, roots)))


def version_of(root: str) -> str | None:
    """Returns name and version of the distribution of a top-level module; None if no distribution installed it."""
    try:
        return f"{root} {metadata.version(root)}"
    except metadata.PackageNotFoundError:
        if not importlib.util.find_spec(root):
            return None
        names = sorted({found.name for found in metadata.distributions() if _installs(found, root)})
        return ", ".join(f"{name} {metadata.version(name)}" for name in names) or None


def _installs(distribution: metadata.Distribution, root: str) -> bool:
    """Returns whether a distribution installed a top-level module, as `metadata.packages_distributions` says it."""
    listed = distribution.read_text("top_level.txt") or distribution.read_text("RECORD") or ""
    return re.search(rf"^{re.escape(root)}(?:$|[/.])", listed, re.MULTILINE) is not None


def _file(module: str) -> Path | None:
    """Returns the source file of a module; None if there is no such module, or no source."""
    origin = getattr(sys.modules.get(module), "__file__", None)
    if origin is None:
        try:
            spec = importlib.util.find_spec(module)
        except (ModuleNotFoundError, ValueError):  # its parent is not a package; it was loaded without a file
            return None
        origin = spec.origin if spec else None
    return Path(origin) if origin and origin.endswith(".py") else None


def _imports(tree: ast.Module, package: str) -> Iterator[str]:
    """Yields the modules that a file of a package imports anywhere, as full names; names that may be modules too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            yield start
            yield from (f"{start}.{alias.name}" for alias in node.names)


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, _WITH_DOCSTRING) and ast.get_docstring(node, clean=False) is not None:
            node.body[0] = ast.Pass()
    return tree
