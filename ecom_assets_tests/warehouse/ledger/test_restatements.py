"""The parts by which a total changed add up to the difference, and name the cause."""

from decimal import Decimal

import narwhals as nw
import pytest

from ecom_assets import catalog
from ecom_assets.contract import contract
from ecom_assets.declaration import declare
from ecom_assets.expressions.money import MONEY
from ecom_assets.landing.feed_settings import FeedSettings
from ecom_assets.warehouse import restatements
from ecom_assets.warehouse.proof import settle
from ecom_assets.warehouse.session import Session
from ecom_assets_tests.tiny_shop import Daily, daily, on, open_shop, order, tables
from ecom_assets_tests.warehouses import unexplained

pytestmark = pytest.mark.slow


def parts(shop, day: int = 1) -> list[tuple[str, int]]:
    """The parts of the last change of a day's total."""
    return shop.rows(
        "select cause, amount::int from ledger.amount_changes "
        f"where table_name = 'kpi.daily' and day = date '{on(day)}' "
        "qualify recorded_at = max(recorded_at) over () order by cause"
    )


def evidence(shop) -> list[tuple[str, list[str], list[str]]]:
    """Causes of the rows of the fact that changed, their files, and their keys."""
    return shop.rows(
        "select cause, files, samples from ledger.amount_changes where table_name = 'gold.sales' order by all"
    )


def test_the_first_total_of_a_day_has_no_cause(shop):
    assert shop.rows("select * from ledger.amount_changes") == []


def test_a_late_row_and_a_correction_are_two_parts_with_their_files(shop):
    shop.land_orders(2, order(3, 2), order(4, 1, amount=5), file="orders.csv")
    shop.land_orders(3, order(2, 1, amount=7, version=1), file="corrections.csv")

    settle(shop.session)

    assert parts(shop) == [("corrections", -3), ("late rows", 5)]
    assert evidence(shop) == [
        ("corrections", ["orders/2024-03-04/corrections.csv"], ["2"]),
        ("late rows", ["orders/2024-03-03/orders.csv"], ["4"]),
    ]
    assert unexplained(shop.con) == []


def test_several_rows_of_one_cause_are_one_part(shop):
    shop.land_orders(2, order(3, 2), *(order(number, 1, amount=number) for number in (4, 5, 6)), file="orders.csv")

    settle(shop.session)

    assert parts(shop) == [("late rows", 15)]
    assert evidence(shop) == [("late rows", ["orders/2024-03-03/orders.csv"], ["4", "5", "6"])]


def test_rows_of_a_file_that_is_gone_and_rows_that_are_refused_are_told_apart(shop):
    path = shop.land_orders(2, order(3, 2), order(4, 1, amount=5), order(5, 1, amount=6), file="orders.csv")
    settle(shop.session)

    path.write_text(path.read_text().replace(order(4, 1, amount=5), "").replace(",6\n", ",-6\n"))
    settle(shop.session)

    assert parts(shop) == [("quarantined rows", -6), ("withdrawn files", -5)]
    assert unexplained(shop.con) == []


def test_an_order_that_moves_to_another_day_is_a_correction_on_both(shop):
    shop.land_orders(3, order(2, 2, version=1))

    settle(shop.session)

    assert (parts(shop, 1), parts(shop, 2)) == ([("corrections", -10)], [("corrections", 10)])


def doubled(gold_sales: nw.LazyFrame) -> nw.LazyFrame:
    return daily(gold_sales).with_columns(amount=(nw.col("amount") * 2).cast(MONEY))


def test_changed_code_is_a_cause_of_its_own_beside_rows(tmp_path):
    with open_shop(tmp_path) as shop:
        shop.land_orders(1, order(2, 1))
        settle(shop.session)
        file = shop.session.con
        shop.land_orders(2, order(4, 1, amount=5))
        session = Session(file, tables(declare(contract(Daily), doubled)), shop.session.zone, shop.session.calendar)
        settle(session)

        assert parts(shop) == [("code", 10), ("late rows", 10)]
        assert unexplained(shop.con) == []


def test_changed_settings_are_told_apart_from_changed_code(shop):
    shop.land_orders(2, order(3, 2), order(4, 1).replace(",10", ",5.25"), file="orders.csv")
    settle(shop.session)
    shop.session.zone.save_settings("orders", FeedSettings(round_amounts=0))

    settle(Session(shop.con, tables(), shop.session.zone, shop.session.calendar))

    changes = f"where table_name = 'kpi.daily' and day = date '{on(1)}' order by recorded_at"
    assert shop.rows(f"select cause, amount from ledger.amount_changes {changes}") == [
        ("late rows", Decimal("5.25")),
        ("settings", Decimal("-0.25")),
    ]


def test_the_records_behind_a_row_are_found_by_its_own_key():
    known = catalog.tables()

    for table in known:
        for source in restatements._sources(known, table):
            assert set(source.contract.primary_key) <= set(table.contract.primary_key), table.name


def test_what_cannot_be_explained_ends_no_write(shop, monkeypatch, caplog):
    monkeypatch.setattr(restatements, "_parts", lambda declaration: "select no_such_column")
    shop.land_orders(2, order(3, 2), order(4, 1, amount=5), file="orders.csv")

    settle(shop.session)

    assert shop.rows("select amount::int from kpi.daily order by day") == [(10,), (15,), (10,)]
    assert "Why the totals of kpi.daily changed could not be recorded" in caplog.text
