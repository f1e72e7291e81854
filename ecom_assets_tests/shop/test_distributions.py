from datetime import date

import numpy as np
import polars as pl
import pytest
from scipy.stats import gamma, kstest, lomax

from ecom_assets.shop.customers import CONSENT_LIFT, CONSENT_SHARE, LIFETIME_DAYS, LIFETIME_SHAPE, Customers
from ecom_assets.shop.draws import generator, uniforms
from ecom_assets.shop.products import PRICE_MU, PRICE_SIGMA, Products
from ecom_assets.shop.sales import TEST, Sales
from ecom_assets.shop.scale import Scale
from ecom_assets.shop.timetable import CAMPAIGN_DAYS, CAMPAIGN_LIFT, WEEKDAYS, Timetable

START = date(2024, 1, 1)


@pytest.fixture(scope="module")
def timetable() -> Timetable:
    return Timetable(START, 7, Scale(products_at_start=8_000, customers_at_start=5_000))


def test_prices_are_log_normal(timetable: Timetable) -> None:
    product = np.arange(8_000)
    price = Products(timetable).price(product, np.full(8_000, timetable.begins(0)))
    standard = (np.log(price / 100) - PRICE_MU) / PRICE_SIGMA

    assert abs(standard.mean()) < 0.05
    assert abs(standard.std() - 1) < 0.05
    assert abs((standard**3).mean()) < 0.1
    assert abs((standard**4).mean() - 3) < 0.3


def test_orders_are_poisson_around_the_calendar(timetable: Timetable) -> None:
    orders = np.diff(timetable.orders)
    mean = 250 * timetable.demand

    assert abs(orders.mean() / mean.mean() - 1) < 0.01
    assert abs(((orders - mean) ** 2 / mean).mean() - 1) < 0.1


def test_weekdays_differ_as_they_should(timetable: Timetable) -> None:
    orders = np.diff(timetable.orders)
    weekday = (START.weekday() + np.arange(len(orders))) % 7
    by_weekday = np.array([orders[weekday == day].mean() for day in range(7)])

    assert np.allclose(by_weekday / by_weekday.mean(), WEEKDAYS / WEEKDAYS.mean(), atol=0.02)


def test_winter_sells_more_than_summer(timetable: Timetable) -> None:
    orders = np.diff(timetable.orders)[:3650].reshape(10, 365)

    assert 1.2 < orders[:, 335:360].mean() / orders[:, 150:175].mean() < 1.5


def test_the_campaign_week_lifts_orders(timetable: Timetable) -> None:
    orders = np.diff(timetable.orders)[:3650].reshape(10, 365)
    week, before = orders[:, CAMPAIGN_DAYS].mean(), orders[:, 21:28].mean()

    assert abs(week / before - CAMPAIGN_LIFT) < 0.1


def test_a_tenth_of_the_customers_places_a_large_part_of_the_orders(timetable: Timetable) -> None:
    customer = Customers(timetable).pick(generator(7, "test"), 0, 100_000)
    orders = np.sort(np.bincount(customer, minlength=5_000))[::-1]

    assert 0.3 < orders[:500].sum() / orders.sum() < 0.8


def test_rates_and_lifetimes_are_those_of_a_pareto_nbd_model_with_covariates(timetable: Timetable) -> None:
    customers = Customers(timetable)
    of_the_start = np.arange(timetable.customers[0])
    consents = uniforms(7, "consent", of_the_start) < CONSENT_SHARE
    rate = customers.rate[of_the_start] / np.where(consents, CONSENT_LIFT, 1)
    lifetime = (customers.leaves_on - customers.first_on)[of_the_start]

    assert kstest(rate, gamma(0.5).cdf).statistic < 0.03
    assert kstest(lifetime - 0.5, lomax(LIFETIME_SHAPE, scale=LIFETIME_DAYS).cdf).statistic < 0.03
    assert abs(np.corrcoef(rate, lifetime < LIFETIME_DAYS)[0, 1]) < 0.05


@pytest.mark.slow
def test_a_third_of_the_customers_buys_again_within_a_year() -> None:
    shop = Timetable(START, 7, Scale())
    sales = Sales(shop, Customers(shop), Products(shop))
    baskets = [sales.basket(day).orders for day in range(365 + 180)]
    day = np.repeat(np.arange(len(baskets)), [len(basket["number"]) for basket in baskets])
    customer, fate = (np.concatenate([basket[name] for basket in baskets]) for name in ("customer", "fate"))
    orders = pl.DataFrame({"customer": customer, "day": day}).filter(pl.Series(fate > TEST), pl.col("customer") >= 0)

    new = orders.filter(pl.col("customer") >= shop.customers[0]).sort("customer", "day")
    new = new.group_by("customer").agg(first=pl.col("day").first(), second=pl.col("day").get(1, null_on_oob=True))
    again = new.filter(pl.col("first") < 180).select((pl.col("second") - pl.col("first") <= 365).fill_null(value=False))

    assert 0.25 < again.to_series().mean() < 0.4


def test_lines_of_an_order_are_as_many_as_the_scale_says(timetable: Timetable) -> None:
    lines = np.diff(timetable.orders).sum() + timetable.further_lines.sum()

    assert abs(lines / timetable.orders[-1] - 2.5) < 0.01


def test_registrations_and_products_can_stand_still() -> None:
    still = Timetable(START, 7, Scale(days=3, customers_per_day=0, products_per_day=0, lines_per_order=1))

    assert set(still.customers) == {6_000}
    assert set(still.products) == {300}
    assert still.further_lines.sum() == 0


@pytest.mark.parametrize("wrong", [{"lines_per_order": 0.5}, {"conversion": 0}, {"days": 0}, {"customers_at_start": 0}])
def test_an_impossible_scale_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong)).partition("_at")[0]):
        Scale(**wrong)


def test_every_day_and_every_stream_is_drawn_anew() -> None:
    draws = [generator(7, stream, day).random(50) for stream in ("orders", "visits") for day in (0, 1, 2)]

    assert len(np.unique(draws)) == 6 * 50
