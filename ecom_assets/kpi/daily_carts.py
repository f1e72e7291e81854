"""Carts by day, channel and device: created and abandoned."""

import narwhals as nw

from ecom_assets.contract import Date, Table, column, contract, key, rule
from ecom_assets.expressions.money import ratio, total_count
from ecom_assets.table_asset import table_asset


class DailyCarts(Table, primary_key=("day", "channel", "device"), partition_column="day"):
    """One row per day, channel and device with a new cart.

    A cart counts as abandoned unless it is bought within 24 hours, so a day is provisional until the two days after it
    are over: when clocks go forward, 24 hours reach past the next day.
    """

    day: Date = key("Business day on which the carts were created")
    channel: str = key("Marketing channel of the sessions in which they were created")
    device: str = key("Kind of device")
    carts: int = column("Carts created", ge=1)
    abandoned_carts: int = column("Carts not bought within 24 hours", ge=0)
    cart_abandonment_rate: float = column("Abandoned carts per cart created", ge=0, le=1)

    @rule
    def abandoned_carts_are_carts(cls) -> nw.Expr:
        """There are no more abandoned carts than carts."""
        return nw.col("abandoned_carts") <= nw.col("carts")


def transform(gold_fact_carts: nw.LazyFrame) -> nw.LazyFrame:
    return (
        gold_fact_carts.select(
            "channel",
            "device",
            day="created_on",
            carts=nw.lit(1, nw.Int64),
            abandoned_carts=(~nw.col("is_purchased")).cast(nw.Int64),
        )
        .group_by("day", "channel", "device")
        .agg(*map(total_count, ["carts", "abandoned_carts"]))
        .with_columns(cart_abandonment_rate=ratio("abandoned_carts", "carts"))
        .select(*contract(DailyCarts).columns)
    )


asset = table_asset(DailyCarts, transform)
