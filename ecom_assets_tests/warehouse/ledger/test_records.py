"""What is recorded of a table-day with its rows."""

import datetime as dt

from ecom_assets_tests.tiny_shop import days, open_shop, order


def test_a_day_is_recorded_with_its_run_and_time(tmp_path):
    noon = dt.datetime.fromisoformat("2024-03-05 12:00")
    with open_shop(tmp_path, run_id="a run", now=lambda: noon) as shop:
        shop.land_orders(0, order(1, 0))
        shop.run(days(0), "bronze.orders")

        assert shop.rows("select run_id, written_at from ledger.days") == [("a run", noon)]
