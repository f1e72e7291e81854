from datetime import date, datetime, time, timedelta

import numpy as np
import polars as pl
import pytest

from ecom_assets.shop.scale import Scale
from ecom_assets.shop.shop import Shop
from ecom_assets.shop.stock import running

pytestmark = pytest.mark.slow

START = date(2024, 1, 1)
DAYS = 50
FEEDS = ["suppliers", "orders", "order_items", "shipments", "returns", "purchase_receipts", "inventory_movements"]
KEYS = {
    "orders": ["order_id"],
    "order_items": ["order_id", "line_number"],
    "shipments": ["shipment_id"],
    "returns": ["return_id"],
}


@pytest.fixture(scope="module")
def latest() -> dict[str, pl.DataFrame]:
    """The demo's rows about the first days, each in its latest state."""
    shop = Shop(START, preset=Scale())
    by_day = [shop.day(START + timedelta(days=n)) for n in range(DAYS)]
    rows = {feed: pl.concat([frames[feed] for frames in by_day]).unique(maintain_order=True) for feed in FEEDS}
    return {
        feed: frame.sort("updated_at", maintain_order=True).unique(KEYS[feed], keep="last") if feed in KEYS else frame
        for feed, frame in rows.items()
    }


@pytest.fixture(scope="module")
def on_hand(latest: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """The movements in turn, with what lies there after each."""
    in_turn = latest["inventory_movements"].sort("product_id", "moved_at", "quantity", descending=[False, False, True])
    return in_turn.with_columns(on_hand=pl.col("quantity").cum_sum().over("product_id"))


def test_no_product_is_ever_below_zero_and_now_and_then_one_runs_out(on_hand: pl.DataFrame) -> None:
    lowest = on_hand.group_by("product_id").agg(pl.col("on_hand").min())["on_hand"]

    assert lowest.min() == 0
    assert 0.02 < (lowest == 0).mean() < 0.6


def test_each_product_opens_once_before_anything_else(on_hand: pl.DataFrame) -> None:
    first = on_hand.unique("product_id", keep="first", maintain_order=True)

    assert set(first["kind"]) == {"opening"}
    assert on_hand.filter(pl.col("kind") == "opening").height == first.height
    assert first["quantity"].min() > 0


def test_what_is_shipped_leaves_the_stock_line_by_line(latest: dict[str, pl.DataFrame]) -> None:
    end = datetime.combine(START + timedelta(days=DAYS), time())
    shipped = latest["shipments"].filter(pl.col("shipped_at") < end)
    ordered = shipped.join(latest["order_items"], on="order_id").select(
        "product_id", "quantity", "shipped_at", document_id="shipment_id"
    )
    left = latest["inventory_movements"].filter(pl.col("kind") == "sale")

    both = ordered.join(left, on=["document_id", "product_id"], suffix="_left")

    assert ordered.height == left.height > 10_000
    assert both.select(pl.col("quantity").sum() + pl.col("quantity_left").sum()).item() == 0
    assert both.filter(pl.col("moved_at") != pl.col("shipped_at")).is_empty()


def test_each_receipt_enters_the_stock(latest: dict[str, pl.DataFrame]) -> None:
    received = latest["purchase_receipts"].select("product_id", "quantity", "received_at", document_id="receipt_id")
    entered = latest["inventory_movements"].filter(pl.col("kind") == "receipt")

    both = received.join(entered, left_on=received.columns, right_on=[
        "product_id", "quantity", "moved_at", "document_id"
    ])  # fmt: skip

    assert received.height == entered.height == both.height > 1_000


def test_returns_are_put_back_unless_they_are_damaged(latest: dict[str, pl.DataFrame]) -> None:
    back = latest["inventory_movements"].filter(pl.col("kind") == "return")
    returned = latest["returns"].filter(pl.col("reason") != "cancelled")

    both = back.join(returned, left_on="document_id", right_on="return_id", suffix="_returned")

    assert both.height == back.height
    assert both.filter(pl.col("quantity") != pl.col("quantity_returned")).is_empty()
    assert 0.3 < back.height / returned.height < 0.8


def test_goods_come_when_the_supplier_says_or_some_days_later(latest: dict[str, pl.DataFrame]) -> None:
    came = latest["purchase_receipts"].with_columns(took=(pl.col("received_at").dt.date() - pl.col("ordered_on")))
    agreed = came.sort("received_at").join_asof(
        latest["suppliers"].sort("changed_at"),
        left_on="received_at",
        right_on="changed_at",
        by="supplier_id",
        check_sortedness=False,
    )
    delay = agreed.select(delay=pl.col("took").dt.total_days() - pl.col("lead_time_days"))["delay"]

    assert 0.7 < (delay == 0).mean() < 0.9
    assert came.group_by("product_id").agg(pl.col("supplier_id").n_unique())["supplier_id"].max() == 1


def test_nine_in_ten_parcels_leave_by_the_promised_day(latest: dict[str, pl.DataFrame]) -> None:
    before_the_campaign = START + timedelta(days=25)
    due = latest["shipments"].filter(pl.col("promised_on") < before_the_campaign, pl.col("status") != "cancelled")
    on_time = due.select((pl.col("shipped_at").dt.date() <= pl.col("promised_on")).fill_null(value=False).mean())

    assert 0.9 < on_time.item() < 0.97


def test_the_campaign_empties_shelves_and_makes_parcels_late(latest: dict[str, pl.DataFrame]) -> None:
    due = latest["shipments"].filter(pl.col("promised_on") < START + timedelta(days=DAYS - 10))
    is_late = pl.col("shipped_at").dt.date() > pl.col("promised_on")
    parcels = due.filter(pl.col("shipped_at").is_not_null()).select(day=pl.col("ordered_at").dt.date(), is_late=is_late)

    in_it = parcels.filter(pl.col("day").is_between(START + timedelta(days=28), START + timedelta(days=34)))
    before = parcels.filter(pl.col("day") < START + timedelta(days=25))

    assert in_it["is_late"].mean() > 1.4 * before["is_late"].mean() > 0


def test_a_parcel_carries_a_paid_order_in_the_states_of_the_order(latest: dict[str, pl.DataFrame]) -> None:
    both = latest["shipments"].join(latest["orders"], on="order_id", suffix="_of_order")
    in_words = {"open": "paid", "shipped": "shipped", "delivered": "delivered", "cancelled": "cancelled"}
    same = pl.col("status").replace_strict(in_words) == pl.col("status_of_order")

    assert latest["shipments"]["order_id"].is_unique().all()
    assert both.height == latest["shipments"].height
    assert both.filter(~same).is_empty()
    assert both.filter(pl.col("ordered_at") != pl.col("ordered_at_of_order")).is_empty()


def test_running_units_are_counted_product_by_product_in_turn() -> None:
    product, quantity = np.array([3, 1, 3, 3, 1]), np.array([2, 5, 1, 4, 1])

    assert running(product, quantity).tolist() == [2, 5, 3, 7, 6]
    assert running(product[:0], quantity[:0]).tolist() == []
