import dataclasses
import gzip
import random
from datetime import date, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from ecom_assets.days import Window
from ecom_assets.feeds import feed_contracts
from ecom_assets.landing.reading import read
from ecom_assets.landing.zone import Zone
from ecom_assets.shop.scale import Scale
from ecom_assets.shop.shop import Shop
from ecom_assets.sources.synthetic import land_shop, land_window, load_shop, save_shop, write_truth

pytestmark = pytest.mark.slow

START = date(2024, 1, 1)
SMALL = Scale(orders_per_day=15, customers_at_start=40, products_at_start=30, products_per_day=6)
ALL_FEEDS = dataclasses.replace(SMALL, merged_share=0.2, foreign_share=0.2)


def landed(zone: Zone) -> dict[str, bytes]:
    return {str(path.relative_to(zone.root)): path.read_bytes() for path in zone.root.rglob("*-*.*") if path.is_file()}


def days(count: int) -> list[date]:
    return [START + timedelta(days=n) for n in range(count)]


def test_each_feed_lands_one_file_a_day_in_its_own_format(tmp_path: Path) -> None:
    zone = Zone(tmp_path)

    land_shop(zone, Shop(START, preset=SMALL), [START])

    assert sorted(landed(zone)) == [
        "ad_spend/2024-01-01/ad_spend-2024-01-01.csv",
        "campaigns/2024-01-01/campaigns-2024-01-01.jsonl",
        "customers/2024-01-01/customers-2024-01-01.jsonl",
        "events/2024-01-01/events-2024-01-01.parquet",
        "inventory_movements/2024-01-01/inventory_movements-2024-01-01.parquet",
        "order_items/2024-01-01/order_items-2024-01-01.csv.gz",
        "orders/2024-01-01/orders-2024-01-01.csv",
        "payments/2024-01-01/payments-2024-01-01.jsonl.gz",
        "products/2024-01-01/products-2024-01-01.csv",
        "purchase_receipts/2024-01-01/purchase_receipts-2024-01-01.csv",
        "returns/2024-01-01/returns-2024-01-01.csv",
        "reviews/2024-01-01/reviews-2024-01-01.jsonl.gz",
        "shipments/2024-01-01/shipments-2024-01-01.csv.gz",
        "suppliers/2024-01-01/suppliers-2024-01-01.jsonl",
    ]


def test_days_landed_in_any_order_have_the_same_bytes(tmp_path: Path) -> None:
    in_order, shuffled = Zone(tmp_path / "in order"), Zone(tmp_path / "shuffled")
    numbers = days(8)
    land_shop(in_order, Shop(START, preset=SMALL), numbers)
    random.Random(5).shuffle(numbers)

    land_shop(shuffled, Shop(START, preset=SMALL), numbers)

    assert landed(in_order) == landed(shuffled)


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop(START, preset=ALL_FEEDS)


@pytest.mark.parametrize("feed", sorted(feed_contracts()))
def test_landed_files_are_read_back_as_they_were(shop: Shop, feed: str, tmp_path: Path) -> None:
    zone = Zone(tmp_path)
    day = START + timedelta(days={"suppliers": 0, "exchange_rates": 0, "campaigns": 14}.get(feed, 20))
    land_shop(zone, shop, [day])
    rows = shop.arrivals(day)[feed]

    with duckdb.connect() as con:
        texts = read(con, zone.arrivals(feed, day, day)[day], rows.columns).pl()

    assert rows.height > 0
    assert texts["problem"].null_count() == texts.height
    assert texts["unknown_columns"].null_count() == texts.height
    typed = texts.select(
        pl.col(name).str.to_datetime("%Y-%m-%d %H:%M:%S%.f%#z", time_zone="UTC").dt.replace_time_zone(None)
        if feed in ("events", "inventory_movements") and kind == pl.Datetime
        else pl.col(name).str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us")
        if kind == pl.Datetime
        else pl.col(name).str.to_date()
        if kind == pl.Date
        else (pl.col(name) == "true")
        if kind == pl.Boolean
        else pl.col(name).cast(kind)
        for name, kind in rows.schema.items()
    )
    assert typed.equals(rows)


def test_a_feed_without_rows_lands_its_header(tmp_path: Path) -> None:
    zone = Zone(tmp_path)
    shop = Shop(START, preset=Scale(orders_per_day=5, days=1))
    day = START + timedelta(days=200)

    land_shop(zone, shop, [day])

    files = {path.partition("/")[0]: data for path, data in landed(zone).items()}
    assert files["orders"].decode().startswith("order_id,customer_id,")
    assert len(files["orders"].splitlines()) == 1
    assert len(gzip.decompress(files["order_items"]).splitlines()) == 1
    assert files["customers"] == b""
    assert gzip.decompress(files["payments"]) == b""


@pytest.mark.parametrize("preset", ["seed003", Scale(orders_per_day=12.5, quiet_days=(3, 4)), Scale(days=9)])
def test_a_saved_shop_is_the_same_shop_again(preset: str | Scale, tmp_path: Path) -> None:
    save_shop(tmp_path, Shop(date(2024, 2, 28), seed=11, preset=preset))

    shop = load_shop(tmp_path)

    assert shop is not None
    assert (shop.start, shop.seed, shop.preset) == (date(2024, 2, 28), 11, preset)


def test_without_a_saved_shop_there_is_none(tmp_path: Path) -> None:
    assert load_shop(tmp_path) is None


def test_a_shop_file_with_a_mistake_is_named(tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_text("seed = 7\nstart = 2024-01-01\n[scale]\norders_a_day = 3\n")

    with pytest.raises(ValueError, match=r"shop\.toml cannot be used"):
        load_shop(tmp_path)


def test_what_a_marketplace_sold_lands_as_orders_lines_payments_and_returns(tmp_path: Path) -> None:
    zone, day = Zone(tmp_path), START + timedelta(days=20)
    shop = Shop(START, preset=dataclasses.replace(SMALL, orders_per_day=300, marketplace_share=0.5))

    land_shop(zone, shop, [day])

    report = shop.settlement(day)
    of_type = {kind: report.filter(pl.col("type") == kind) for kind in ("Order", "Refund")}
    feeds = {
        feed: pl.read_parquet(tmp_path / feed / f"{day}" / f"marketplace@settlement-{day}.csv.parquet")
        for feed in ("orders", "order_items", "payments", "returns")
    }
    amount = pl.col("amount").cast(pl.Decimal(18, 4)).sum()
    assert feeds["orders"].height == of_type["Order"]["order-id"].n_unique()
    assert set(feeds["orders"]["channel"]) == {"marketplace"}
    assert feeds["orders"]["order_id"].str.starts_with("MP-").all()
    assert feeds["order_items"].height == of_type["Order"].height
    assert feeds["returns"].height == of_type["Refund"].height > 0
    paid, given_back = (of_type[kind]["buyer-total"].sum() for kind in ("Order", "Refund"))
    by_status = dict(feeds["payments"].group_by("status").agg(amount).iter_rows())
    assert by_status == {"captured": paid, "refunded": -given_back}
    fees = feeds["payments"].select(pl.col("fee").cast(pl.Decimal(18, 4)).sum()).item()
    assert fees == report["fees"].sum() > 0


def test_a_window_lands_some_days_at_once_and_tells_them_before(tmp_path: Path) -> None:
    shop, at_once, told = Shop(START, preset=SMALL), Zone(tmp_path / "at once"), []
    window = Window(START, START + timedelta(days=11))
    land_shop(at_once, shop, window)
    write_truth(tmp_path / "truth at once", shop, window)

    zone = Zone(tmp_path / "window")
    land_window(zone, tmp_path / "truth", shop, window, lambda step, share: told.append((step, share)))

    assert told == [("landing 2024-01-01..2024-01-10", 0), ("landing 2024-01-11..2024-01-12", 10 / 12)]
    assert landed(zone) == landed(at_once) != {}
    assert landed(Zone(tmp_path / "truth")) == landed(Zone(tmp_path / "truth at once")) != {}


def test_the_truth_is_written_beside_the_landing_zone_by_kind_and_day(tmp_path: Path) -> None:
    shop = Shop(START, preset=SMALL)

    write_truth(tmp_path, shop, days(2))

    kinds = ["channels", "customers", "days", "defects", "orders", "products"]
    assert sorted(path.name for path in tmp_path.iterdir()) == kinds
    assert pl.read_parquet(tmp_path / "orders" / "2024-01-02.parquet").equals(
        shop.truth(START + timedelta(days=1))["orders"]
    )


@pytest.mark.parametrize("feed", ["order_items", "payments", "events"])
def test_a_defect_is_named_as_the_record_is_when_it_is_read(feed: str, tmp_path: Path) -> None:
    zone, day = Zone(tmp_path / "landing"), START + timedelta(days=4)
    dirty = Shop(START, preset=dataclasses.replace(SMALL, orders_per_day=60, dirty_share=0.1))
    land_shop(zone, dirty, [day])

    write_truth(tmp_path / "truth", dirty, [day])

    named = pl.read_parquet(tmp_path / "truth" / "defects" / f"{day}.parquet").filter(pl.col("feed") == feed)
    with duckdb.connect() as con:
        records = read(con, zone.arrivals(feed, day, day)[day], ["quantity", "status", "event_id"]).pl()
    both = named.join(records, on=["arrived_on", "source_file", "record"])
    is_so = {
        "order_items": pl.col("quantity").cast(pl.Int64) < 0,
        "payments": pl.col("status") == "lost",
        "events": pl.col("event_id").is_null(),
    }
    kind = {"order_items": "negative_quantity", "payments": "unknown_status", "events": "null_key"}[feed]
    assert both.height == named.height > 0
    assert both.filter(pl.col("kind") == kind).height == records.filter(is_so[feed]).height > 0
    assert both.filter(is_so[feed])["kind"].unique().to_list() == [kind]
