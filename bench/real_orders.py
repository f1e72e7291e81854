"""Orders of two real shops, as models take them: CDNOW for lifetime value, Online Retail for recommendations."""

import datetime as dt
from pathlib import Path

import polars as pl

CDNOW_CUT_OFF, CDNOW_DAYS = dt.date(1997, 9, 30), 273
"""The end of the 39 weeks that laws are fitted to, and the days after it."""
_PLACES = {"customer_id": (1, 5), "day": (12, 8), "value": (24, 8)}
"""Of the sample: first character and length."""


def cdnow_sample(folder: Path) -> pl.DataFrame:
    """Returns the orders of the one-in-ten sample: customer_id, day, value."""
    lines = pl.read_csv(folder / "CDNOW_sample.txt", has_header=False, new_columns=["line"], separator="\x01")
    text = {name: pl.col("line").str.slice(*place).str.strip_chars() for name, place in _PLACES.items()}
    return lines.select(
        customer_id=text["customer_id"], day=text["day"].str.to_date("%Y%m%d"), value=text["value"].cast(pl.Float64)
    )


def customers_at(orders: pl.DataFrame, cut_off: dt.date) -> pl.DataFrame:
    """Returns customers as `models.lifetime_value` takes them, from orders up to a day; orders of one day are one."""
    days = orders.filter(pl.col("day") <= cut_off).group_by("customer_id", "day").agg(pl.col("value").sum())
    first, last = pl.col("day").min(), pl.col("day").max()
    return (
        days.group_by("customer_id")
        .agg(
            repeat_orders=pl.len() - 1,
            last_order_age=(last - first).dt.total_days(),
            age=(pl.lit(cut_off) - first).dt.total_days(),
            mean_repeat_value=pl.col("value").filter(pl.col("day") > first).mean(),
            mean_value=pl.col("value").mean(),
        )
        .sort("customer_id")
    )


def ordered_after(orders: pl.DataFrame, customers: pl.DataFrame, cut_off: dt.date, days: int) -> pl.DataFrame:
    """Returns days with an order, and their value, in so many days after a cut-off, of customers in their order."""
    after = orders.filter(pl.col("day") > cut_off, pl.col("day") <= cut_off + dt.timedelta(days))
    counted = after.group_by("customer_id").agg(orders=pl.col("day").n_unique(), value=pl.col("value").sum())
    return (
        customers.select("customer_id")
        .join(counted, on="customer_id", how="left", maintain_order="left")
        .select(pl.col("orders").fill_null(0).cast(pl.Float64), pl.col("value").fill_null(0.0))
    )
