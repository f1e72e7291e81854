"""Profiles of a tiny published shop: their figures are those of SQL, and they name what has changed and nobody."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import narwhals as nw
import pytest
from click.testing import CliRunner

from ecom_assets.cli.main import main
from ecom_assets.contract import column, contract
from ecom_assets.declaration import declare
from ecom_assets.documentation import profiles
from ecom_assets.documentation.html import number, share
from ecom_assets.orchestration.quality_assets import profiles_asset
from ecom_assets.publishing.snapshot import publish
from ecom_assets.quality.profiles import SHARES, TableProfile
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.settings import Settings
from ecom_assets.warehouse.proof import settle
from ecom_assets_tests.tiny_shop import WAREHOUSE, Sales, TinyShop, on, open_shop, order, tables

SCRIPT = "<script>alert(1)</script>"


class SalesInFull(Sales, name="gold.sales"):
    """One row per order."""

    status: str = column("Status")
    product: str = column("What was sold", nullable=True)
    email: str = column("Who bought it", personal=True)
    weight: float = column("Kilograms", nullable=True)
    is_gift: bool = column("Whether it is a gift")


def transform(silver_orders: nw.LazyFrame) -> nw.LazyFrame:
    return silver_orders.select(
        *("order_id", "ordered_on", "amount"),
        status=nw.lit("paid"),
        product=nw.lit("mug"),
        email=nw.lit("jane@example.com"),
        weight=nw.lit(0.5),
        is_gift=nw.lit(False),
    )


CATALOG = tables(declare(contract(SalesInFull), transform))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop with forty orders on each of five days."""
    folder = tmp_path_factory.mktemp("built")
    with open_shop(folder, CATALOG, warehouse=folder / WAREHOUSE) as shop:
        for day in range(5):
            shop.land_customers(day)
            shop.land_orders(day, *(order(100 * day + n, day, amount=10 + n) for n in range(40)))
        settle(shop.session)
        shop.con.execute("update gold.sales set product = null where amount in (11, 12)")
        shop.con.execute(f"update gold.sales set product = '{SCRIPT}', weight = 'nan' where amount = 13")
        shop.con.execute("update gold.sales set email = 'joe@example.com', is_gift = true where amount > 30")
    return folder


@pytest.fixture
def shop(built: Path, tmp_path: Path) -> Iterator[TinyShop]:
    """That shop, published."""
    with open_shop(tmp_path, CATALOG, built=built) as shop:
        publish(shop.session, tmp_path / "snapshot.duckdb")
        yield shop


def changed(shop: TinyShop, sql: str) -> None:
    """Changes rows, and publishes them."""
    shop.con.execute(sql)
    shop.con.execute("update ledger.days set written_at = now()::timestamp where table_name = 'gold.sales'")
    publish(shop.session, shop.folder / "snapshot.duckdb")


def made(shop: TinyShop, *wanted: str) -> dict[str, profiles.Shown]:
    with open_snapshot(shop.folder / "snapshot.duckdb") as con:
        found = profiles.write(con, list(CATALOG), shop.folder / "profiles", "EUR", wanted)
    return {shown.now.table: shown for shown in found}


def pages(shop: TinyShop) -> dict[str, str]:
    return {file.name: file.read_text(encoding="utf-8") for file in (shop.folder / "profiles").iterdir()}


def test_figures_are_those_of_sql(shop: TinyShop) -> None:
    found = made(shop)["gold.sales"].now

    with open_snapshot(shop.folder / "snapshot.duckdb") as con:
        for name, profile in found.columns.items():
            [expected] = con.execute(
                f"select count(*), count(*) - count({name}), count(distinct {name}) from gold.sales"
            ).fetchall()
            assert (profile.rows, profile.nulls, profile.distinct) == expected
            if name == "email":
                continue
            ends = con.execute(f"select min({name})::varchar, max({name})::varchar from gold.sales").fetchall()
            assert [(profile.low, profile.high)] == ends
            if profile.top:
                counts = con.execute(f"select {name}::varchar, count(*) from gold.sales group by all").fetchall()
                assert set(profile.top) <= set(counts)
        amount = found.columns["amount"]
        quantiles = con.execute(f"select quantile_disc(amount, {[*SHARES]})::varchar[], avg(amount) from gold.sales")
        assert quantiles.fetchall() == [([*amount.quantiles], amount.mean)]
        assert amount.bars is not None
        assert con.execute("select count(*) from gold.sales where amount < 10.65").fetchall() == [
            (amount.bars.counts[0],)
        ]
        assert sum(amount.bars.counts) == amount.rows == 200
    assert found.columns["is_gift"].categories == {"true": 95, "false": 105}
    assert found.columns["product"].categories == {"mug": 185, SCRIPT: 5}
    assert found.columns["weight"].mean == 0.5
    assert (found.days.low, found.days.high, found.days.distinct) == (str(on(0)), str(on(4)), 5)
    assert found.days.bars is not None
    assert found.days.bars.counts == [40] * 5


def test_a_page_shows_the_figures_and_needs_nothing_else(shop: TinyShop) -> None:
    made(shop)
    page = pages(shop)["gold.sales.html"]

    assert "200 rows on 5 days" in page
    assert "10 (5 %)" in page
    assert re.search(r"<dt>median</dt><dd>29</dd>", page)
    for text in (text for name, text in pages(shop).items() if name.endswith(".html")):
        assert not re.search(r"https?://|<script|<link|<img|url\(|@import", text)
        assert len(text) < 1_000_000


def test_values_are_escaped_and_those_of_persons_are_not_there(shop: TinyShop) -> None:
    made(shop)
    page = pages(shop)["gold.sales.html"]

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "personal: no values shown" in page
    assert "15 to 16, mean 15.5" in page
    assert not [name for name, text in pages(shop).items() if "example.com" in text]


def test_long_values_are_cut(shop: TinyShop) -> None:
    changed(shop, "update gold.sales set product = repeat('long', 5_000) || amount, status = product")
    made(shop)

    assert all(len(text) < 100_000 for text in pages(shop).values())


def test_a_shift_is_named(shop: TinyShop) -> None:
    made(shop)
    changed(
        shop,
        "update gold.sales set amount = amount * 1.3, status = if(amount = 15, 'on hold', status),"
        "product = if(amount <= 20 and amount <> 13, null, product)",
    )
    lines = made(shop)["gold.sales"].changed

    assert "product is null in 25.0% of the rows, and was in 5.0%, 5 times as many." in lines
    assert "status has a new value: “on hold”, in 5 rows." in lines
    assert "amount is higher: its median is 37.7, and was 29 (+30%)." in lines
    assert len(lines) == 3
    index = pages(shop)["index.html"]
    assert index.index("on hold") < index.index("<table>")
    page = pages(shop)["gold.sales.html"]
    assert page.index("on hold") < page.index("Columns")


def test_what_is_the_same_is_not_named(shop: TinyShop) -> None:
    made(shop)
    changed(shop, "update gold.sales set amount = if(amount between 24 and 29, 36, amount)")  # the median moves alone
    shown = made(shop)["gold.sales"]

    assert shown.before
    assert shown.changed == []
    assert "Nothing remarkable has changed" in pages(shop)["gold.sales.html"]


def test_a_move_of_what_is_negative_is_named_by_its_side(shop: TinyShop) -> None:
    changed(shop, "update gold.sales set amount = -amount")
    made(shop)
    changed(shop, "update gold.sales set amount = 2 * amount, status = if(order_id = '0', 'on hold', status)")

    assert made(shop)["gold.sales"].changed == [
        "amount is lower: its median is -60, and was -30 (-100%).",
        "status has a new value: “on hold”, in 1 row.",
    ]


def test_rows_and_values_that_are_gone_are_named(shop: TinyShop) -> None:
    made(shop)
    changed(shop, f"delete from gold.sales where product = '{SCRIPT}'")
    lines = made(shop)["gold.sales"].changed

    assert "There are fewer rows: 195, and there were 200." in lines
    assert f"product no longer has the value “{SCRIPT}”, which 5 rows had." in lines


def test_a_snapshot_is_compared_with_the_one_before_however_often(shop: TinyShop) -> None:
    made(shop)
    changed(shop, "update gold.sales set status = 'on hold'")
    first, again = made(shop)["gold.sales"], made(shop, "gold.sales")["gold.sales"]

    assert first.changed == again.changed != []
    assert "kpi.daily" in pages(shop)["index.html"]
    kept = TableProfile.from_json(pages(shop)["gold.sales.json"])
    assert len(kept) == 2
    assert kept[max(kept)] == again.now


def test_values_of_a_column_that_has_become_personal_are_not_kept(shop: TinyShop) -> None:
    made(shop)
    file = shop.folder / "profiles" / "gold.sales.json"
    [(snapshot, kept)] = json.loads(file.read_text()).items()
    kept["columns"]["email"] |= {"personal": False, "top": [["jane@example.com", 105]], "low": "jane@example.com"}
    file.write_text(json.dumps({snapshot: kept}))
    changed(shop, "update gold.sales set is_gift = true")
    made(shop)

    assert "example.com" not in pages(shop)["gold.sales.json"]


def test_a_damaged_profile_counts_as_missing(shop: TinyShop) -> None:
    made(shop)
    for text in ("{", '{"a": {}}', "[]", '{"a": 1}'):
        (shop.folder / "profiles" / "gold.sales.json").write_text(text)
        assert made(shop)["gold.sales"].before == ""


def test_the_command_writes_and_names_unknown_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECOM_DATA", str(tmp_path))
    assert "nothing has been published" in CliRunner().invoke(main, ["profile"]).output
    with open_shop(tmp_path, CATALOG) as shop:
        publish(shop.session, tmp_path / "snapshot.duckdb")

    unknown = CliRunner().invoke(main, ["profile", "gold.fact_sale"])
    assert "has no table 'gold.fact_sale'" in unknown.output
    assert unknown.exit_code == 1
    found = CliRunner().invoke(main, ["profile", "--to", str(tmp_path / "out")])
    assert found.exit_code == 0, found.output
    assert (tmp_path / "out" / "index.html").exists()


def test_the_asset_ends_no_run(shop: TinyShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECOM_DATA", str(shop.folder))
    asset = profiles_asset(CATALOG)
    good = dg.materialize([asset])
    (shop.folder / "snapshot.duckdb").unlink()
    bad = dg.materialize([asset])

    [first] = good.asset_materializations_for_node("quality__profiles")
    [then] = bad.asset_materializations_for_node("quality__profiles")
    assert Settings(shop.folder).profiles / "index.html" == Path(first.metadata["index"].value)
    assert first.metadata["rows"].value == 200 + 5 + 5
    assert "does not exist yet" in then.metadata["problem"].value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((1234567, "1,234,567"), ("-1234.5000", "-1,234.5"), ("0.10", "0.1"), ("2024-01-31", "2024-01-31")),
        *(("-0.5", "-0.5"), (0.1234567, "0.123457"), ("nan", "nan"), ("1e10", "1e10"), ("", "")),
    ],
)
def test_numbers_are_written_for_people(value: object, text: str) -> None:
    assert number(value) == text


def test_a_share_is_neither_none_nor_all_unless_it_is() -> None:
    shares = [share(part, 10_000) for part in (0, 1, 1234, 9_999, 10_000)]

    assert shares == ["0 %", "< 0.1 %", "12.3 %", "> 99.9 %", "100 %"]
