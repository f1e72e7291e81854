"""Customers by recency, frequency and monetary value: quintiles and eleven named segments, at the end of each month."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, key, money, rule
from ecom_assets.days import history
from ecom_assets.expressions import measures
from ecom_assets.expressions.dates import days_between, is_month_end
from ecom_assets.expressions.money import total, total_count
from ecom_assets.table_asset import table_asset

QUINTILES, MIDDLE_SCORE = 5, 3
SEGMENTS = {
    5: ["New Customers", "Potential Loyalists", "Potential Loyalists", "Champions", "Champions"],
    4: ["Promising", "Potential Loyalists", "Potential Loyalists", "Loyal", "Champions"],
    3: ["About To Sleep", "About To Sleep", "Need Attention", "Loyal", "Loyal"],
    2: ["Hibernating", "Hibernating", "At Risk", "At Risk", "Cannot Lose Them"],
    1: ["Lost", "Lost", "At Risk", "Cannot Lose Them", "Cannot Lose Them"],
}
"""Recency score to the segments of value 1 to 5. The value is the mean of the frequency and monetary scores, rounded
half up."""


class CustomerRfm(Table, primary_key=("snapshot_on", "customer_id"), partition_column="snapshot_on"):
    """One row per month end and customer with a valid order up to then.

    A score is the customer's quintile among all customers, as SQL's NTILE(5) forms them: 5 is the best. Customers of
    equal value have equal scores: that of the middle one of them, the lower of two. Up to four customers are placed
    around the middle score, 3: too few to call one of them the best or lost.
    """

    snapshot_on: Date = key("Last day of a month")
    customer_id: str = key("Customer number issued by the shop", personal=True)
    monetary: Decimal = money("Gross sales less discounts of valid orders to date")
    last_order_on: Date = column("Day of the last valid order")
    recency_days: int = column("Days since the last valid order", ge=0)
    frequency: int = column("Valid orders to date", ge=1)
    recency_score: int = column("Quintile by last order: 5 is the latest", ge=1, le=QUINTILES)
    frequency_score: int = column("Quintile by frequency: 5 is the most frequent", ge=1, le=QUINTILES)
    monetary_score: int = column("Quintile by monetary value: 5 is the highest", ge=1, le=QUINTILES)
    segment: str = column(
        "Named segment, by recency score and the mean of the other two",
        isin=list(dict.fromkeys(name for names in SEGMENTS.values() for name in names)),
    )

    @rule
    def recency_is_since_the_last_order(cls) -> nw.Expr:
        """The recency is the time from the last order to the snapshot."""
        return nw.col("recency_days") == days_between(nw.col("last_order_on"), nw.col("snapshot_on"))


def ntile(place: nw.Expr, count: nw.Expr) -> nw.Expr:
    """Returns SQL's NTILE(5) of a place, counted from 0, among so many: larger parts come first."""
    size, larger = count // QUINTILES, count % QUINTILES
    in_larger = larger * (size + 1)
    tile = nw.when(place < in_larger).then(place // (size + 1)).otherwise(larger + (place - in_larger) // size)
    return (tile + 1).cast(nw.Int64)


def score(of: str) -> nw.Expr:
    """Returns the score per month end by a column, 1 to 5: equal values score as the middle place of their tie does."""
    value = nw.col(of)
    count = nw.len().over("snapshot_on").cast(nw.Int64)
    first = value.rank("min").over("snapshot_on").cast(nw.Int64) - 1
    last = value.rank("max").over("snapshot_on").cast(nw.Int64) - 1
    above_middle, below_middle = first + last - (count - 1), count - 1 - first - last
    around_middle = MIDDLE_SCORE + nw.when(above_middle > 0).then(above_middle // 2).otherwise(-(below_middle // 2))
    return nw.when(count < QUINTILES).then(around_middle).otherwise(ntile((first + last) // 2, count)).cast(nw.Int64)


def segment() -> nw.Expr:
    """Returns the named segment of the scores."""
    value = (nw.col("frequency_score") + nw.col("monetary_score") + 1) // 2
    names = {recency * 10 + n: name for recency, row in SEGMENTS.items() for n, name in enumerate(row, start=1)}
    return (nw.col("recency_score") * 10 + value).replace_strict(names, default=None, return_dtype=nw.String)


def transform(gold_agg_customer_metrics: nw.LazyFrame, days: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    month_ends = days.filter(is_month_end(c("day"))).select(snapshot_on="day")
    orders = gold_agg_customer_metrics.filter(c("orders") > 0).select(
        "day", "customer_id", "orders", spent=measures.revenue()
    )
    return (
        orders.join(month_ends, how="cross")
        .filter(c("day") <= c("snapshot_on"))
        .group_by("snapshot_on", "customer_id")
        .agg(
            c("day").max().alias("last_order_on"),
            total_count("orders").alias("frequency"),
            total("spent").alias("monetary"),
        )
        .with_columns(
            recency_days=days_between(c("last_order_on"), c("snapshot_on")),
            recency_score=score("last_order_on"),
            frequency_score=score("frequency"),
            monetary_score=score("monetary"),
        )
        .with_columns(segment=segment())
        .select(*contract(CustomerRfm).columns)
    )


asset = table_asset(CustomerRfm, transform, reads={"gold_agg_customer_metrics": history})
