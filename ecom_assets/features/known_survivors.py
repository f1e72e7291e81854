"""Customer numbers that were merged into others, as known at the end of each week."""

import datetime as dt

import polars as pl

from ecom_assets.contract import Date, Table, column, frame_of, key
from ecom_assets.days import history
from ecom_assets.expressions.known import cut_off_days, versions_at
from ecom_assets.expressions.survivors import survivors
from ecom_assets.table_asset import table_asset


class KnownSurvivors(Table, primary_key=("cut_off", "customer_id"), partition_column="cut_off"):
    """One row per cut-off day and customer number that was known then to be merged into another."""

    cut_off: Date = key("Day at whose end it was known: a Sunday")
    customer_id: str = key("Customer number that was merged", personal=True)
    survivor: str = column("Customer number under which the customer goes on", personal=True)


def at_cut_off(day: dt.date, versions: pl.DataFrame) -> pl.DataFrame:
    """Returns the survivors of one cut-off day."""
    merges = versions_at(day, versions, "customer_id", "merged_at").sort("merged_at", "customer_id")
    said = merges.select("customer_id", pl.when(~pl.col("is_undone")).then("merged_into"))
    found = survivors(said.iter_rows())
    return pl.DataFrame(
        {"cut_off": [day] * len(found), "customer_id": list(found), "survivor": list(found.values())},
        {"cut_off": pl.Date, "customer_id": pl.String, "survivor": pl.String},
    )


def transform(silver_merge_versions: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    return frame_of(KnownSurvivors, [at_cut_off(day, silver_merge_versions) for day in cut_off_days(days)])


asset = table_asset(KnownSurvivors, transform, reads={"silver_merge_versions": history})
