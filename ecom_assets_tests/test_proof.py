"""The proof against a full rebuild."""

from pathlib import Path

from ecom_assets.declaration import Catalog
from ecom_assets.proof import contents, verify
from ecom_assets.writing import Session
from ecom_assets_tests.tiny_shop import days, open_shop, order


def test_tables_that_nobody_declares_any_more_do_not_count(tmp_path: Path) -> None:
    with open_shop(tmp_path) as shop:
        shop.land_customers(0)
        shop.land_orders(0, order(1, 0))
        shop.run(days(0))
        assert ("kpi.daily", "2024-03-01") in contents(shop.session)
        fewer = Catalog(table for table in shop.session.catalog if table.name != "kpi.daily")
        session = Session(shop.con, fewer, shop.session.zone, shop.session.calendar)

        shop.con.execute("update ledger.days set state = 'failed' where table_name = 'kpi.daily'")

        assert verify(session) is None


def test_each_table_is_told_of_as_it_is_rebuilt(tmp_path: Path) -> None:
    lines: list[str] = []
    with open_shop(tmp_path) as shop:
        shop.land_customers(0)
        shop.land_orders(0, order(1, 0))
        shop.run(days(0))

        verify(shop.session, tell=lines.append)

        assert [line.partition(": 1 days rebuilt, ")[0] for line in lines] == shop.session.catalog.names
