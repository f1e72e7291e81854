"""Customer features: recency, frequency, monetary value and behaviour at the end of a day."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, in_units, key, money, rule
from ecom_assets.days import history, trailing
from ecom_assets.expressions import measures
from ecom_assets.expressions.dates import days_between
from ecom_assets.expressions.money import MONEY, no_amount, ratio, total, total_count
from ecom_assets.table_asset import table_asset

TRAILING_DAYS = 30


class CustomerFeatures(Table, primary_key=("day", "customer_id"), partition_column="day"):
    """One row per day and customer who was active with a product, ordered, was refunded, or had an order voided.

    Rows hold at the end of the day: an order that is voided later counts until then. Counts over 30 days use what was
    known at the end of each of these days, and so keep such an order. On a day without a row, measures to date are
    those of the customer's latest earlier row, with recency and tenure larger by the days since. Counts over 30 days
    are not in that row: they shrink with each day that leaves the 30. Compute them from
    `features.customer_product_interactions` of the 30 days up to the day; they are zero once the latest row is 30 days
    old.
    """

    day: Date = key("Business day")
    customer_id: str = key("Customer number issued by the shop", personal=True)
    recency_days: int = column("Days since the last valid order; null before the first", nullable=True, ge=0)
    tenure_days: int = column("Days since the first valid order; null before it", nullable=True, ge=0)
    frequency: int = column("Valid orders to date", ge=0)
    monetary: Decimal = money("Gross sales less discounts of valid orders to date")
    average_order_value: float = column("Monetary value per order; null without orders", nullable=True)
    mean_days_between_orders: float = column(
        "Mean days from one day with an order to the next; null with less than two such days", nullable=True, ge=1
    )
    returns_to_date: Decimal = money("Refunded merchandise value to date", ge=0)
    refunded_share: float = column("Returns to date per monetary value; null if that is zero", nullable=True)
    views_30d: int = column("Views of products in 30 days", ge=0)
    cart_additions_30d: int = column("Cart additions in 30 days", ge=0)
    units_purchased_30d: Decimal = in_units(
        "Units bought in 30 days, including those of orders voided on a later day", ge=0
    )
    products_30d: int = column("Distinct products viewed, added to the cart or bought in 30 days", ge=0)
    active_days_30d: int = column("Days of the 30 with a view, cart addition or purchase", ge=0, le=TRAILING_DAYS)

    @rule
    def orders_have_a_day(cls) -> nw.Expr:
        """A customer with orders has a first and a last one, and no other has."""
        has_orders = nw.col("frequency") > 0
        return (has_orders != nw.col("recency_days").is_null()) & (has_orders != nw.col("tenure_days").is_null())


COUNTS = ["views", "cart_additions"]
BEHAVIOUR = [*COUNTS, "units_purchased"]
SUMS = ["monetary", "returns_to_date", "units_purchased_30d"]
ACTIVE = ["day", "customer_id"]


def orders_to_date(customer_days: nw.LazyFrame, voided: nw.LazyFrame, active: nw.LazyFrame) -> nw.LazyFrame:
    """Returns the orders and refunds to date of each active customer at the end of the day."""
    c = nw.col
    ordered_on = nw.when(c("orders") > 0).then(c("done_on"))
    valid = customer_days.select("customer_id", "orders", "returns", spent=measures.revenue(), done_on="day")
    counted_until = voided.select(
        "customer_id",
        "voided_on",
        orders=nw.lit(1, nw.Int64),
        returns=no_amount(),
        spent="revenue",
        done_on="ordered_on",
    )
    return (
        nw.concat([valid, counted_until], how="diagonal")
        .join(active, on="customer_id")
        .filter(c("done_on") <= c("day"), c("voided_on").is_null() | (c("voided_on") > c("day")))
        .with_columns(ordered_on=ordered_on)
        .group_by(ACTIVE)
        .agg(
            c("ordered_on").min().alias("first_order_on"),
            c("ordered_on").max().alias("last_order_on"),
            (c("ordered_on").n_unique() - c("ordered_on").is_null().any().cast(nw.Int64)).alias("order_days"),
            total_count("orders").alias("frequency"),
            total("spent").alias("monetary"),
            total("returns").alias("returns_to_date"),
        )
    )


def behaviour(interactions: nw.LazyFrame, active: nw.LazyFrame) -> nw.LazyFrame:
    """Returns the interactions with products of each active customer in the days up to the day."""
    c = nw.col
    return (
        interactions.select("customer_id", "product_id", *BEHAVIOUR, done_on="day")
        .join(active, on="customer_id")
        .filter(days_between(c("done_on"), c("day")).is_between(0, TRAILING_DAYS - 1))
        .group_by(ACTIVE)
        .agg(
            *(total_count(name).alias(f"{name}_30d") for name in COUNTS),
            total("units_purchased").alias("units_purchased_30d"),
            c("product_id").n_unique().cast(nw.Int64).alias("products_30d"),
            c("done_on").n_unique().cast(nw.Int64).alias("active_days_30d"),
        )
    )


def transform(
    gold_agg_customer_days: nw.LazyFrame,
    gold_fact_voided_orders: nw.LazyFrame,
    features_customer_product_interactions: nw.LazyFrame,
    days: nw.LazyFrame,
) -> nw.LazyFrame:
    c = nw.col
    voided = gold_fact_voided_orders.filter(~c("customer_id").is_null())
    done = [
        gold_agg_customer_days.select(ACTIVE),
        features_customer_product_interactions.select(ACTIVE),
        voided.select("customer_id", day="ordered_on").select(ACTIVE),
        voided.select("customer_id", day="voided_on").select(ACTIVE),
    ]
    active = nw.concat([frame.join(days, on="day", how="semi") for frame in done]).unique()
    counts = ["frequency", *(f"{name}_30d" for name in [*COUNTS, "products", "active_days"])]
    features = (
        active.join(orders_to_date(gold_agg_customer_days, voided, active), on=ACTIVE, how="left")
        .join(behaviour(features_customer_product_interactions, active), on=ACTIVE, how="left")
        .with_columns(
            c(counts).fill_null(0),
            *(nw.coalesce(c(name), no_amount()).cast(MONEY).alias(name) for name in SUMS),
        )
    )
    return features.with_columns(
        recency_days=days_between(c("last_order_on"), c("day")),
        tenure_days=days_between(c("first_order_on"), c("day")),
        average_order_value=ratio("monetary", "frequency"),
        mean_days_between_orders=ratio(days_between(c("first_order_on"), c("last_order_on")), c("order_days") - 1),
        refunded_share=ratio("returns_to_date", "monetary"),
    ).select(*contract(CustomerFeatures).columns)


asset = table_asset(
    CustomerFeatures,
    transform,
    reads={
        "gold_agg_customer_days": history,
        "gold_fact_voided_orders": history,
        "features_customer_product_interactions": trailing(TRAILING_DAYS),
    },
)
