import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, time, timedelta

import polars as pl
import pytest

from ecom_assets.contract import Feed, feed_contract
from ecom_assets.expressions.measures import NEVER_SOLD
from ecom_assets.feeds import (
    ad_spend,
    campaigns,
    customers,
    events,
    inventory_movements,
    order_items,
    orders,
    payments,
    products,
    purchase_receipts,
    returns,
    reviews,
    shipments,
    suppliers,
)
from ecom_assets.shop import faults
from ecom_assets.shop.marketing import CAMPAIGN, INVALID_CLICK_SHARE
from ecom_assets.shop.scale import PRESETS, Scale
from ecom_assets.shop.shop import LONGEST_COURSE, LONGEST_WAIT, Shop
from ecom_assets.shop.timetable import CAMPAIGN_DAYS

pytestmark = pytest.mark.slow

START = date(2024, 1, 1)
DAYS = 60
CONTRACTS: Mapping[str, type[Feed]] = {
    "customers": customers.Customers,
    "products": products.Products,
    "orders": orders.Orders,
    "order_items": order_items.OrderItems,
    "payments": payments.Payments,
    "returns": returns.Returns,
    "shipments": shipments.Shipments,
    "suppliers": suppliers.Suppliers,
    "purchase_receipts": purchase_receipts.PurchaseReceipts,
    "inventory_movements": inventory_movements.InventoryMovements,
    "reviews": reviews.Reviews,
    "events": events.Events,
    "campaigns": campaigns.Campaigns,
    "ad_spend": ad_spend.AdSpend,
}
EVENT_MOMENTS = {feed: feed_contract(model).event_column for feed, model in CONTRACTS.items()}
KNOWN_AT = {feed: feed_contract(model).version_column or EVENT_MOMENTS[feed] for feed, model in CONTRACTS.items()}
Frames = Mapping[str, pl.DataFrame]


def on(number: int) -> date:
    return START + timedelta(days=number)


def together(shop: Shop, kind: str, numbers: range) -> Frames:
    """All rows of the days by feed, with the day they were asked for."""
    by_day = [
        {feed: rows.with_columns(asked=on(n)) for feed, rows in getattr(shop, kind)(on(n)).items()} for n in numbers
    ]
    return {feed: pl.concat([frames[feed] for frames in by_day]) for feed in CONTRACTS}


@pytest.fixture(scope="module")
def clean() -> Shop:
    return Shop(START, preset=replace(PRESETS["demo"], dirty_share=0.0))


@pytest.fixture(scope="module")
def about(clean: Shop) -> Frames:
    """The demo's rows by event day."""
    return together(clean, "day", range(DAYS + 35))


@pytest.fixture(scope="module")
def arrived(clean: Shop) -> Frames:
    """The demo's rows by arrival day."""
    return together(clean, "arrivals", range(DAYS))


@pytest.fixture(scope="module")
def seed003() -> Frames:
    return together(Shop(START, preset="seed003"), "arrivals", range(60 + LONGEST_COURSE + 1))


@pytest.fixture(scope="module")
def latest(about: Frames) -> Frames:
    """Orders, lines, payments, shipments, returns and ad spend in their latest state."""
    keys = {
        "orders": ["order_id"],
        "order_items": ["order_id", "line_number"],
        "payments": ["payment_id"],
        "returns": ["return_id"],
        "shipments": ["shipment_id"],
        "ad_spend": ["spend_on", "campaign_id"],
    }
    return {
        feed: about[feed].sort("updated_at", maintain_order=True).unique(key, keep="last", maintain_order=True)
        for feed, key in keys.items()
    }


def same(left: pl.DataFrame, right: pl.DataFrame) -> bool:
    return left.sort(left.columns).equals(right.sort(right.columns))


@pytest.mark.parametrize("kind", ["day", "arrivals"])
def test_days_in_any_order_give_the_same_rows(kind: str) -> None:
    numbers = list(range(12))
    first, second = Shop(START), Shop(START)
    in_order = {n: getattr(first, kind)(on(n)) for n in numbers}
    random.Random(3).shuffle(numbers)

    for n in numbers:
        for feed, rows in getattr(second, kind)(on(n)).items():
            assert rows.equals(in_order[n][feed]), (n, feed)


def test_a_late_day_alone_equals_the_same_day_after_many_others(clean: Shop, arrived: Frames) -> None:
    alone = Shop(START, preset=clean.scale).arrivals(on(DAYS - 1))

    for feed, rows in alone.items():
        assert rows.equals(arrived[feed].filter(pl.col("asked") == on(DAYS - 1)).drop("asked")), feed


def test_another_seed_gives_another_shop() -> None:
    one, other = (together(Shop(START, seed=seed), "day", range(9)) for seed in (7, 8))

    assert [feed for feed in CONTRACTS if one[feed].equals(other[feed])] == ["campaigns"]


def test_every_row_about_a_day_arrives_and_no_other() -> None:
    shop = Shop(START, preset=Scale(orders_per_day=80, events_per_order=25, days=12))
    everything = range(12 + LONGEST_WAIT + 1)

    by_event_day, by_arrival_day = together(shop, "day", everything), together(shop, "arrivals", everything)

    for feed in CONTRACTS:
        assert by_event_day[feed].height > 0
        assert same(by_event_day[feed].drop("asked"), by_arrival_day[feed].drop("asked")), feed


def test_every_row_stands_on_its_event_day(about: Frames) -> None:
    for feed, rows in about.items():
        assert rows.filter(pl.col(EVENT_MOMENTS[feed]).cast(pl.Date) != pl.col("asked")).is_empty(), feed


def test_nothing_arrives_before_it_happened(arrived: Frames) -> None:
    for feed, rows in arrived.items():
        assert rows.filter(pl.col(KNOWN_AT[feed]).cast(pl.Date) > pl.col("asked")).is_empty(), feed


@pytest.mark.parametrize("feed", CONTRACTS)
def test_columns_and_types_are_the_contracts(feed: str) -> None:
    schema = CONTRACTS[feed].to_schema()
    quiet = Shop(START, preset=Scale(orders_per_day=20, quiet_days=(1,), days=2))

    sent = dict(quiet.day(on(0))[feed].schema)

    units = {name for name, column in feed_contract(CONTRACTS[feed]).columns.items() if column.is_quantity}
    types = {name: pl.Int64() if name in units else column.dtype.type for name, column in schema.columns.items()}
    expected = {name: kind for name, kind in types.items() if name in sent}
    assert sent == expected
    assert all(column.nullable for name, column in schema.columns.items() if name not in sent)
    assert dict(quiet.arrivals(on(99))[feed].schema) == expected
    assert quiet.arrivals(on(99))[feed].is_empty()


def test_a_quiet_day_has_no_order_and_no_registration() -> None:
    shop = Shop(START, preset=Scale(quiet_days=(3,)))

    assert shop.day(on(3))["orders"].is_empty()
    assert shop.day(on(3))["order_items"].is_empty()
    assert shop.day(on(3))["customers"].filter(pl.col("registered_at").dt.date() == on(3)).is_empty()
    assert not shop.day(on(4))["orders"].is_empty()


def test_seed003_has_exactly_its_numbers(seed003: Frames) -> None:
    keys = {
        "customers": ["customer_id"],
        "products": ["product_id"],
        "orders": ["order_id"],
        "order_items": ["order_id", "line_number"],
        "payments": ["payment_id"],
    }

    counts = {feed: seed003[feed].select(key).n_unique() for feed, key in keys.items()}

    assert counts == {"customers": 2_000, "products": 600, "orders": 4_000, "order_items": 10_000, "payments": 4_000}


def test_seed003_begins_everything_within_its_sixty_days(seed003: Frames) -> None:
    assert seed003["orders"]["ordered_at"].max() < datetime.combine(on(60), time())
    assert seed003["customers"]["changed_at"].max() < datetime.combine(on(60), time())
    assert seed003["orders"]["order_id"].n_unique() == seed003["payments"]["order_id"].n_unique()


def test_the_demo_has_about_ten_events_to_an_order(about: Frames) -> None:
    per_order = about["events"].height / about["orders"]["order_id"].n_unique()

    assert 9 < per_order < 11


def test_every_reference_holds(about: Frames) -> None:
    placed = about["orders"]["order_id"].unique().implode()
    known = about["customers"]["customer_id"].unique().implode()
    listed = about["products"]["product_id"].unique().implode()
    for feed in ("order_items", "payments", "shipments", "returns", "reviews", "events"):
        assert about[feed]["order_id"].drop_nulls().is_in(placed).all(), feed
    for feed in ("orders", "returns", "reviews", "events"):
        assert about[feed]["customer_id"].drop_nulls().is_in(known).all(), feed
    for feed in ("order_items", "returns", "reviews", "purchase_receipts", "inventory_movements", "events"):
        assert about[feed]["product_id"].drop_nulls().is_in(listed).all(), feed
    assert about["purchase_receipts"]["supplier_id"].is_in(about["suppliers"]["supplier_id"].unique().implode()).all()


def test_customers_exist_before_they_buy(about: Frames) -> None:
    born = about["customers"].group_by("customer_id").agg(pl.col("changed_at").min())
    bought = about["orders"].join(born, on="customer_id")

    assert bought.height > 0
    assert bought.filter(pl.col("changed_at") > pl.col("ordered_at")).is_empty()


def test_a_unit_costs_what_the_product_costs_when_the_order_is_placed(about: Frames) -> None:
    prices = about["products"].select("product_id", "price", at="changed_at").unique().sort("at")
    placed = about["order_items"].sort("updated_at", maintain_order=True).unique(["order_id", "line_number"])
    placed = placed.filter(pl.col("updated_at") == pl.col("ordered_at")).sort("ordered_at")

    priced = placed.join_asof(prices, left_on="ordered_at", right_on="at", by="product_id", check_sortedness=False)

    assert priced.height > 0
    assert priced["unit_price"].equals(priced["price"].alias("unit_price"))
    assert about["products"].group_by("product_id").agg(pl.col("price").n_unique())["price"].max() > 1


def test_orders_add_up_to_the_cent(latest: Frames) -> None:
    lines = (
        latest["order_items"]
        .group_by("order_id")
        .agg(lines=(pl.col("quantity") * pl.col("unit_price") - pl.col("discount")).sum())
    )
    orders_ = latest["orders"].filter(pl.col("asked") < on(DAYS)).join(lines, on="order_id", how="left")
    due = pl.col("subtotal") - pl.col("discount") + pl.col("shipping") + pl.col("tax")

    assert orders_.height > 10_000
    assert orders_.filter(pl.col("subtotal") != pl.col("lines")).is_empty()
    assert orders_.filter(due != pl.col("total")).is_empty()
    assert orders_.filter((pl.col("discount") > 0) | (pl.col("shipping") > 0)).height > 1_000


def test_what_is_captured_is_the_orders_total(latest: Frames) -> None:
    captured = latest["payments"].filter(pl.col("status") == "captured")
    paid = latest["orders"].filter(pl.col("asked") < on(DAYS)).join(captured, on="order_id", how="left")
    never_paid = pl.col("cancel_reason").is_in(NEVER_SOLD)

    assert captured["order_id"].is_unique().all()
    assert paid.filter(never_paid.fill_null(value=False) == pl.col("amount").is_not_null()).is_empty()
    assert paid.filter(pl.col("amount") != pl.col("total")).is_empty()
    assert latest["orders"].filter(never_paid).height > 100
    assert latest["payments"].filter(pl.col("status") == "failed").height > 100


def test_refund_payments_equal_what_is_given_back(latest: Frames) -> None:
    given_back = (
        latest["returns"].group_by("order_id").agg(back=(pl.col("amount") + pl.col("shipping") + pl.col("tax")).sum())
    )
    refunds = latest["payments"].filter(pl.col("status") == "refunded")

    both = refunds.join(given_back, on="order_id", how="full")

    assert both.height > 500
    assert both.filter(pl.col("amount").ne_missing(pl.col("back"))).is_empty()


def test_an_order_cancelled_after_payment_is_given_back_in_full(latest: Frames) -> None:
    back = (
        latest["returns"]
        .filter(pl.col("reason") == "cancelled")
        .group_by("order_id")
        .agg(pl.col("amount").sum(), back=(pl.col("amount") + pl.col("shipping") + pl.col("tax")).sum())
    )
    cancelled = latest["orders"].filter(pl.col("cancel_reason").is_in(["customer", "inventory", "fraud"]))
    cancelled = cancelled.filter(pl.col("asked") < on(DAYS)).join(back, on="order_id", how="left")

    assert cancelled.height > 100
    assert cancelled.filter(pl.col("back").ne_missing(pl.col("total"))).is_empty()
    assert cancelled.filter(pl.col("amount") != pl.col("subtotal") - pl.col("discount")).is_empty()


def test_returns_come_days_later_and_never_exceed_the_line(latest: Frames) -> None:
    back = latest["returns"].join(latest["order_items"], on=["order_id", "line_number"], how="left", suffix="_sold")
    kept = back.filter(pl.col("reason") != "cancelled")
    paid = pl.col("quantity_sold") * pl.col("unit_price") - pl.col("discount")

    assert kept.height > 500
    assert back.filter(pl.col("quantity") > pl.col("quantity_sold")).is_empty()
    assert back.filter(pl.col("amount") > paid).is_empty()
    assert kept.filter(pl.col("returned_at") - pl.col("ordered_at") < timedelta(days=6)).is_empty()
    assert kept.filter(pl.col("quantity") < pl.col("quantity_sold")).height > 0


def test_a_change_of_profile_changes_one_thing(about: Frames) -> None:
    changed = pl.col("city", "email", "marketing_consent")
    versions = about["customers"].unique().sort("customer_id", "changed_at")
    differences = versions.select(
        "customer_id",
        changes=pl.sum_horizontal(changed != changed.shift(1).over("customer_id")),
        is_first=pl.col("customer_id").is_first_distinct(),
    ).filter(~pl.col("is_first"))

    assert differences.height > 50
    assert differences["changes"].max() == 1
    assert differences["changes"].mean() > 0.9
    assert (
        versions.group_by("customer_id")
        .agg(pl.col("name", "country", "registered_at").n_unique())
        .select(pl.max_horizontal("name", "country", "registered_at").max())
        .item()
        == 1
    )


def test_states_of_an_order_follow_one_another(about: Frames) -> None:
    rank = pl.col("status").replace_strict({"placed": 0, "paid": 1, "shipped": 2, "delivered": 3, "cancelled": 4})
    states = about["orders"].unique(maintain_order=True).with_columns(rank=rank).sort("order_id", "rank")
    back_in_time = pl.col("updated_at").diff().over("order_id") < timedelta(0)

    assert states.filter(back_in_time).is_empty()
    assert states.filter((pl.col("status") == "cancelled") != pl.col("cancel_reason").is_not_null()).is_empty()
    assert states.group_by("order_id").len()["len"].max() == 4


def test_the_demo_holds_late_rows_ties_key_moves_and_duplicates(arrived: Frames) -> None:
    orders_ = arrived["orders"]
    lag = (pl.col("asked") - pl.col("updated_at").dt.date()).dt.total_days()
    moved = orders_.group_by("order_id").agg(pl.col("ordered_at").dt.date().n_unique())
    moved_lines = arrived["order_items"].group_by("order_id").agg(pl.col("ordered_at").dt.date().n_unique())
    ties = orders_.group_by("order_id", "updated_at").agg(pl.col("status").n_unique())

    assert {0, 1, 2, 7, 30} <= set(orders_.select(lag).to_series())
    assert ties.filter(pl.col("status") > 1).height > 50
    assert moved.filter(pl.col("ordered_at") == 2).height > 5
    assert moved_lines.filter(pl.col("ordered_at") == 2).height > 5
    for feed in ("orders", "order_items", "payments", "events"):
        rows = arrived[feed].drop("asked")
        assert rows.height > rows.unique().height, feed


def test_most_rows_arrive_the_same_day_and_nearly_all_within_two(arrived: Frames) -> None:
    moments = {"orders": "updated_at", "order_items": "updated_at", "payments": "updated_at", "events": "occurred_at"}
    for feed, moment in moments.items():
        rows = arrived[feed].filter(pl.col(moment).dt.date() < on(DAYS - 31))
        lag = rows.select(lag=(pl.col("asked") - pl.col(moment).dt.date()).dt.total_days())["lag"]

        assert 0.94 < (lag == 0).mean() < 0.98, feed
        assert 0.02 < lag.is_between(1, 2).mean() < 0.05, feed
        assert 0 < (lag > 2).mean() < 0.01, feed


def visits(about: Frames, *facts: str) -> pl.DataFrame:
    """People's sessions: a visitor's events without a pause of more than half an hour, with facts of the first."""
    is_person = ~pl.col("user_agent").str.contains("(?i)bot")
    rows = about["events"].filter(is_person).unique("event_id").sort("anonymous_id", "occurred_at")
    pause = pl.col("occurred_at").diff().over("anonymous_id") > timedelta(minutes=30)
    session = pause.fill_null(value=True).cum_sum().over("anonymous_id")
    return rows.group_by("anonymous_id", session=session).agg(
        first=pl.col("occurred_at").min(),
        last=pl.col("occurred_at").max(),
        events=pl.col("event"),
        **{fact: pl.col(fact).first() for fact in facts},
    )


def test_a_few_visits_in_a_hundred_buy_and_some_cross_midnight(about: Frames) -> None:
    sessions = visits(about)
    buys = pl.col("events").list.contains("Order Completed")

    assert 0.02 < sessions.select(buys.mean()).item() < 0.03
    assert sessions.filter(pl.col("first").dt.date() != pl.col("last").dt.date()).height > 20


def test_a_completed_order_is_an_order_of_that_day_with_its_total(about: Frames, latest: Frames) -> None:
    completed = about["events"].filter(pl.col("event") == "Order Completed").unique("event_id")
    placed = about["orders"].filter(pl.col("status") == "placed").unique("order_id")

    both = completed.join(placed, on="order_id", how="left")

    assert both.height > 500
    assert both.filter(pl.col("ordered_at").ne_missing(pl.col("occurred_at"))).is_empty()
    assert both.filter(pl.col("total").ne_missing(pl.col("value"))).is_empty()


def test_buyers_put_what_they_buy_into_the_cart(about: Frames) -> None:
    carts = about["events"].filter(pl.col("event") == "Product Added").unique("event_id")
    bought = about["events"].filter(pl.col("event") == "Order Completed").unique("event_id")
    added = bought.select("cart_id", "order_id").join(carts.drop("order_id"), on="cart_id")
    sold = about["order_items"].select("order_id", "product_id", "quantity").unique()

    assert added.height > bought.height
    assert added.join(sold, on=["order_id", "product_id", "quantity"], how="anti").is_empty()


def test_carts_are_abandoned_and_some_are_recovered_later(about: Frames) -> None:
    carts = (
        about["events"]
        .unique("event_id")
        .filter(pl.col("cart_id").is_not_null())
        .group_by("cart_id")
        .agg(
            is_bought=(pl.col("event") == "Order Completed").any(),
            lasted=pl.col("occurred_at").max() - pl.col("occurred_at").min(),
        )
    )

    assert 0.65 < 1 - carts["is_bought"].mean() < 0.75
    assert carts.filter(pl.col("is_bought") & (pl.col("lasted") > timedelta(hours=2))).height > 50


def test_robots_name_themselves_and_do_not_buy(about: Frames) -> None:
    robots = about["events"].filter(pl.col("user_agent").str.contains("(?i)bot"))

    assert 0.01 < robots.height / about["events"].height < 0.2
    assert set(robots["event"]) <= {"Page Viewed", "Products Searched", "Product Viewed"}


def test_the_campaign_brings_visits_in_its_week_only(about: Frames) -> None:
    brought = about["events"].filter(pl.col("utm_campaign") == CAMPAIGN)

    assert {on(n) for n in CAMPAIGN_DAYS} <= set(brought["asked"])
    assert set(brought["asked"]) <= {on(n) for n in range(CAMPAIGN_DAYS.start - 1, CAMPAIGN_DAYS.stop + 1)}


def test_sales_are_some_times_the_cost_of_advertising_and_a_tenth_comes_back(latest: Frames) -> None:
    is_sold = ~pl.col("cancel_reason").is_in(NEVER_SOLD).fill_null(value=False)
    sold = latest["orders"].filter(pl.col("asked") < on(DAYS), is_sold)
    sales = sold.select(pl.col("subtotal").sum() - pl.col("discount").sum()).item()
    spent = latest["ad_spend"].filter(pl.col("spend_on") < on(DAYS))["spend"].sum()
    back = latest["returns"].join(sold.filter(pl.col("cancel_reason").is_null()), on="order_id")["amount"].sum()

    assert 4 < sales / spent < 8
    assert 0.08 < back / sales < 0.15


def test_clothes_come_back_more_often_than_books(about: Frames, latest: Frames) -> None:
    sold = latest["order_items"].filter(pl.col("asked") < on(DAYS))
    back = latest["returns"].filter(pl.col("reason") != "cancelled").select("order_id", "line_number", is_back=True)
    lines = sold.join(back, on=["order_id", "line_number"], how="left")
    lines = lines.join(about["products"].select("product_id", "category").unique(), on="product_id")

    shares = dict(lines.group_by("category").agg(pl.col("is_back").is_not_null().mean()).iter_rows())

    assert shares["Clothing"] > 3 * shares["Books"] > 0


def test_what_is_spent_brings_the_visits_that_carry_the_campaigns_name(about: Frames) -> None:
    brought = (
        visits(about, "utm_medium", "utm_campaign")
        .filter(pl.col("utm_campaign").is_not_null())
        .with_columns(
            channel=pl.when(pl.col("utm_campaign") == "shopping")
            .then(pl.lit("paid shopping"))
            .otherwise(pl.col("utm_medium").replace({"cpc": "paid search", "paid_social": "paid social"}))
        )
        .group_by("channel", "utm_campaign", day=pl.col("first").dt.date())
        .len("visits")
    )
    named = about["campaigns"].select("campaign_id", "name", "channel").unique()
    paid = (
        about["ad_spend"]
        .sort("updated_at")
        .unique(["spend_on", "campaign_id"], keep="first")
        .join(named, on="campaign_id")
    )
    both = paid.join(
        brought, left_on=["channel", "name", "spend_on"], right_on=["channel", "utm_campaign", "day"], how="left"
    ).filter(pl.col("spend_on") < on(DAYS))

    by_campaign = both.group_by("campaign_id").agg(seen=pl.col("visits").sum() / pl.col("clicks").sum())
    seen = about["events"]["order_id"].n_unique() / about["orders"]["order_id"].n_unique()
    assert by_campaign.height == 7
    assert by_campaign.filter((pl.col("seen") / seen).is_between(0.85, 1.15).not_()).is_empty()
    assert both.select(pl.corr("clicks", "visits")).item() > 0.9
    assert both.filter(pl.col("clicks") > pl.col("impressions")).is_empty()


def test_some_reports_of_clicks_are_restated_days_later_and_lower(about: Frames) -> None:
    reports = about["ad_spend"].unique().sort("updated_at")
    first, last = (reports.unique(["spend_on", "campaign_id"], keep=keep) for keep in ("first", "last"))
    restated = first.join(last, on=["spend_on", "campaign_id"], suffix="_last").filter(
        pl.col("updated_at") < pl.col("updated_at_last")
    )

    assert 0.15 < restated.height / first.height < 0.35
    assert restated.filter(pl.col("spend_last") > pl.col("spend")).is_empty()
    assert abs(1 - restated["clicks_last"].sum() / restated["clicks"].sum() - INVALID_CLICK_SHARE) < 0.01


def test_the_truth_tells_who_buys_what_and_what_brings_buyers(clean: Shop, latest: Frames) -> None:
    truths = [clean.truth(on(n)) for n in range(DAYS)]
    sold = latest["order_items"].filter(pl.col("asked") < on(DAYS)).group_by("product_id").agg(pl.col("quantity").sum())
    expected = (
        pl.concat([truth["products"] for truth in truths]).group_by("product_id").agg(pl.col("expected_units").sum())
    )
    placed = latest["orders"].filter(
        pl.col("order_id").is_in(pl.concat([truth["orders"] for truth in truths])["order_id"].implode())
    )
    frauds = pl.concat([truth["orders"] for truth in truths]).filter("is_fraud")
    found = placed.filter(pl.col("cancel_reason") == "fraud")

    assert expected.join(sold, on="product_id").select(pl.corr("expected_units", "quantity")).item() > 0.99
    assert 0.1 < found.height / frauds.height < 0.5
    assert found.join(frauds, on="order_id", how="anti").is_empty()
    assert truths[0]["channels"].select(pl.sum("visit_share", "buyer_share").round(9)).row(0) == (1, 1)


def test_the_truth_tells_how_often_each_customer_is_expected_to_buy(clean: Shop, about: Frames) -> None:
    truths = [clean.truth(on(n)) for n in range(DAYS)]
    known_from_the_start = truths[0]["customers"].with_columns(pl.col("leaves_on").fill_null(on(DAYS)))
    days = pl.concat([truth["days"] for truth in truths]).with_columns(pl.col("expected_repeats") / pl.col("rates"))
    stays = known_from_the_start.join_where(days, pl.col("day") < pl.col("leaves_on"))
    expected = stays.group_by("customer_id").agg(expected=(pl.col("rate") * pl.col("expected_repeats")).sum())
    placed = about["orders"].filter(pl.col("asked") < on(DAYS), status="placed").unique("order_id")

    both = expected.join(placed.group_by("customer_id").len("orders"), on="customer_id", how="left").fill_null(0)
    fifth = pl.col("expected").rank("ordinal") * 5 // (pl.len() + 1)
    fifths = both.group_by(fifth=fifth).agg(pl.col("expected", "orders").sum()).filter(pl.col("fifth") >= 2)

    assert fifths.height == 3
    assert expected.height < known_from_the_start.height
    assert fifths.filter((pl.col("orders") / pl.col("expected")).is_between(0.9, 1.1).not_()).is_empty()


def test_customers_order_from_their_first_day_on_and_until_they_leave(clean: Shop, about: Frames) -> None:
    customers_ = pl.concat([clean.truth(on(n))["customers"] for n in range(DAYS)])
    frauds = pl.concat([clean.truth(on(n))["orders"] for n in range(DAYS)]).filter("is_fraud")
    placed = about["orders"].filter(pl.col("asked") < on(DAYS), status="placed").unique("order_id")
    own = placed.join(frauds, on="order_id", how="anti").select("customer_id", day=pl.col("ordered_at").dt.date())
    orders_ = own.join(customers_, on="customer_id")
    first = orders_.group_by("customer_id", "first_on").agg(pl.col("day").min()).filter(pl.col("first_on") >= START)

    assert orders_.filter(pl.col("day") >= pl.col("leaves_on")).is_empty()
    assert orders_.filter(pl.col("first_on").is_null()).is_empty()
    assert first.height > 5_000
    assert first.filter(pl.col("day") < pl.col("first_on")).is_empty()
    assert first.select((pl.col("day") == pl.col("first_on")).mean()).item() > 0.998


def test_a_visit_of_a_source_buys_as_much_more_often_as_the_truth_says(clean: Shop, about: Frames) -> None:
    buys = pl.col("events").list.contains("Order Completed")
    rates = visits(about, "utm_medium", "utm_campaign").group_by("utm_campaign", "utm_medium").agg(rate=buys.mean())
    effects = clean.truth(START)["channels"].filter(pl.col("visit_share") > 0)

    both = effects.join(rates, on=["utm_campaign", "utm_medium"], nulls_equal=True)

    assert both.height == 8
    assert both.select(pl.corr("lift", "rate")).item() > 0.8


def test_dirt_is_well_under_a_hundredth_and_leaves_the_good_rows(clean: Shop) -> None:
    dirty = Shop(START)
    extra = total = 0
    for n in range(20):
        good, all_ = clean.arrivals(on(n)), dirty.arrivals(on(n))
        for feed in CONTRACTS:
            assert all_[feed].head(good[feed].height).equals(good[feed])
            extra += all_[feed].height - good[feed].height
            total += good[feed].height

    assert 0.001 < extra / total < 0.004


def test_defects_are_the_rows_that_a_clean_shop_would_not_send_on_that_day(clean: Shop) -> None:
    day, shop = on(16), Shop(START)

    defects = shop.defects(day)

    sent, sent_before = shop.arrivals(day), [clean.arrivals(on(n)) for n in (14, 15)]
    for feed, good in clean.arrivals(day).items():
        of_feed = defects.filter(pl.col("feed") == feed)
        again = of_feed.filter(pl.col("kind") == "duplicate_row")["record"] - 1
        spoiled = of_feed.filter(pl.col("kind") != "duplicate_row")["record"] - 1
        assert list(spoiled) == list(range(good.height, sent[feed].height)), feed
        before = pl.concat([arrived[feed] for arrived in sent_before])
        assert sent[feed][again].join(before, on=good.columns, how="anti", nulls_equal=True).is_empty(), feed
    assert {"duplicate_row", "null_key"} < set(defects["kind"])


def test_the_defects_of_a_day_alone_are_those_after_many_others() -> None:
    shop = Shop(START)
    for n in range(9):
        shop.arrivals(on(n))

    assert shop.defects(on(8)).equals(Shop(START).defects(on(8)))


def test_a_copy_with_nothing_to_spoil_is_a_duplicate() -> None:
    rows = pl.DataFrame({"product_id": [None, "P1"]}, schema={"product_id": pl.String})

    spoiled, kinds = faults.with_dirt("reviews", rows, 1.0, 3, 0)

    is_same = spoiled[rows.height :]["product_id"].is_null() & (pl.Series(kinds) == "duplicate_row")
    assert len(kinds) == spoiled.height - rows.height == 2
    assert is_same.any()


def test_a_day_before_the_opening_is_refused() -> None:
    with pytest.raises(ValueError, match="opened on 2024-01-01"):
        Shop(START).day(date(2023, 12, 31))


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(ValueError, match="demo, seed003"):
        Shop(START, preset="demmo")
