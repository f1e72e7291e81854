"""A feature of a day uses nothing that happens after it."""

import datetime as dt
from typing import Any

import pytest
from polars.testing import assert_frame_equal

from ecom_assets import catalog
from ecom_assets.days import ever
from ecom_assets.features import category_affinity, customer_features, customer_product_interactions
from ecom_assets.features.customer_product_interactions import CustomerProductInteractions
from ecom_assets.gold import agg_customer_days, fact_voided_orders
from ecom_assets.gold.agg_customer_days import AggCustomerDays
from ecom_assets.gold.dim_product_versions import DimProductVersions
from ecom_assets.gold.fact_returns import FactReturns
from ecom_assets.gold.fact_sales import FactSales
from ecom_assets.gold.fact_voided_orders import FactVoidedOrders
from ecom_assets.silver.events import Events
from ecom_assets_tests.features.test_customer_features import CUSTOMER_DAYS, DAY, INTERACTIONS, before
from ecom_assets_tests.samples import collected, days, sample

FEATURES = [name for name in catalog.tables().names if name.startswith("features.")]
NEXT_DAY = DAY + dt.timedelta(days=1)
PRESENT: dict[str, tuple[Any, list[dict[str, Any]]]] = {
    "gold_agg_customer_days": (AggCustomerDays, CUSTOMER_DAYS),
    "features_customer_product_interactions": (CustomerProductInteractions, INTERACTIONS),
    "silver_events": (Events, [{"event": "Product Viewed", "customer_id": "C", "product_id": "P", "occurred_on": DAY}]),
    "gold_fact_sales": (FactSales, []),
    "gold_fact_voided_orders": (FactVoidedOrders, []),
    "gold_dim_product_versions": (
        DimProductVersions,
        [{"product_id": "P", "category": "a", "effective_on": before(9)}],
    ),
}
FUTURE: dict[str, dict[str, Any]] = {
    "gold_agg_customer_days": {"customer_id": "C", "day": NEXT_DAY, "orders": 1, "gross_sales": "99"},
    "features_customer_product_interactions": {"customer_id": "C", "product_id": "Q", "day": NEXT_DAY, "views": 9},
    "silver_events": {"event": "Product Added", "customer_id": "C", "product_id": "P", "occurred_on": NEXT_DAY},
    "gold_fact_sales": {"customer_id": "C", "product_id": "P", "ordered_on": NEXT_DAY, "is_valid": True, "quantity": 9},
    "gold_fact_voided_orders": {
        "customer_id": "C",
        "ordered_on": NEXT_DAY,
        "voided_on": NEXT_DAY + dt.timedelta(days=1),
        "revenue": "9",
    },
    "gold_dim_product_versions": {
        "product_id": "P",
        "effective_from": f"{NEXT_DAY} 09:00",
        "effective_on": NEXT_DAY,
        "category": "b",
    },
}


@pytest.mark.parametrize("module", [category_affinity, customer_features, customer_product_interactions])
def test_a_future_row_changes_nothing(module):
    name = module.__name__.removeprefix("ecom_assets.")
    parameters = [str(read.parameter) for read in catalog.tables()[name].reads]
    wants_days = catalog.tables()[name].wants_days

    def of_the_day(with_future: bool):
        frames = {
            parameter: sample(model, *present, *([FUTURE[parameter]] if with_future else []))
            for parameter in parameters
            for model, present in [PRESENT[parameter]]
        }
        made = collected(module.transform(**frames, **({"days": days(DAY, NEXT_DAY)} if wants_days else {})))
        return made.filter(made["day"] == DAY)

    without = of_the_day(with_future=False)

    assert not without.is_empty()
    assert_frame_equal(of_the_day(with_future=True), without, check_row_order=False)


def test_an_order_that_is_voided_the_next_day_changes_nothing():
    def of_the_day(voided_on: dt.date | None):
        line = {"customer_id": "C", "product_id": "P", "ordered_on": DAY, "quantity": 2, "net_amount": "9"}
        facts = {"is_first_line": True, "gross_sales": "9", "is_valid": voided_on is None, "voided_on": voided_on}
        sales, window = sample(FactSales, {**line, **facts}), days(DAY, NEXT_DAY)
        customers = agg_customer_days.transform(sales, sample(FactReturns))
        done = customer_product_interactions.transform(sample(Events), sales, sample(DimProductVersions))
        affinity = category_affinity.transform(done, window)
        features = customer_features.transform(customers, fact_voided_orders.transform(sales), done, window)
        return [made.filter(made["day"] == DAY) for made in map(collected, (done, affinity, features))]

    standing = of_the_day(None)

    assert all(not made.is_empty() for made in standing)
    for voided, valid in zip(of_the_day(NEXT_DAY), standing, strict=True):
        assert_frame_equal(voided, valid, check_row_order=False)


@pytest.mark.parametrize("name", FEATURES)
def test_nothing_that_a_feature_is_made_of_looks_ahead(name):
    """Days that are not awaited only revise what became known on them; that of orders cancelled unpaid is tested.

    A row of a later day that is read by key, the first version of a product, is used while there is none up to the day.
    """
    tables = catalog.tables()

    for table in {name, *tables.upstream(name)}:
        reaches = [read.reach for read in tables[table].reads if read.reach != ever.by("product_id")]
        assert all(reach.by_event or reach.after == 0 or not reach.awaited for reach in reaches), table
