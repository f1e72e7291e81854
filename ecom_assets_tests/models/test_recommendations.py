import datetime as dt
import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from bench.real_orders import RETAIL_CUT_OFF, bought_from, online_retail
from ecom_assets.models import recommendations
from ecom_assets.models.evaluation import coverage, of_lists, paired_difference
from ecom_assets.models.recommendations import (
    BOUGHT_WITH,
    EASE_ALONE,
    LEAST_COVERAGE,
    LISTED,
    LISTS,
    OWN_ORDERS,
    Blend,
    Recommender,
    Settings,
    bought_with,
    choose,
    fit,
    recommend,
)
from ecom_assets_tests.real_data import only_with, source

CUT_OFF = dt.date(2024, 3, 1)


def bought(*rows: tuple[str, str, int], weight: float = 1.0) -> pl.DataFrame:
    """Purchases of customer, product, days before the cut-off."""
    found = [(customer, product, CUT_OFF - dt.timedelta(days), weight) for customer, product, days in rows]
    schema = {"customer_id": pl.String, "product_id": pl.String, "day": pl.Date, "weight": pl.Float64}
    return pl.DataFrame(found, schema=schema, orient="row")


def listed(interactions: pl.DataFrame, customer: str, settings: Settings | None = None, **options) -> list[str]:
    """The products in a customer's list."""
    model = fit(interactions, CUT_OFF, settings)
    lists = recommend(model, interactions, CUT_OFF, pl.Series([customer]), **options)
    return lists.sort("rank")["product_id"].to_list()


def shop(customers: int, products: int, seed: int = 1) -> pl.DataFrame:
    """Customers with tastes, each of whom bought on several days."""
    draws = np.random.default_rng(seed)
    rows = []
    for customer in range(customers):
        liked = (customer % 4) * products // 4
        for days in draws.integers(1, 120, 12):
            product = liked + draws.integers(products // 4) if draws.random() < 0.8 else draws.integers(products)
            rows.append((f"c{customer}", f"p{product:02}", int(days)))
    return bought(*rows).unique()


TOGETHER = [("a", "tea", 50), ("a", "cup", 50), ("b", "tea", 40), ("b", "cup", 40), ("c", "tea", 45), ("d", "ink", 45)]


def test_what_was_bought_often_and_lately_comes_first() -> None:
    known = bought(("a", "tea", 300), ("a", "tea", 290), ("a", "ink", 5), ("a", "cup", 200), ("b", "pen", 1))

    assert listed(known, "a", Settings(any_product=Blend(90, 0, 0, 0))) == ["ink", "cup", "tea", "pen"]
    assert listed(known, "a", Settings(any_product=OWN_ORDERS)) == ["tea", "ink", "cup", "pen"]


def test_new_products_are_those_of_customers_who_bought_the_same() -> None:
    assert listed(bought(*TOGETHER), "c", only_new=True)[0] == "cup"
    assert "tea" not in listed(bought(*TOGETHER), "c", only_new=True)


def test_a_product_that_sells_better_lately_comes_before_one_as_similar() -> None:
    others = [(f"o{n}", "fan", 300) for n in range(40)] + [(f"o{n}", "ski", 3) for n in range(40, 80)]
    both = [(customer, product, 100) for customer in "ab" for product in ("tea", "fan", "ski")]
    known = bought(*both, ("d", "tea", 100), ("d", "fan", 100), ("c", "tea", 90), *others)

    assert listed(known, "c", only_new=True) == ["ski", "fan"]
    assert listed(known, "c", Settings(new_product=EASE_ALONE), only_new=True) == ["fan", "ski"]


def test_a_customer_without_history_gets_what_is_popular_lately() -> None:
    known = bought(*[(f"o{n}", "ski", 3) for n in range(3)], *[(f"o{n}", "fan", 300) for n in range(9)])

    assert listed(known, "nobody") == ["ski", "fan"]
    assert listed(known, "nobody", only_new=True) == ["ski", "fan"]


def test_equal_products_are_listed_by_code_however_rows_are_ordered() -> None:
    known = bought(("a", "tea", 9), ("b", "ink", 9), ("c", "cup", 9))

    assert listed(known, "nobody") == ["cup", "ink", "tea"]
    assert listed(known.reverse(), "nobody") == ["cup", "ink", "tea"]


def test_the_order_of_rows_changes_nothing() -> None:
    known = shop(60, 20)
    known = known.with_columns(weight=pl.Series(np.random.default_rng(3).random(len(known))))
    shuffled = known.sample(fraction=1, shuffle=True, seed=2)

    one, other = fit(known, CUT_OFF), fit(shuffled, CUT_OFF)

    assert np.array_equal(one.similarities, other.similarities)
    assert np.array_equal(one.popularity, other.popularity)
    assert recommend(one, known, CUT_OFF, known["customer_id"]).equals(
        recommend(other, shuffled, CUT_OFF, shuffled["customer_id"])
    )


def test_what_happens_from_the_cut_off_on_changes_nothing() -> None:
    known = shop(80, 20)
    later = pl.concat([known, bought(("c1", "p01", 0), ("c2", "new", -3))])

    assert bought_with(fit(later, CUT_OFF)).equals(bought_with(fit(known, CUT_OFF)))
    assert choose(later, CUT_OFF) == choose(known, CUT_OFF)
    assert recommend(fit(known, CUT_OFF), later, CUT_OFF, known["customer_id"]).equals(
        recommend(fit(known, CUT_OFF), known, CUT_OFF, known["customer_id"])
    )


def test_a_purchase_after_the_fit_counts_for_the_list_of_its_customer() -> None:
    model = fit(bought(*TOGETHER), CUT_OFF)
    later = pl.concat([bought(*TOGETHER), bought(("d", "tea", -1), ("d", "unheard of", -1))])
    tomorrow = CUT_OFF + dt.timedelta(2)

    lists = recommend(model, later, tomorrow, pl.Series(["d"]), only_new=True)

    assert lists["product_id"].to_list() == ["cup"]


def test_products_are_listed_with_those_that_the_same_customers_bought() -> None:
    found = bought_with(fit(bought(*TOGETHER), CUT_OFF))

    assert found.select("product_id", "rank", "other_product_id").rows() == [("cup", 1, "tea"), ("tea", 1, "cup")]


def test_an_empty_shop_has_empty_lists() -> None:
    model = fit(bought(), CUT_OFF, choose(bought(), CUT_OFF))

    assert recommend(model, bought(), CUT_OFF, pl.Series(["a"])).schema == LISTS
    assert recommend(model, bought(), CUT_OFF, pl.Series([], dtype=pl.String)).is_empty()
    assert bought_with(model).schema == BOUGHT_WITH
    assert bought_with(model).is_empty()


def test_a_shop_with_one_product_lists_it() -> None:
    assert listed(bought(("a", "tea", 3)), "a") == ["tea"]
    assert listed(bought(("a", "tea", 3)), "a", only_new=True) == []


@pytest.mark.parametrize("weight", [0.0, -1.0, math.nan, math.inf])
def test_what_has_no_weight_counts_as_nothing(weight: float) -> None:
    known = pl.concat([bought(*TOGETHER), bought(("c", "ink", 3), weight=weight)])

    assert listed(known, "c") == listed(bought(*TOGETHER), "c")


def test_products_beyond_the_most_sold_are_listed_by_popularity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recommendations, "MOST_PRODUCTS", 2)
    known = bought(*TOGETHER, *[(f"o{n}", "ink", 2) for n in range(9)])

    assert fit(known, CUT_OFF).similarities.shape == (2, 2)
    assert listed(known, "a") == ["tea", "cup", "ink"]


def test_similarities_are_those_of_the_regression_of_each_product_on_the_others() -> None:
    known, ridge = shop(40, 8), 3.0
    model = fit(known, CUT_OFF, Settings(ridge=ridge))
    pairs = known.select("customer_id", "product_id").unique().with_columns(has=1.0)
    x = (
        pairs.pivot("product_id", index="customer_id", values="has")
        .fill_null(0)
        .select(sorted(set(known["product_id"])))
    )

    for at, product in enumerate(x.columns):
        rest = x.drop(product).to_numpy()
        expected = np.linalg.solve(rest.T @ rest + ridge * np.eye(rest.shape[1]), rest.T @ x[product].to_numpy())
        assert np.delete(model.similarities[:, at], at) == pytest.approx(expected)
        assert model.similarities[at, at] == 0


def test_blends_are_chosen_only_where_enough_customers_tell() -> None:
    assert choose(shop(20, 20), CUT_OFF) == Settings()
    assert choose(shop(200, 20), CUT_OFF) != Settings()


@pytest.mark.long
@only_with("online_retail")
def test_lists_of_online_retail_are_better_than_floors_in_a_month_that_nothing_was_chosen_on() -> None:
    known = online_retail(source("online_retail"))
    repeats, new = bought_from(known, RETAIL_CUT_OFF)
    wanted = pl.concat([repeats, new])
    model = fit(known, RETAIL_CUT_OFF, choose(known, RETAIL_CUT_OFF))
    own_orders = replace(model, settings=Settings(any_product=OWN_ORDERS))

    def scored(model: Recommender, wanted: pl.DataFrame, *, only_new: bool) -> tuple[pl.DataFrame, float]:
        lists = recommend(model, known, RETAIL_CUT_OFF, wanted["customer_id"], only_new=only_new)
        return of_lists(lists, wanted, "customer_id", LISTED), coverage(lists, len(model.products), LISTED)

    blend, _ = scored(model, wanted, only_new=False)
    own, _ = scored(own_orders, wanted, only_new=False)
    of_new, shown = scored(model, new, only_new=True)

    assert (len(blend), len(of_new)) == (1395, 1288)
    assert own["ndcg"].mean() == pytest.approx(0.360, abs=0.002)
    assert blend["ndcg"].mean() >= 0.370
    assert paired_difference(blend["ndcg"].to_numpy(), own["ndcg"].to_numpy()).is_better
    assert of_new["ndcg"].mean() >= 0.150
    assert shown >= LEAST_COVERAGE
