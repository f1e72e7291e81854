from datetime import date

import numpy as np
import polars as pl
import pytest
from scipy.stats import gamma, kstest, lomax

from ecom_assets.shop.customers import CONSENT_LIFT, CONSENT_SHARE, LIFETIME_DAYS, LIFETIME_SHAPE, Customers
from ecom_assets.shop.draws import generator, uniforms
from ecom_assets.shop.products import CATEGORIES, LEFT, LIFE_DAYS, PRICE_MU, PRICE_SIGMA, STRENGTHS, Products
from ecom_assets.shop.sales import TEST, Sales
from ecom_assets.shop.scale import Scale
from ecom_assets.shop.tastes import FAVOURITE_SHARE, Tastes
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


def test_a_category_sells_most_in_its_season(timetable: Timetable) -> None:
    products = Products(timetable)
    category = products.category(np.arange(8_000))
    toys, homes = list(CATEGORIES).index("Toys"), list(CATEGORIES).index("Home")

    def share(day: int, of: int) -> float:
        selling = products.selling(day)[:8_000]
        return float(selling[category == of].sum() / products.weights(np.arange(8_000))[category == of].sum())

    summer, christmas = 170, 350
    assert share(christmas, toys) / share(summer, toys) == pytest.approx((1 + STRENGTHS[toys]) / 0.5, rel=0.35)
    assert share(christmas, toys) / share(summer, toys) > 1.5 * share(christmas, homes) / share(summer, homes)


def test_new_products_become_known_and_what_is_left_at_their_end_is_sold_off(timetable: Timetable) -> None:
    products = Products(timetable)
    first, ends = np.arange(8_000), products.ends_on[:8_000]
    day = LIFE_DAYS
    new = np.flatnonzero((np.arange(products.known(day)) >= 8_000) & (products.ends_on[: products.known(day)] > day))
    weight = products.selling(day)[new] / products.weights(new)

    assert kstest(ends, "expon", (0, LIFE_DAYS)).pvalue > 0.001
    assert weight[-1] < 0.5 * weight[0]
    is_over = ends <= day
    left = products.selling(day)[first[is_over]].sum() / products.weights(first[is_over]).sum()
    assert left < 1.5 * LEFT
    assert abs(is_over.mean() - (1 - np.exp(-1))) < 0.02


def test_customers_buy_what_they_like_and_categories_sell_much_as_if_all_were_alike(timetable: Timetable) -> None:
    products, rng = Products(timetable), generator(7, "lines")
    tastes, day = Tastes(products), 1
    customer = rng.integers(0, 5_000, 100_000)
    any_product = products.pick(rng, day, len(customer))

    category = products.category(tastes.chosen(day, any_product, customer))

    is_liked = category == tastes.favourite(customer)
    by_chance = products.category(any_product) == tastes.favourite(customer)
    assert is_liked.mean() == pytest.approx(FAVOURITE_SHARE + (1 - FAVOURITE_SHARE) * by_chance.mean(), abs=0.01)
    alike, shared = (np.bincount(of, minlength=8) / len(of) for of in (products.category(any_product), category))
    assert np.abs(alike - shared).max() < 0.04


def test_what_the_truth_expects_of_products_is_what_customers_choose(timetable: Timetable) -> None:
    products, rng = Products(timetable), generator(7, "lines")
    tastes, day = Tastes(products), 100
    only_toys = np.eye(len(CATEGORIES))[list(CATEGORIES).index("Toys")]
    fans = np.flatnonzero(tastes.favourite(np.arange(5_000)) == list(CATEGORIES).index("Toys"))
    customer = rng.choice(fans, 100_000)

    chosen = tastes.chosen(day, products.pick(rng, day, len(customer)), customer)

    expected = tastes.shares(day, only_toys)
    assert expected.sum() == pytest.approx(1)
    sold = np.bincount(chosen, minlength=len(expected)) / len(chosen)
    assert np.corrcoef(sold, expected)[0, 1] > 0.99


def test_a_shop_of_one_product_sells_it_whatever_customers_like() -> None:
    products = Products(Timetable(START, 7, Scale(products_at_start=1, products_per_day=0)))

    chosen = Tastes(products).chosen(2_000, np.zeros(50, dtype=np.int64), np.arange(50))

    assert set(chosen) == {0}
