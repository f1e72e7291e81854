"""Orders of two real shops, as models take them: CDNOW for lifetime value, Online Retail for recommendations."""

import datetime as dt
from pathlib import Path

import polars as pl

CDNOW_CUT_OFF, CDNOW_DAYS = dt.date(1997, 9, 30), 273
"""The end of the 39 weeks that laws are fitted to, and the days after it."""
RETAIL_CUT_OFF = dt.date(2011, 11, 9)
"""The first day of the month, up to 2011-12-09, that lists are compared with."""
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


def online_retail(folder: Path) -> pl.DataFrame:
    """Returns products that customers bought, once a day, as `models.recommendations` takes them.

    Lines count with a customer, a quantity and a price above 0: the cleaning that is usual in publications.
    """
    files = sorted((folder / "by-day").glob("*.csv.gz"))
    lines = pl.concat(pl.read_csv(file, infer_schema=False) for file in files)
    is_counted = pl.all_horizontal(pl.col(name).cast(pl.Float64) > 0 for name in ("Quantity", "UnitPrice"))
    return (
        lines.filter(is_counted, pl.col("CustomerID") != "")
        .select(
            customer_id="CustomerID", product_id="StockCode", day=pl.col("InvoiceDate").str.slice(0, 10).str.to_date()
        )
        .unique()
        .with_columns(weight=pl.lit(1.0))
    )


def bought_from(bought: pl.DataFrame, cut_off: dt.date) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Returns what known customers bought from a day on, of known products: repeats, and what is new to them."""
    before = bought.filter(pl.col("day") < cut_off)
    after = bought.filter(pl.col("day") >= cut_off).select("customer_id", "product_id").unique()
    known = after.join(before, on="customer_id", how="semi").join(before, on="product_id", how="semi")
    pair = ["customer_id", "product_id"]
    return known.join(before, on=pair, how="semi"), known.join(before, on=pair, how="anti")
