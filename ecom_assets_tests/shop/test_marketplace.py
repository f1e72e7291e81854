from datetime import date, timedelta

import polars as pl
import pytest

from ecom_assets.shop.scale import PRESETS, Scale
from ecom_assets.shop.shop import Shop

START = date(2024, 1, 1)
DAYS = 40


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop(START)


@pytest.fixture(scope="module")
def reports(shop: Shop) -> pl.DataFrame:
    days = [START + timedelta(days=n) for n in range(DAYS)]
    return pl.concat([shop.settlement(day).with_columns(asked=day) for day in days])


def test_it_sells_about_its_share_of_the_shops_orders(reports: pl.DataFrame) -> None:
    orders = reports.filter(pl.col("type") == "Order")["order-id"].n_unique()

    assert 0.9 < orders / (DAYS * PRESETS["demo"].orders_per_day * PRESETS["demo"].marketplace_share) < 1.4


def test_a_report_is_of_its_day_and_the_same_each_time(shop: Shop, reports: pl.DataFrame) -> None:
    assert reports.filter(pl.col("posted-at").dt.date() != pl.col("asked")).is_empty()
    last = START + timedelta(days=DAYS - 1)
    assert Shop(START).settlement(last).equals(reports.filter(pl.col("asked") == last).drop("asked"))


def test_what_buyers_pay_adds_up_and_lines_are_numbered(reports: pl.DataFrame) -> None:
    sold = reports.filter(pl.col("type") == "Order")
    parts = pl.col("item-total") + pl.col("shipping") + pl.col("sales-tax")

    assert reports.filter(pl.col("buyer-total") != parts).is_empty()
    assert sold.filter(pl.col("quantity") * pl.col("price") - pl.col("promotion") != pl.col("item-total")).is_empty()
    assert sold.select("order-id", "item-number").is_unique().all()
    assert sold.filter(pl.col("fees") <= 0).is_empty()


def test_refunds_give_back_lines_sold_a_week_or_two_before(reports: pl.DataFrame) -> None:
    line = ["order-id", "item-number"]
    refunds = reports.filter(pl.col("type") == "Refund")
    both = refunds.join(reports.filter(pl.col("type") == "Order"), on=line, suffix="-sold")

    assert both.height == refunds.height > 10
    assert both.filter(-pl.col("item-total") != pl.col("item-total-sold")).is_empty()
    assert set(both.select((pl.col("posted-at") - pl.col("purchased-at")).dt.total_days()).to_series()) == {7, 14}


def test_a_shop_without_a_marketplace_gets_empty_reports() -> None:
    assert Shop(START, preset=Scale()).settlement(START).is_empty()
