from dataclasses import replace
from datetime import date, timedelta

import polars as pl

from ecom_assets.shop.scale import Scale
from ecom_assets.shop.shop import Shop

FRIDAY = date(2024, 3, 1)
SCALE = Scale(orders_per_day=60, customers_at_start=90, products_at_start=30)


def test_a_share_of_orders_is_in_another_currency_in_all_its_states():
    days = [FRIDAY + timedelta(days=n) for n in range(5)]
    shop, plain = (Shop(FRIDAY, preset=replace(SCALE, foreign_share=share)) for share in (0.3, 0.0))
    orders = pl.concat(shop.arrivals(day)["orders"] for day in days)

    foreign = orders.unique("order_id")["currency"].is_not_null().mean()
    assert 0.2 < foreign < 0.4
    assert set(orders["currency"]) == {None, "USD", "GBP", "SEK"}
    assert orders.group_by("order_id").agg(pl.col("currency").n_unique())["currency"].max() == 1
    assert plain.arrivals(FRIDAY)["orders"].equals(shop.arrivals(FRIDAY)["orders"].drop("currency"))
    assert "exchange_rates" not in plain.arrivals(FRIDAY)


def test_rates_arrive_on_working_days():
    shop = Shop(FRIDAY, preset=replace(SCALE, foreign_share=0.3))
    rates = [shop.day(FRIDAY + timedelta(days=n))["exchange_rates"] for n in range(4)]

    assert [rows.height for rows in rates] == [3, 0, 0, 3]
    assert rates[3]["rate_on"].to_list() == [date(2024, 3, 4)] * 3
    assert (rates[0]["rate"] > 0).all()
