"""The maps for what shops use: each lands its excerpt, and the shops' sales are those counted by hand."""

import datetime as dt
import json
import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ecom_assets.cli.land import MAPS
from ecom_assets.days import Window
from ecom_assets.landing.zone import Zone
from ecom_assets.sources.feed_map import LandReport, land, load_map
from ecom_assets.sources.feed_map.currencies import own_currency
from ecom_assets_tests.sources.landing import rows
from ecom_assets_tests.warehouses import session_over

pytestmark = pytest.mark.slow

EXCERPTS = Path(__file__).parent / "excerpts"
DAYS = Window(dt.date(2024, 3, 2), dt.date(2024, 3, 9))
AMOUNTS = [
    *("gross_sales", "discounts", "returns", "net_sales"),
    *("shipping", "tax", "refunded_shipping", "refunded_tax", "total_sales"),
]


LandExcerpt = Callable[[str], LandReport]


@pytest.fixture
def zone(tmp_path: Path) -> Zone:
    return Zone(tmp_path / "landing")


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, LandReport]]:
    """Lands an excerpt when it is first asked for."""

    @cache
    def land_once(name: str) -> tuple[Path, LandReport]:
        folder = tmp_path_factory.mktemp(name)
        return folder, land(load_map(MAPS / f"{name}.toml"), EXCERPTS / name, Zone(folder))

    return land_once


@pytest.fixture
def land_excerpt(landed: Callable[[str], tuple[Path, LandReport]], zone: Zone) -> LandExcerpt:
    """Fills the zone with the files of an excerpt."""

    def copy(name: str) -> LandReport:
        folder, report = landed(name)
        shutil.copytree(folder, zone.root)
        return report

    return copy


def copy_excerpt(name: str, folder: Path, old: str, new: str) -> None:
    """Copy an excerpt with a text changed."""
    texts = {path.name: path.read_text() for path in (EXCERPTS / name).iterdir()}
    assert any(old in text for text in texts.values())
    for file, text in texts.items():
        (folder / file).write_text(text.replace(old, new))


def sales(zone: Zone) -> dict[int, tuple[Any, ...]]:
    """Orders and amounts of each day of March 2024 with any."""
    session = session_over(zone, currency=own_currency(zone))
    session.calendar = DAYS
    with closing(session.con) as con:
        needed = {"kpi.daily_sales", *session.catalog.upstream("kpi.daily_sales")}
        for table in filter(needed.__contains__, session.catalog.names):
            session.run(table, DAYS)
        assert con.execute("select day, table_name, note from ledger.days where state = 'failed'").fetchall() == []
        columns = ", ".join(f"sum({amount})" for amount in AMOUNTS)
        found = con.execute(f"select day, sum(orders)::int, {columns} from kpi.daily_sales group by day").fetchall()
    return {day.day: tuple(amounts) for day, *amounts in sorted(found) if any(amounts)}


def day_of(orders: int, *amounts: str) -> tuple[Any, ...]:
    return (orders, *map(Decimal, amounts))


@pytest.mark.parametrize("name", sorted(path.name for path in EXCERPTS.iterdir()))
def test_nothing_is_said_of_values_and_lookups_that_a_map_reads_right(name: str, land_excerpt: LandExcerpt) -> None:
    report = land_excerpt(name)

    assert [note for file in report.files for note in file.unread] == []
    assert [each for file in report.files for each in file.misses if each.missed] == []


def test_shopify_orders_and_refunds(land_excerpt: LandExcerpt, zone: Zone) -> None:
    report = land_excerpt("shopify")

    assert (report.lines, report.unreadable, report.unused) == (9, 0, 1)  # the pending transaction
    assert rows(
        zone, "orders", "order_id", "status", "cancel_reason", "shop_status", "subtotal", "shipping", "tax"
    ) == [
        ("7001", "shipped", None, "partially_refunded, fulfilled", "100", "5", "19.95"),
        ("7002", "paid", None, "refunded, unfulfilled", "50", "2", "0"),
        ("7003", "cancelled", "void", "voided, unfulfilled", "20", "0", "0"),
        ("7004", "cancelled", "test", "paid, unfulfilled", "99", "0", "0"),
    ]
    assert sorted(
        rows(zone, "order_items", "order_id", "line_number", "product_id", "description", "quantity"), key=str
    ) == [
        ("7001", "1", "110", "Lamp - Red", "2"),
        ("7001", "2", None, "Engraving", "1"),
        ("7002", "1", "111", "Lamp - Blue", "1"),
        ("7003", "1", "111", "Lamp - Blue", "1"),
        ("7004", "1", "111", "Lamp - Blue", "1"),
    ]
    columns = ["return_id", "order_id", "line_number", "product_id", "quantity", "amount", "shipping", "tax", "reason"]
    assert sorted(rows(zone, "returns", *columns), key=str) == [
        ("81", "7001", "1", "110", "1", "45", "0", "8.55", "too small"),
        ("82", "7001", None, None, None, "0", "5", "0.95", "too small"),
        ("84", "7002", "1", "111", "1", "45", "0", "0", None),  # the shop kept 5
        ("difference 8002", "7002", None, None, None, "3", "0", "0", "goodwill"),
    ]


def test_shopify_customers_products_payments_and_shipments(land_excerpt: LandExcerpt, zone: Zone) -> None:
    land_excerpt("shopify")

    assert sorted(
        rows(zone, "customers", "customer_id", "name", "email", "region", "country", "marketing_consent"), key=str
    ) == [("501", "Ada Lund", "ada@example.org", "Schleswig-Holstein", "DE", "true")]
    assert sorted(
        rows(zone, "products", "product_id", "changed_at", "name", "category", "variant", "price"), key=str
    ) == [
        ("110", "2024-01-01 00:00:00+00", "Lamp - Red", "Lamps", "Red", "59.5"),
        ("110", "2024-03-01 00:00:00+00", "Lamp - Red", "Lamps", "Red", "59.5"),
        ("111", "2024-03-03 11:00:00+00", "Lamp - Blue", None, None, "50"),
    ]
    assert sorted(rows(zone, "payments", "payment_id", "order_id", "method", "status", "amount"), key=str) == [
        ("6001", "7001", "shopify_payments", "authorised", "124.95"),
        ("6002", "7001", "shopify_payments", "captured", "124.95"),
        ("6003", "7001", "shopify_payments", "refunded", "59.50"),
        ("6004", "7002", "cash", "captured", "52.00"),
    ]
    assert sorted(
        rows(zone, "shipments", "shipment_id", "status", "carrier", "shipped_at", "delivered_at"), key=str
    ) == [("9001", "delivered", "DHL", "2024-03-03 09:00:00+00", "2024-03-05 08:00:00+00")]


def test_shopify_inventory_levels_are_counts_by_location(tmp_path: Path, zone: Zone) -> None:
    copy_excerpt("shopify", tmp_path, '"id": 110,', '"id": 110, "inventory_item_id": 77,')
    levels = [(77, 1, 9), (77, 2, -3), (77, 3, None), (78, 1, 5)]
    answer = [
        {"inventory_item_id": item, "location_id": place, "available": units, "updated_at": "2024-03-05T10:00:00+01:00"}
        for item, place, units in levels
    ]
    (tmp_path / "inventory_levels-2024-03-06.json").write_text(json.dumps({"inventory_levels": answer}))
    report = land(load_map(MAPS / "shopify.toml"), tmp_path, zone)

    columns = ("product_id", "kind", "quantity", "location", "moved_at")
    assert sorted(rows(zone, "inventory_movements", *columns), key=str) == [
        ("110", "count", "0", "2", "2024-03-05 09:00:00+00"),
        ("110", "count", "9", "1", "2024-03-05 09:00:00+00"),
        (None, "count", "5", "1", "2024-03-05 09:00:00+00"),
    ]
    assert [each.missed for file in report.files for each in file.misses if each.missed] == [1]


def test_a_shopify_gift_card_is_one_whatever_it_is_called(tmp_path: Path, zone: Zone) -> None:
    copy_excerpt("shopify", tmp_path, '"variant_id": 110', '"gift_card": true, "variant_id": 110')
    land(load_map(MAPS / "shopify.toml"), tmp_path, zone)

    assert set(rows(zone, "products", "product_id", "kind")) == {("110", "gift_card"), ("111", None)}


def test_a_shopify_line_without_a_variant_is_no_product_where_no_file_has_products(tmp_path: Path, zone: Zone) -> None:
    shutil.copy(EXCERPTS / "shopify" / "orders-2024-03-06.json", tmp_path)
    land(load_map(MAPS / "shopify.toml"), tmp_path, zone)

    assert {product for [product] in rows(zone, "products", "product_id")} == {"110", "111"}
    assert (None,) in rows(zone, "order_items", "product_id")


@pytest.mark.parametrize(("of_order", "rate"), [('"50.00", "currency_code": "USD"', "1.04"), ('"50.00"', None)])
def test_a_shopify_payment_in_another_currency_has_the_rate_of_its_order(
    of_order: str, rate: str | None, tmp_path: Path, zone: Zone
) -> None:
    copy_excerpt("shopify", tmp_path, '"52.00", "currency": "EUR"', '"50.00", "currency": "USD"')
    orders = tmp_path / "orders-2024-03-06.json"
    both = f'{{"shop_money": {{"amount": "52.00"}}, "presentment_money": {{"amount": {of_order}}}}}'
    orders.write_text(orders.read_text().replace('"id": 7002,', f'"id": 7002, "total_price_set": {both},'))
    land(load_map(MAPS / "shopify.toml"), tmp_path, zone)

    columns = ("payment_id", "amount", "currency", "rate")
    assert ("6004", "50.00", "USD", rate) in rows(zone, "payments", *columns)
    assert ("6003", "59.50", "EUR", None) in rows(zone, "payments", *columns)


@st.composite
def sold_lines(draw: st.DrawFn) -> list[tuple[int, int, int, int]]:
    """Quantity, price, discount and included tax of lines, in cents; the last two leave something of the price."""
    lines = []
    for _ in range(40):
        quantity, price = draw(st.integers(1, 9)), draw(st.integers(0, 99999))
        discount = draw(st.integers(0, quantity * price))
        lines.append((quantity, price, discount, draw(st.integers(0, (quantity * price - discount) // 2))))
    return lines


def cents(amount: int) -> str:
    return str(Decimal(amount) / 100)


def first_number(row: tuple[Any, ...]) -> int:
    return int(row[0])


@pytest.mark.slow
@settings(max_examples=3, deadline=None, phases=[Phase.generate])
@given(sold_lines(), st.lists(st.integers(-5000, 5000), max_size=2))
def test_shopify_amounts_without_the_included_tax_are_exact(
    lines: list[tuple[int, int, int, int]], differences: list[int]
) -> None:
    items = [
        {
            **{"id": n, "variant_id": n, "title": "A", "quantity": quantity, "price": cents(price)},
            **{"discount_allocations": [{"amount": cents(discount)}], "tax_lines": [{"price": cents(tax)}]},
        }
        for n, (quantity, price, discount, tax) in enumerate(lines)
    ]
    worths = [quantity * price - discount - tax for quantity, price, discount, tax in lines]
    refund = {
        **{"id": 9, "created_at": "2024-03-03T00:00:00Z"},
        "refund_line_items": [
            {"id": n, "line_item_id": n, "quantity": 1, "subtotal": (worth + line[3]) / 100, "total_tax": line[3] / 100}
            for n, (worth, line) in enumerate(zip(worths, lines, strict=True))
        ],
        "order_adjustments": [{"kind": "refund_discrepancy", "amount": cents(amount)} for amount in differences],
    }
    order = {
        **{"id": 1, "created_at": "2024-03-02T00:00:00Z", "updated_at": "2024-03-03T00:00:00Z"},
        **{"taxes_included": True, "currency": "EUR", "line_items": items, "refunds": [refund]},
        **{"subtotal_price": cents(sum(worths) + sum(tax for *_, tax in lines)), "total_tax": "0", "total_price": "0"},
    }
    with TemporaryDirectory() as folder:
        (Path(folder) / "orders-2024-03-04.json").write_text(json.dumps({"orders": [order]}))
        zone = Zone(Path(folder) / "landing")
        land(load_map(MAPS / "shopify.toml"), Path(folder), zone)

        landed = sorted(
            rows(zone, "order_items", "line_number", "quantity", "unit_price", "discount"), key=first_number
        )
        nets = [Decimal(quantity) * Decimal(price) - Decimal(discount) for _, quantity, price, discount in landed]
        refunded = [Decimal(amount) for [amount] in rows(zone, "returns", "amount")]
        [(subtotal,)] = rows(zone, "orders", "subtotal")
    assert nets == [Decimal(worth) / 100 for worth in worths]
    assert all(Decimal(discount) >= 0 for *_, discount in landed)
    assert Decimal(subtotal) == sum(nets)
    assert sum(refunded) == sum(nets) - Decimal(sum(differences)) / 100


def test_kinds_of_calls_that_no_feed_reads_are_listed(tmp_path: Path, zone: Zone) -> None:
    calls = [{"type": "track", "event": "order completed"}] * 2 + [{"type": "identify"}]
    sent = [{"messageId": str(n), "timestamp": "2024-03-02T10:00:00Z", **call} for n, call in enumerate(calls)]
    (tmp_path / "segment-2024-03-02.jsonl").write_text("\n".join(map(json.dumps, sent)))
    report = str(land(load_map(MAPS / "segment.toml"), tmp_path, zone))

    assert "2 of type track, event order completed" in report
    assert "1 of type identify, event null" in report


def test_stripe_payments_and_refunds_that_failed_after_all_are_undone(tmp_path: Path, zone: Zone) -> None:
    source = {"id": "re_1", "object": "refund", "charge": "ch_1", "metadata": {}}
    failed = [("refund_failure", 4265), ("payment_failure_refund", -12695)]
    lines = [
        {
            **{"id": f"txn_{n}", "type": kind, "amount": amount, "fee": 0, "currency": "eur", "created": 1709629400},
            **{"source": source, "reporting_category": kind.replace("payment_failure_refund", "charge_failure")},
        }
        for n, (kind, amount) in enumerate(failed, start=20)
    ]
    copy_excerpt("stripe", tmp_path, "txn_1", "txn_1")
    answers = tmp_path / "balance_transactions-2024-03-09.jsonl"
    answers.write_text(answers.read_text().rstrip() + "\n" + "\n".join(map(json.dumps, lines)))
    land(load_map(MAPS / "stripe.toml"), tmp_path, zone)

    assert set(rows(zone, "payments", "payment_id", "order_id", "status", "amount")) >= {
        ("txn_20", "701", "captured", "42.65"),
        ("txn_21", "701", "refunded", "126.95"),
    }


@pytest.mark.slow
def test_shopify_sales(land_excerpt: LandExcerpt, zone: Zone) -> None:
    land_excerpt("shopify")

    assert sales(zone) == {
        2: day_of(1, "110", "10", "0", "100", "5", "19.95", "0", "0", "124.95"),
        3: day_of(1, "50", "0", "0", "50", "2", "0", "0", "0", "52"),
        4: day_of(0, "0", "0", "3", "-3", "0", "0", "0", "0", "-3"),
        5: day_of(0, "0", "0", "90", "-90", "0", "0", "5", "9.5", "-104.5"),
    }


def test_shopify_bulk(land_excerpt: LandExcerpt, zone: Zone) -> None:
    report = land_excerpt("shopify_bulk")

    assert report.rows == {"orders": 3, "order_items": 4, "products": 2, "payments": 4, "returns": 2}
    assert (report.lines, report.unused) == (10, 0)
    columns = ("order_id", "line_number", "product_id", "quantity", "unit_price", "discount", "tax")
    assert rows(zone, "order_items", *columns) == [
        ("8001", "1", "110", "2", "30", "6", "10.26"),
        ("8001", "2", "120", "1", "10", "0", "1.9"),
        ("8002", "1", None, "1", "10", "0", "1.9"),
        ("8003", "1", "110", "1", "30", "0", "0"),
    ]
    columns = ("return_id", "order_id", "line_number", "product_id", "quantity", "amount", "shipping", "tax")
    assert sorted(rows(zone, "returns", *columns)) == [
        ("911", "8001", "1", "110", "1", "27", "0", "5.13"),
        ("refund 902", "8002", None, None, None, "5.95", "0", "0"),
    ]
    assert sorted(rows(zone, "payments", "payment_id", "order_id", "status", "amount")) == [
        ("601", "8001", "captured", "82.11"),
        ("602", "8001", "refunded", "32.13"),
        ("603", "8002", "captured", "17.85"),
        ("604", "8002", "refunded", "5.95"),
    ]


def test_shopify_bulk_lines_may_be_exported_again(tmp_path: Path, zone: Zone) -> None:
    copy_excerpt("shopify_bulk", tmp_path, '"quantity":2', '"quantity":3')
    (tmp_path / "bulk-2024-03-06.jsonl").rename(tmp_path / "bulk-2024-03-07.jsonl")
    for file in (EXCERPTS / "shopify_bulk").iterdir():
        (tmp_path / file.name).write_text(file.read_text())
    report = land(load_map(MAPS / "shopify_bulk.toml"), tmp_path, zone)

    assert report.rows == {"orders": 6, "order_items": 8, "products": 2, "payments": 8, "returns": 4}
    items = rows(zone, "order_items", "order_id", "line_number", "quantity")
    assert sorted(set(items)) == [
        *(("8001", "1", "2"), ("8001", "1", "3"), ("8001", "2", "1"), ("8002", "1", "1"), ("8003", "1", "1")),
    ]


def test_a_gift_card_of_a_shopify_bulk_operation_is_known_by_its_line(tmp_path: Path, zone: Zone) -> None:
    copy_excerpt("shopify_bulk", tmp_path, '"quantity":2', '"isGiftCard":true,"quantity":2')
    land(load_map(MAPS / "shopify_bulk.toml"), tmp_path, zone)

    assert set(rows(zone, "products", "product_id", "kind")) == {("110", "gift_card"), ("120", None)}


@pytest.mark.parametrize(("tip", "names"), [("2.0", {"Lamp - Red", "Bulb"}), ("0.0", {"Lamp - Red", "Bulb", "Tip"})])
def test_a_tip_that_a_shopify_bulk_operation_has_as_a_line_too_counts_once(
    tip: str, names: set[str], tmp_path: Path, zone: Zone
) -> None:
    received = '"totalTipReceivedSet":{"shopMoney":{"amount":"%s"}}'
    copy_excerpt("shopify_bulk", tmp_path, received % "0.0", received % tip)
    [file] = tmp_path.glob("bulk*")
    line = {
        **{"id": "gid://shopify/LineItem/9", "__parentId": "gid://shopify/Order/8001", "name": "Tip", "quantity": 1},
        **{"variant": None, "originalUnitPriceSet": {"shopMoney": {"amount": "2.0"}}, "taxLines": []},
    }
    file.write_text(file.read_text() + json.dumps(line) + "\n")
    land(load_map(MAPS / "shopify_bulk.toml"), tmp_path, zone)

    assert {name for order, name in rows(zone, "order_items", "order_id", "description") if order == "8001"} == names
    assert ("8001", "7" if tip == "2.0" else "5") in rows(zone, "orders", "order_id", "shipping")


def test_shopify_bulk_sales(land_excerpt: LandExcerpt, zone: Zone) -> None:
    land_excerpt("shopify_bulk")

    assert sales(zone) == {
        2: day_of(1, "70", "6", "0", "64", "5", "13.11", "0", "0", "82.11"),
        3: day_of(1, "10", "0", "0", "10", "5", "2.85", "0", "0", "17.85"),
        4: day_of(0, "0", "0", "5.95", "-5.95", "0", "0", "0", "0", "-5.95"),
        5: day_of(0, "0", "0", "27", "-27", "0", "0", "0", "5.13", "-32.13"),
    }


def test_shopify_csv(land_excerpt: LandExcerpt, zone: Zone) -> None:
    report = land_excerpt("shopify_csv")

    assert (report.lines, report.unreadable, report.unused) == (3, 0, 0)
    assert sorted(
        rows(zone, "orders", "order_id", "customer_id", "status", "subtotal", "discount", "total"), key=str
    ) == [
        ("7001", "ada@example.org", "shipped", "100", "10", "114"),
        ("7002", "bob@example.org", "cancelled", "10", "0", "10"),
    ]
    assert sorted(
        rows(zone, "order_items", "order_id", "line_number", "product_id", "unit_price", "discount"), key=str
    ) == [
        ("7001", "1", "L-1", "40.00", "0"),
        ("7001", "2", "Bulb", "25.00", "5"),
        ("7002", "1", "Bulb", "10.00", "0"),
    ]
    assert sorted(rows(zone, "payments", "payment_id", "status", "amount"), key=str) == [
        ("7001-paid", "captured", "114"),
        ("7001-refunded", "refunded", "11.4"),
    ]
    assert rows(zone, "shipments", "order_id", "status") == [("7001", "shipped")]
    assert {name for [name] in rows(zone, "customers", "name")} == {"Ada Lund", "Bob"}


@pytest.mark.parametrize(
    ("taxes", "total", "amount", "tax"), [("19.00", "114.00", "9.5", "1.9"), ("15.17", "95.00", "11.4", "1.82")]
)
def test_a_shopify_csv_refund_is_like_the_prices_of_its_order(
    taxes: str, total: str, amount: str, tax: str, tmp_path: Path, zone: Zone
) -> None:
    copy_excerpt("shopify_csv", tmp_path, "90.00,5.00,19.00,114.00", f"90.00,5.00,{taxes},{total}")
    land(load_map(MAPS / "shopify_csv.toml"), tmp_path, zone)

    assert rows(zone, "returns", "amount", "tax") == [(amount, tax)]


@pytest.mark.slow
def test_shopify_csv_sales(land_excerpt: LandExcerpt, zone: Zone) -> None:
    land_excerpt("shopify_csv")

    assert sales(zone) == {
        2: day_of(1, "105", "15", "0", "90", "5", "19", "0", "0", "114"),
        3: day_of(0, "0", "0", "9.5", "-9.5", "0", "0", "0", "1.9", "-11.4"),
    }


@pytest.mark.slow
def test_shopify_csv_sales_at_prices_with_tax(tmp_path: Path, zone: Zone) -> None:
    copy_excerpt("shopify_csv", tmp_path, "90.00,5.00,19.00,114.00", "90.00,5.00,15.20,95.00")
    land(load_map(MAPS / "shopify_csv.toml"), tmp_path, zone)

    assert {day: (amounts[4], amounts[-1]) for day, amounts in sales(zone).items()} == {
        2: (Decimal("75.6"), Decimal("95")),
        3: (Decimal("-9.58"), Decimal("-11.4")),
    }


def test_woocommerce(land_excerpt: LandExcerpt, zone: Zone) -> None:
    report = land_excerpt("woocommerce")

    assert (report.lines, report.unreadable, report.unused) == (7, 0, 1)  # the pending order
    assert sorted(
        rows(zone, "orders", "order_id", "customer_id", "status", "subtotal", "discount", "shipping", "total"), key=str
    ) == [
        ("701", "5", "shipped", "100", "0", "7", "126.95"),
        ("703", None, "cancelled", "10", "0", "0", "10.00"),
        ("704", None, "paid", "10", "1", "0", "9.00"),
    ]
    assert sorted(rows(zone, "order_items", "order_id", "product_id", "unit_price", "discount", "tax"))[:2] == [
        ("701", "21", "33.3334", "10.0002", "17.1"),
        ("701", "30", "10", "0", "1.9"),
    ]
    assert sorted(rows(zone, "payments", "payment_id", "status", "amount", "fee"), key=str) == [
        ("paid-701", "captured", "126.95", "1.75"),
        ("paid-703", "failed", "10.00", "0"),
        ("paid-704", "captured", "9.00", "0"),
        ("refund-801", "refunded", "42.65", "0"),
    ]
    assert sorted(
        rows(zone, "returns", "return_id", "returned_at", "line_number", "product_id", "amount", "tax"), key=str
    ) == [
        ("90", "2024-03-05 09:00:00+00", "1", "21", "30", "5.7"),
        ("refund-801", "2024-03-05 09:00:00+00", None, None, "1", "0.95"),
    ]
    assert set(rows(zone, "products", "product_id", "name", "category", "variant")) == {
        ("20", "Lamp", "Lamps", None),
        ("21", "Lamp", "Lamps", "Red"),
        ("30", "Bulb", None, None),
    }
    assert rows(zone, "customers", "customer_id", "name", "city") == [("5", "Ada Lund", "Kiel")]


def test_a_woocommerce_refund_known_by_its_order_only_has_no_day(tmp_path: Path, zone: Zone) -> None:
    copy_excerpt("woocommerce", tmp_path, '"refunds": []', '"refunds": [{"id": 802, "total": "-9.00"}]')
    land(load_map(MAPS / "woocommerce.toml"), tmp_path, zone)

    assert ("refund-802", None, "9") in rows(zone, "returns", "return_id", "returned_at", "amount")


def test_a_woocommerce_refund_without_lines_of_a_part_of_an_order_is_money_without_goods(
    tmp_path: Path, zone: Zone
) -> None:
    copy_excerpt("woocommerce", tmp_path, "EUR", "EUR")
    refund = {"id": 801, "parent_id": 701, "date_created_gmt": "2024-03-05T09:00:00", "amount": "11.90"}
    (tmp_path / "refunds-2024-03-06.json").write_text(json.dumps([refund]))
    land(load_map(MAPS / "woocommerce.toml"), tmp_path, zone)

    columns = ("order_id", "line_number", "product_id", "quantity", "amount", "shipping", "tax")
    assert rows(zone, "returns", *columns) == [("701", None, None, None, "11.9", "0", "0")]


@pytest.mark.parametrize(
    ("already", "parts"), [("", ("100", "7", "19.95")), ("30.00", ("70", "7", "19.95")), ("1.00", ("96.95", "0", "0"))]
)
def test_a_woocommerce_refund_without_lines_of_a_whole_order_is_what_is_left_of_its_parts(
    already: str, parts: tuple[str, ...], tmp_path: Path, zone: Zone
) -> None:
    copy_excerpt("woocommerce", tmp_path, '{"id": 801,', '{"id": 802}, {"id": 801,')
    whole, earlier = Decimal("126.95"), Decimal(already or 0)
    amount = Decimal("96.95") if already == "1.00" else whole - earlier
    made = [
        {"id": 801, "parent_id": 701, "date_created_gmt": "2024-03-05T09:00:00", "amount": str(amount)},
        {
            **{"id": 802, "parent_id": 701, "date_created_gmt": "2024-03-04T09:00:00", "amount": already},
            "line_items": [{"id": 90, "product_id": 20, "quantity": -1, "total": f"-{already}", "total_tax": "0.00"}],
        },
    ]
    refunds = [{"line_items": [], "shipping_lines": [], **each} for each in made if each["amount"]]
    (tmp_path / "refunds-2024-03-06.json").write_text(json.dumps(refunds))
    land(load_map(MAPS / "woocommerce.toml"), tmp_path, zone)

    assert ("refund-801", *parts) in rows(zone, "returns", "return_id", "amount", "shipping", "tax")


def test_two_shops_with_equal_numbers_land_by_one_map(tmp_path: Path, zone: Zone) -> None:
    copy_excerpt("woocommerce", tmp_path, "EUR", "EUR")
    for store in ("de", "fr"):
        land(load_map(MAPS / "woocommerce.toml").in_store(store), tmp_path, zone)

    assert sorted(rows(zone, "orders", "store", "order_id", "customer_id"), key=str)[::3] == [
        ("de", "701", "de:5"),
        ("fr", "701", "fr:5"),
    ]
    assert {row[1:] for row in rows(zone, "order_items", "product_id", "store", "order_id")} >= {
        ("de", "701"),
        ("fr", "701"),
    }
    assert {product for (product,) in rows(zone, "products", "product_id")} == {
        f"{store}:{product}" for store in ("de", "fr") for product in (20, 21, 30)
    }


@pytest.mark.slow
def test_woocommerce_sales(land_excerpt: LandExcerpt, zone: Zone) -> None:
    land_excerpt("woocommerce")

    assert sales(zone) == {
        2: day_of(1, "110.0002", "10.0002", "0", "100", "7", "19.95", "0", "0", "126.95"),
        3: day_of(1, "10", "1", "0", "9", "0", "0", "0", "0", "9"),
        5: day_of(0, "0", "0", "31", "-31", "0", "0", "5", "6.65", "-42.65"),
    }


def test_amazon_settlement(land_excerpt: LandExcerpt, zone: Zone) -> None:
    report = land_excerpt("amazon_settlement")

    assert (report.lines, report.unreadable) == (17, 0)
    assert report.unused == 3  # the report's total, an unknown kind of price, and advertising
    assert sorted(rows(zone, "orders", "order_id", "channel", "subtotal", "shipping", "tax", "total"), key=str) == [
        ("302-1", "amazon.de", "1190", "5", "0", "1195")
    ]
    assert sorted(
        rows(zone, "order_items", "line_number", "product_id", "quantity", "unit_price", "discount"), key=str
    ) == [
        ("1", "L-1", "3", "400", "20"),
        ("2", "B-1", "1", "10", "0"),
    ]
    assert sorted(rows(zone, "payments", "payment_id", "status", "amount", "fee", "currency"), key=str) == [
        ("302-1-A1-Refund", "refunded", "400", "-55", "EUR"),
        ("302-1-S1", "captured", "1195", "180", "EUR"),
    ]
    assert rows(zone, "returns", "product_id", "quantity", "amount", "tax", "currency") == [
        ("L-1", "1", "400", "0", "EUR")
    ]


def test_an_amazon_order_is_settled_in_two_reports(tmp_path: Path, zone: Zone) -> None:
    header, *lines = (
        (EXCERPTS / "amazon_settlement" / "settlement-2024-03-09.txt").read_text().splitlines(keepends=True)
    )
    for day, part in [("09", lines[:7]), ("23", lines[7:])]:
        folder = tmp_path / day
        folder.mkdir()
        (folder / f"settlement-2024-03-{day}.txt").write_text("".join([header, *part]))
        land(load_map(MAPS / "amazon_settlement.toml"), folder, zone)

    assert rows(zone, "orders", "order_id", "subtotal", "total") == [("302-1", "1190", "1195")]
    assert rows(zone, "order_items", "line_number", "product_id", "quantity", "unit_price") == [
        ("1", "L-1", "3", "400"),
        ("2", "B-1", "1", "10"),
    ]
    assert sorted(rows(zone, "payments", "status", "amount", "fee")) == [
        ("captured", "1195", "180"),
        ("refunded", "400", "-55"),
    ]
    assert rows(zone, "returns", "quantity", "amount") == [("1", "400")]  # by the price in the earlier report


@pytest.mark.slow
def test_amazon_settlement_sales(land_excerpt: LandExcerpt, zone: Zone) -> None:
    land_excerpt("amazon_settlement")

    assert sales(zone) == {
        5: day_of(1, "1210", "20", "0", "1190", "5", "0", "0", "0", "1195"),
        8: day_of(0, "0", "0", "400", "-400", "0", "0", "0", "0", "-400"),
    }


def test_stripe(land_excerpt: LandExcerpt, zone: Zone) -> None:
    report = land_excerpt("stripe")

    assert (report.lines, report.unreadable, report.unused) == (7, 0, 2)  # the payouts
    assert sorted(rows(zone, "payments", "payment_id", "order_id", "status", "amount", "fee"), key=str) == [
        ("txn_1", "701", "captured", "126.95", "1.75"),
        ("txn_10", "702", "refunded", "26.95", "0"),
        ("txn_2", "701", "refunded", "42.65", "0"),
        ("txn_3", "701", "charged_back", "84.3", "15"),
        ("txn_9", "702", "captured", "126.95", "1.75"),
    ]


EVENT = ["event", "anonymous_id", "customer_id", "product_id", "order_id", "quantity", "value"]
VISIT = ["device", "utm_source", "utm_medium", "utm_campaign"]


@pytest.mark.parametrize(
    ("name", "unused", "visitor"), [("ga4", 1, "1.2"), ("segment", 1, "a1"), ("snowplow", 1, "d1")]
)
def test_events(name: str, unused: int, visitor: str, land_excerpt: LandExcerpt, zone: Zone) -> None:
    report = land_excerpt(name)

    assert (report.unreadable, report.unused) == (0, unused)
    landed = rows(zone, "events", *EVENT)
    assert landed[:2] == [
        ("Page Viewed", visitor, None, None, None, None, None),
        ("Product Added", visitor, None, "20", None, "2", "33.34"),
    ]
    assert ("Order Completed", visitor, "5", None, "701", None, "126.95") in landed
    assert rows(zone, "events", *VISIT[1:])[0] == ("newsletter", "email", "spring")
    assert max(Counter(rows(zone, "events", "event_id")).values()) == 1


@pytest.mark.parametrize(
    ("name", "coupon"), [("shopify", "SPRING, VIP"), ("shopify_csv", "SPRING"), ("woocommerce", "spring")]
)
def test_an_order_has_the_codes_of_its_coupons(name: str, coupon: str, land_excerpt: LandExcerpt, zone: Zone) -> None:
    land_excerpt(name)

    assert {code for [code] in rows(zone, "orders", "coupon") if code} == {coupon}


@pytest.mark.parametrize(
    ("name", "event", "campaign_id"),
    [
        ("ga4", "Promotion Clicked", "c9"),
        ("segment", "Promotion Viewed", "c9"),
        ("snowplow", "Promotion Clicked", None),
    ],
)
def test_promotions_are_events(
    name: str, event: str, campaign_id: str | None, land_excerpt: LandExcerpt, zone: Zone
) -> None:
    land_excerpt(name)

    assert (event, "p1", None, campaign_id) in rows(
        zone, "events", "event", "promotion_id", "product_id", "campaign_id"
    )


def test_a_click_on_an_ad_is_paid_search(land_excerpt: LandExcerpt, zone: Zone) -> None:
    land_excerpt("ga4")

    assert rows(zone, "events", *VISIT)[1] == ("mobile", "google", "cpc", None)


def test_a_snowplow_event_without_a_product_entity(land_excerpt: LandExcerpt, zone: Zone) -> None:
    land_excerpt("snowplow")

    assert rows(zone, "events", *EVENT)[-1] == ("Order Completed", "d1", None, None, "702", None, "10")
