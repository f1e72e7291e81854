"""A change of anything that an eager transform can reach makes its table stale; a change of words does not."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from ecom_assets.contract import Date, Table, column, contract, key
from ecom_assets.declaration import Declaration, declare
from ecom_assets.engine.reachable_code import UnknownCodeError, reachable_code
from ecom_assets.warehouse.session import Session
from ecom_assets_tests import tiny_shop
from ecom_assets_tests.tiny_shop import TinyShop, days, open_shop, order

pytestmark = pytest.mark.slow

PACKAGE, LIBRARY = "models_of_a_test", "library_of_a_test"

FILES = {
    "__init__.py": "",
    "predictions.py": '''
"""What an order will cost."""

import polars as pl

from models_of_a_test import fitting, seasons as seasonal
from models_of_a_test.parameters import DISCOUNTS, ORDER, SKIPPED, STEPS, WEIGHTS, Scaler, halved


def transform(gold_sales: pl.DataFrame) -> pl.DataFrame:
    """One score per order."""
    factor = fitting.weight() * seasonal.SUMMER * WEIGHTS["base"] * DISCOUNTS[0] * STEPS[0] * len(SKIPPED) * len(ORDER)
    # Of the amount.
    return gold_sales.select("order_id", "ordered_on", score=pl.lit(Scaler().scaled(halved(factor))))
''',
    "fitting.py": """
from library_of_a_test import sums

from . import deeper


def weight():
    return deeper.BASE + sums.total(2, 3)
""",
    "deeper.py": "BASE = 1\n",
    "seasons.py": "SUMMER = 3\n",
    "parameters.py": '''
from functools import partial

WEIGHTS = {"base": 4, "nested": {"low": [1, 2]}}
DISCOUNTS = [5, 6]
STEPS = (7, 8)
SKIPPED = {9}
ORDER = frozenset({10})


class Scaler:
    """Scales."""

    by = 11

    def scaled(self, number):
        return number * self.by + 12


def times(number, factor):
    return int(number * factor)


halved = partial(times, factor=0.5)
''',
    "unused.py": "SUMMER = 3\n",
}


class Scores(Table, primary_key="order_id", partition_column="ordered_on", name="gold.scores"):
    """One row per order."""

    order_id: str = key("Number of the order")
    ordered_on: Date = column("Day on which it was placed")
    score: int = column("What it comes to")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TinyShop, Path]]:
    """A shop with a table of a user's package, which imports a library that is installed under another name."""
    folder = tmp_path_factory.mktemp("installed")
    for name, text in FILES.items():
        _write(folder / PACKAGE / name, text)
    _write(folder / LIBRARY / "__init__.py", "")
    _write(folder / LIBRARY / "sums.py", "def total(*numbers):\n    return sum(numbers)\n")
    _write(folder / "test_library-1.0.dist-info" / "top_level.txt", f"{LIBRARY}\n")
    _write(
        folder / "test_library-1.0.dist-info" / "METADATA", "Metadata-Version: 2.1\nName: test-library\nVersion: 1.0\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setattr(sys, "dont_write_bytecode", True)
        with open_shop(folder, tiny_shop.tables(_scores())) as shop:
            shop.land_orders(0, order(1, 0))
            shop.run(days(0))
            assert shop.rows("select score from gold.scores") == [(6 * 3 * 4 * 5 * 7 // 2 * 11 + 12,)]
            yield shop, folder
    _forget()


@pytest.fixture
def shop(built: tuple[TinyShop, Path]) -> TinyShop:
    return built[0]


@pytest.fixture
def change(built: tuple[TinyShop, Path]) -> Iterator[Callable[[str, str, str], None]]:
    """Changes a file for the length of a test."""
    before: dict[Path, str] = {}

    def change(name: str, old: str, new: str) -> None:
        file = built[1] / name
        before[file] = file.read_text()
        assert before[file].count(old) == 1
        file.write_text(before[file].replace(old, new))

    yield change
    for file, text in before.items():
        file.write_text(text)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)


def _forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in (PACKAGE, LIBRARY)]:
        del sys.modules[name]


def _scores() -> Declaration:
    """The table as a new process would find it."""
    _forget()
    importlib.invalidate_caches()
    return declare(contract(Scores), importlib.import_module(f"{PACKAGE}.predictions").transform)


def _stale(shop: TinyShop) -> list[str]:
    later = Session(shop.con, tiny_shop.tables(_scores()), shop.session.zone, shop.session.calendar)
    return [f"{found.table} {found.why}" for found in later.stale(only=["gold.scores"])]


CHANGES = {
    "the transform": ("predictions.py", "score=pl.lit(", "score=1 + pl.lit("),
    "a function as a module's attribute": ("fitting.py", "return deeper.BASE", "return 1 + deeper.BASE"),
    "a module that a module imports": ("deeper.py", "BASE = 1", "BASE = 2"),
    "a constant as a module's attribute": ("seasons.py", "SUMMER = 3", "SUMMER = 4"),
    "a dict": ("parameters.py", '"base": 4', '"base": 5'),
    "a dict within a dict": ("parameters.py", '"low": [1, 2]', '"low": [1, 3]'),
    "a list": ("parameters.py", "[5, 6]", "[6, 5]"),
    "a tuple": ("parameters.py", "(7, 8)", "(8, 7)"),
    "a set": ("parameters.py", "{9}", "{9, 10}"),
    "a frozenset": ("parameters.py", "frozenset({10})", "frozenset({10, 11})"),
    "a class's attribute": ("parameters.py", "by = 11", "by = 12"),
    "a class's method": ("parameters.py", "self.by + 12", "self.by + 13"),
    "a partial": ("parameters.py", "factor=0.5", "factor=0.25"),
    "what a partial calls": ("parameters.py", "int(number * factor)", "int(number / factor)"),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_change_of_what_an_eager_transform_reaches_makes_its_table_stale(shop, change, kind):
    assert _stale(shop) == []
    file, old, new = CHANGES[kind]

    change(f"{PACKAGE}/{file}", old, new)

    assert _stale(shop) == ["gold.scores its code changed"]


def test_another_version_of_a_library_makes_the_table_stale(shop, change):
    change("test_library-1.0.dist-info/METADATA", "Version: 1.0", "Version: 1.1")

    assert _stale(shop) == ["gold.scores its code changed"]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("predictions.py", "# Of the amount.", "# Of the amount, as it was."),
        ("predictions.py", "One score per order.", "One score for each order."),
        ("parameters.py", '"""Scales."""', '"""Multiplies."""'),
        ("parameters.py", "(7, 8)", "(7,  8)"),
        ("unused.py", "SUMMER = 3", "SUMMER = 4"),
    ],
)
def test_a_change_of_words_or_of_what_it_does_not_import_leaves_the_table_as_it_is(shop, change, file, old, new):
    change(f"{PACKAGE}/{file}", old, new)

    assert _stale(shop) == []


def test_the_code_that_runs_a_transform_is_not_part_of_it():
    from ecom_assets.kpi.weekly_channel_weights import transform

    files = {line.rstrip(":") for line in reachable_code(transform).splitlines() if line.startswith("ecom_assets")}

    assert {"ecom_assets.kpi.weekly_channel_weights", "ecom_assets.kpi._attribution"} < files
    assert not {"ecom_assets.table_asset", "ecom_assets.engine", "ecom_assets.settings"} & files


def _made(factor: int) -> Callable[[pl.DataFrame], pl.DataFrame]:
    def transform(gold_sales: pl.DataFrame) -> pl.DataFrame:
        return gold_sales.with_columns(pl.col("amount") * factor)

    return transform


def test_a_transform_that_holds_values_which_no_file_shows_is_refused():
    with pytest.raises(UnknownCodeError, match="not a plain function of a module"):
        reachable_code(_made(2))
