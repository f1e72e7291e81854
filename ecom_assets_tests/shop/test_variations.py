"""What a shop draws on demand: merged customers, stores, retracted lines, gift cards, prices with tax, codes."""

import dataclasses
from pathlib import Path

import polars as pl
import pytest

from ecom_assets.landing.zone import Zone
from ecom_assets.shop.scale import PRESETS, Scale
from ecom_assets.shop.shop import Shop
from ecom_assets.sources.synthetic import land_shop
from ecom_assets.warehouse.proof import contents, settle
from ecom_assets.warehouse.session import Session
from ecom_assets_tests.warehouses import START, run_all, session_over, window

pytestmark = pytest.mark.slow

PLAIN = Scale(orders_per_day=30, customers_at_start=60, products_at_start=25, days=2)
ALL = dataclasses.replace(
    PRESETS["varied"],
    **{name: getattr(PLAIN, name) for name in ("orders_per_day", "customers_at_start", "products_at_start", "days")},
    marketplace_share=0.0,
    dirty_share=0.0,
    merged_share=0.9,
    retracted_share=0.2,
    gift_card_share=0.1,
)
DAYS = 3


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A warehouse on all of it, in one window."""
    zone = Zone(tmp_path_factory.mktemp("landing"))
    land_shop(zone, Shop(START, seed=11, preset=ALL), window(DAYS))
    session = session_over(zone)
    run_all(session, window(DAYS))
    settle(session)
    return session


def one(session: Session, query: str) -> int:
    return int(session.con.execute(query).fetchall()[0][0])


@pytest.mark.long
def test_day_by_day_it_ends_as_in_one_window(built: Session, tmp_path: Path) -> None:
    zone, shop = Zone(tmp_path), Shop(START, seed=11, preset=ALL)
    daily = session_over(zone)
    for day in window(DAYS):
        land_shop(zone, shop, [day])
        settle(daily)

    assert contents(daily) == contents(built)


def test_no_day_fails_and_nothing_is_quarantined_but_what_waits(built: Session) -> None:
    assert one(built, "select count(*) from ledger.days where state not in ('stored', 'provisional')") == 0
    for declaration in built.catalog:
        if declaration.from_feed:
            query = f"select distinct unnest(reason_codes) from {declaration.quarantine}"
            codes = {code for (code,) in built.con.execute(query).fetchall()}
            assert all(code.endswith("_missing_reference") for code in codes), declaration.name


def test_it_holds_all_that_is_asked_for(built: Session) -> None:
    gift_cards = (
        "select count(*) from silver.order_items join silver.products using (product_id) where kind is not null"
    )
    numbers = "select order_id[4:] from silver.orders where store = '{}'"
    both = f"select count(*) from ({numbers.format('S1')} intersect {numbers.format('S2')})"
    merged = "select count(*) from bronze.orders b join gold.fact_customer_merges m using (customer_id)"

    assert one(built, "select count(*) from superseded.order_items where kind = 'retraction'") > 0
    assert one(built, "select count(*) from silver.order_items where line_number = 90") == 0
    assert one(built, gift_cards) > 0
    assert one(built, both) > 0
    assert one(built, merged) > 0
    assert one(built, "select count(*) from silver.orders where tax > 0 and total = subtotal - discount + shipping") > 0
    assert one(built, "select count(*) from silver.session_orders semi join silver.orders using (order_id)") > 0
    assert one(built, "select count(distinct coupon) from kpi.daily_coupons where orders > 0") == 3
    assert one(built, "select sum(discounts) from kpi.daily_coupons where coupon <> '(none)'") > 0
    clicked = "select count(*) from (from kpi.daily_list_clicks where views > 0 and clicks > 0 and kind = '{}')"
    assert one(built, clicked.format("list")) > 0
    assert one(built, clicked.format("promotion")) > 0


def test_each_coupon_of_an_order_has_taken_something_off(built: Session) -> None:
    assert one(built, "select count(*) from silver.orders where (coupon is not null) <> (discount > 0)") == 0


def test_a_shop_that_draws_none_of_it_is_as_before() -> None:
    shop, other = Shop(START, preset=PLAIN), Shop(START, preset=ALL)
    day = START

    plain, varied = shop.arrivals(day), other.arrivals(day)

    assert "customer_merges" not in plain
    assert "store" not in plain["orders"].columns
    assert "coupon" not in plain["orders"].columns
    assert "list_id" not in plain["events"].columns
    assert "is_deleted" not in plain["order_items"].columns
    assert plain["customers"].equals(varied["customers"])
    assert plain["orders"].select(pl.col("subtotal").sum()).equals(varied["orders"].select(pl.col("subtotal").sum()))
