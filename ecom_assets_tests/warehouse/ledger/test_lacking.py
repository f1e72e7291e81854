"""What a table lacks is said of each of its days that reads a failed day, directly or not."""

import pytest

from ecom_assets.publishing.snapshot import publish
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.warehouse.ledger.lacking import Lack, lacking
from ecom_assets.warehouse.proof import settle
from ecom_assets_tests.tiny_shop import days, order

pytestmark = pytest.mark.slow


def found(shop):
    return lacking(shop.con, shop.session.catalog, shop.session.calendar)


def test_nothing_is_lacking_while_no_day_failed(shop):
    assert found(shop) == []


def test_tables_lack_a_failed_day_on_the_days_that_reach_it(shop, tmp_path):
    shop.land_orders(1, order(1, 1, amount=-1))
    settle(shop.session)
    assert shop.states("silver.orders")[1] == "failed"

    to_its_day = [Lack(table, days(1), "silver.orders", days(1)) for table in ("gold.sales", "kpi.daily")]
    assert found(shop) == sorted([*to_its_day, Lack("gold.to_date", days(1, 2), "silver.orders", days(1))])

    publish(shop.session, tmp_path / "snapshot.duckdb")
    with open_snapshot(tmp_path / "snapshot.duckdb") as con:
        published = con.execute("from ledger.lacking order by all").fetchall()
    window = days(1)
    assert published[1] == ("gold.to_date", window.first, days(2).last, "silver.orders", window.first, window.last)


def test_days_that_failed_one_after_the_other_are_one_lack(shop):
    for day in (1, 2):
        shop.land_orders(day, order(day, day, amount=-1))
    settle(shop.session)

    assert Lack("kpi.daily", days(1, 2), "silver.orders", days(1, 2)) in found(shop)
    assert len(found(shop)) == 3
