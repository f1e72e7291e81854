"""Random histories, as strategies of Hypothesis."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from ecom_assets_tests.histories.rows import (
    ARRIVALS,
    DAYS,
    RETRACTIONS,
    Campaign,
    Customer,
    Event,
    Item,
    Merge,
    Movement,
    Order,
    Payment,
    Product,
    Rate,
    Receipt,
    Return,
    Review,
    Row,
    Shipment,
    Spend,
    Supplier,
)
from ecom_assets_tests.histories.steps import Again, Feed, History, Land, Reopen, Repair, Run, Step, tables_of

KINDS_MOVED = ["opening", "receipt", "sale", "count", "count"]
LIST_EVENTS = ["Product List Viewed", "Product Clicked", "Promotion Viewed", "Promotion Clicked"]

_days = st.sampled_from([-1, *range(DAYS), *range(DAYS)])
_few = st.integers(1, 2)
_units = st.sampled_from(["2", "2", "0.75", "1.3335"])
_versions = st.integers(0, 3)
_faults = st.sampled_from(["", "", "", "", "", "", "rule", "moment", "day", "store", "store", *RETRACTIONS])
_perhaps_repaired: st.SearchStrategy[tuple[Step, ...]] = st.sampled_from([(), (Repair(),)])
_maybe_few = st.sampled_from([None, 1, 2])
_kinds = st.sampled_from(["", "", "Gift card"])
_reasons = st.sampled_from(["", "", "", "customer", "void"])
_links = st.sampled_from(
    ["", "", "google cpc Spring%20", "google cpc spring", "paper newsletter sale", "blog post none"]
)
_agents = st.sampled_from(["", "", "Mozilla/5.0 (CUBOT_X19)", "Googlebot/2.1"])
_locations = st.sampled_from(["", "Berlin", "Berlin ", "null"])
_coupons = st.sampled_from(["", "", "SPRING", " SPRING", "(none)"])
_currencies = st.sampled_from(["", "", "", "USD", "SEK"])
_files = st.sampled_from(["a.csv", "b.jsonl"])
_ROW_STRATEGIES: dict[str, st.SearchStrategy[Any]] = {
    "customers": st.builds(Customer, _few, _days, st.sampled_from(["Oslo", "Bergen"]), _faults),
    "customer_merges": st.builds(Merge, st.integers(1, 3), st.integers(1, 3), _days, _faults),
    "products": st.builds(Product, _few, _days, st.sampled_from([10, 12]), _kinds, _faults),
    "orders": st.builds(
        Order,
        _few,
        _days,
        _versions,
        _maybe_few,
        st.sampled_from([0, 5]),
        _reasons,
        st.booleans(),
        _faults,
        _coupons,
        _currencies,
        st.sampled_from(["", "", "0.7"]),
    ),
    "order_items": st.builds(
        Item, _few, st.sampled_from(["1", "2", "1.0", "01"]), _days, _versions, _maybe_few, _faults, _units
    ),
    "payments": st.builds(
        Payment,
        st.integers(1, 4),
        _days,
        _versions,
        _few,
        st.sampled_from(["card", "paypal", "gift card"]),
        st.sampled_from(["captured", "captured", "authorised", "failed", "refunded", "voided", "charged_back"]),
        st.sampled_from([23, 10]),
        _faults,
        _currencies,
    ),
    "returns": st.builds(Return, _few, _days, _versions, _maybe_few, _maybe_few, _maybe_few, _faults, _units),
    "events": st.builds(
        Event,
        st.integers(1, 6),
        _days,
        st.sampled_from([0, 20, 835, 850, 865]),
        st.sampled_from([1, 1, 2, 2, None]),
        st.sampled_from(["Product Viewed", "Product Added", "Order Completed", *LIST_EVENTS]),
        _few,
        _maybe_few,
        _maybe_few,
        _maybe_few,
        _links,
        _faults,
        _agents,
        st.sampled_from(["", "L1", "L2"]),
    ),
    "shipments": st.builds(
        Shipment, _few, _days, _versions, _few, st.sampled_from([None, 0, 2]), st.booleans(), _faults
    ),
    "suppliers": st.builds(Supplier, _few, _days, _few, _faults),
    "purchase_receipts": st.builds(Receipt, _few, _days, _few, _few, _faults, _units),
    "inventory_movements": st.builds(
        Movement, st.integers(1, 4), _days, _few, st.sampled_from(KINDS_MOVED), _faults, _units, _locations
    ),
    "reviews": st.builds(Review, _few, _days, _maybe_few, _maybe_few, st.sampled_from([None, 1]), _faults),
    "campaigns": st.builds(Campaign, _few, _days, st.sampled_from(["spring", "sale"]), _faults),
    "ad_spend": st.builds(Spend, _few, _days, _versions, _few, _faults, _currencies),
    "exchange_rates": st.builds(
        Rate, st.sampled_from(["USD", "usd", "SEK"]), _days, st.sampled_from(["0.5", "3"]), _faults
    ),
}


@st.composite
def _landings(draw: st.DrawFn, feed: str) -> tuple[Step, ...]:
    """A file of a feed, mostly on time, with rows of its day and of days before."""
    rows = tuple(draw(st.lists(_ROW_STRATEGIES[feed], max_size=4)))
    first = max((row.on for row in rows if row.on >= 0), default=0)
    return (Land(feed, first + draw(st.sampled_from([0, 0, 0, 1, 2])), draw(_files), rows), *draw(_perhaps_repaired))


@st.composite
def _changes(draw: st.DrawFn, feed: str) -> tuple[Step, ...]:
    """A file that is read and then loses a row, is overruled by a later one, or is found to be of another kind."""
    landed = draw(_landings(feed))[0]
    assert isinstance(landed, Land)
    by = draw(st.integers(1, DAYS - 1))
    later = tuple(
        dataclasses.replace(row, on=(row.on + by) % DAYS, **({"version": 4} if hasattr(row, "version") else {}))
        for row in landed.rows
    )
    change = draw(
        st.sampled_from(
            [
                dataclasses.replace(landed, rows=landed.rows[1:]),
                Land(feed, ARRIVALS - 1, "later.csv", later),
                Feed(feed, "Asia/Tokyo"),
                Feed(feed, is_complete=True),
            ]
        )
    )
    return (landed, Repair(), change, *draw(_perhaps_repaired))


@st.composite
def _visits(draw: st.DrawFn, order: Order, product: int) -> list[Row]:
    """Before an order its product is viewed and put into a cart, in the same visit or before the midnight before.

    The visitor's clock may be ahead of the shop's, so that all of it happens after the order.
    """
    visitor, cart, link = draw(_few), draw(_few), draw(_links)
    number, on, minutes = 10 * order.order + 3 * order.on, order.on, 60 * order.order
    first_on, first = draw(st.sampled_from([(on, minutes - 10), (max(on - 1, 0), 835), (on, minutes + 1)]))
    known, named = draw(st.sampled_from([None, order.customer])), draw(st.sampled_from([None, cart]))
    bought_at = max(minutes, first + 3 if first_on == on else 0)
    bought = Event(number + 2, on, bought_at, visitor, "Order Completed", product, order.customer, named, order.order)
    return [
        Event(number, first_on, first, visitor, "Product Viewed", product, known, link=link),
        Event(number + 1, first_on, first + 2, visitor, "Product Added", product, known, cart),
        bought,
    ]


@st.composite
def purchases(draw: st.DrawFn, feeds: frozenset[str]) -> tuple[Step, ...]:
    """An order with what leads to it and follows it, as far as there are feeds; a file each, one of which may go."""
    on, order, version, customer = draw(_days), draw(_few), draw(_versions), draw(_maybe_few)
    product, cancelled_for = draw(_few), draw(_reasons)
    placed = Order(order, on, version, customer, draw(st.sampled_from([0, 5])), cancelled_for, draw(st.booleans()))
    if currency := draw(_currencies):
        placed = dataclasses.replace(placed, currency=currency)
    rows: list[Row] = [
        placed,
        Item(order, "1", on, version, product, units=draw(_units)),
        Item(order, "2", on, version, product),
        *draw(st.sampled_from([[Payment(order, on, version, order)], []])),
        *([Payment(order + 2, on, version, order, status="refunded")] if cancelled_for == "customer" else []),
        Product(product, on, kind=draw(_kinds)),
        *([Customer(customer, on)] if customer else []),
        *draw(
            st.sampled_from([[], [Customer(3 - customer, on), Merge(customer, 3 - customer, on)]] if customer else [[]])
        ),
        *draw(_visits(placed, product)),
        Shipment(order, on, version, order, draw(st.sampled_from([None, 0, 2])), draw(st.booleans())),
        Campaign(1, on),
        Spend(1, on, version),
        *([Rate(currency, on)] if currency else []),
        Supplier(1, on),
        Receipt(order, on, 1, product),
        Movement(order, on, product, draw(st.sampled_from(["opening", "sale"]))),
        *draw(st.sampled_from([[], [Return(order, on, version, order, product, customer, units=draw(_units))]])),
        *draw(st.sampled_from([[], [Review(order, on, draw(st.sampled_from([None, product])), customer, order)]])),
    ]
    if fault := draw(st.sampled_from(["", "", "", "store", "store", "day"])):
        rows = [dataclasses.replace(row, fault=fault) for row in rows]
    late = draw(st.dictionaries(st.sampled_from(sorted(feeds)), st.sampled_from([0, 1, 2]), max_size=2))
    file = draw(_files)
    by_feed: dict[str, list[Row]] = {}
    for row in rows:
        by_feed.setdefault(row.feed, []).append(row)
    landed = tuple(
        Land(feed, max(on, 0) + late.get(feed, 0), f"{order}{file}", tuple(of_feed))
        for feed, of_feed in by_feed.items()
        if feed in feeds
    )
    if "events" in feeds and draw(st.booleans()):  # its confirmation page is opened again
        opened = Event(100 + order, on + 1, 20, draw(_few), "Order Completed", product, customer, draw(_few), order)
        landed += (Land("events", on + 1, f"{order}again.csv", (opened,)),)
    gone = tuple(
        dataclasses.replace(step, rows=()) for step in landed if step.feed in ("orders", "customers", "customer_merges")
    )
    return (*landed, *draw(st.sampled_from([(), (Repair(),), *((Repair(), step) for step in gone)])))


@st.composite
def _visits_over_midnight(draw: st.DrawFn) -> tuple[Step, ...]:
    """Events on both sides of midnight, each side in a file of its day, perhaps with a repair between."""
    on, visitor = draw(st.integers(0, DAYS - 1)), draw(_few)
    before, after = (
        Land("events", on + late, f"{side}.csv", (Event(2 * on + late, on, minutes, visitor),))
        for late, side, minutes in ((0, "before", 835), (1, "after", 850))
    )
    return (before, *draw(_perhaps_repaired), after)


_crashes = st.one_of(st.none(), st.integers(0, 60))


@st.composite
def _runs(draw: st.DrawFn, names: Sequence[str]) -> tuple[Step, ...]:
    first = draw(st.integers(0, ARRIVALS - 1))
    last = draw(st.integers(first, ARRIVALS - 1))
    tables = draw(st.one_of(st.just(()), st.lists(st.sampled_from(names), min_size=1, max_size=4, unique=True)))
    return (*draw(_perhaps_repaired), Run(tuple(name for name in names if name in tables), first, last, draw(_crashes)))


GOALS = [
    "gold.agg_daily_sales",
    "gold.fact_payments",
    "gold.dim_status",
    "kpi.daily_customers",
    "gold.fact_returns",
    "silver.order_items",
    "kpi.daily_funnel",
    "gold.dim_customer_versions gold.fact_customer_merges",
    "gold.fact_inventory_daily",
    "gold.fact_ad_spend",
    "kpi.customer_rfm",
    "kpi.daily_fulfilment",
    "kpi.daily_carts kpi.daily_list_clicks kpi.daily_coupons",
    "kpi.incomplete_orders kpi.daily_reviews",
    "kpi.daily_inventory kpi.daily_stock_reconciliation gold.fact_purchase_receipts kpi.stock_counts",
    "features.category_affinity features.customer_features",
    "kpi.daily_refund_rates kpi.product_abc kpi.daily_repeat_rates kpi.monthly_repeat_rates",
    "kpi.monthly_insights gold.dim_payment_method kpi.daily_store_sales",
    "kpi.attribution gold.dim_channel",
    "kpi.unmatched_campaigns",
    "kpi.daily_acquisition kpi.daily_reconciliation kpi.settled_reconciliation",
    "kpi.feed_agreement",
    "kpi.daily_anomalies",
    "predictions.registry predictions.weekly_calibration predictions.customer_drift",
    "predictions.customer_recommendations predictions.product_recommendations",
    "predictions.demand_forecasts predictions.reorder_points",
    "predictions.budget_proposals",
    "predictions.order_risks",
]


@st.composite
def histories(draw: st.DrawFn, goals: Sequence[str], steps: int) -> History:
    """Histories of up to that many groups of steps, and at least half of them."""
    goal = draw(st.sampled_from(goals))
    names, feeds = tables_of(goal).names, frozenset(tables_of(goal).feeds)
    feed = st.sampled_from(sorted(feeds))
    once_more = st.builds(Again, feed, _days, _files, st.integers(0, ARRIVALS - 1))
    closed = st.lists(st.integers(0, ARRIVALS - 1), max_size=2, unique=True).map(tuple)
    known = st.builds(Feed, feed, st.sampled_from(["UTC", "Asia/Tokyo"]), st.booleans(), st.booleans(), closed)
    ruled = st.builds(Feed, st.just("events"), is_ruled=st.booleans())
    members = sorted(feeds.intersection(tables_of(goal).feeds_of_members))
    partial = [st.builds(Feed, st.sampled_from(members), is_partial=st.booleans())] if members else []
    some = [
        feed.flatmap(_landings),
        feed.flatmap(_changes),
        _runs(names),
        _runs(names),
        st.builds(Repair, _crashes).map(lambda step: (step,)),
        st.one_of(once_more, known, *([ruled] if "events" in feeds else []), *partial, st.just(Reopen())).map(
            lambda step: (step,)
        ),
    ]
    if feeds & {"orders", "events", "products", "campaigns"}:
        some += [purchases(feeds), purchases(feeds)]
    if "events" in feeds:
        some += [_visits_over_midnight(), _visits_over_midnight()]
    groups = draw(st.lists(st.one_of(some), min_size=steps // 2, max_size=steps))
    all_days = draw(
        st.sampled_from([(), (Run(),), (Run(tuple(name for name in names if name.startswith("bronze."))),)])
    )
    return History(goal, (*all_days, *(step for group in groups for step in group)))
