"""The calendar: attributes of a day."""

import narwhals as nw

from ecom_assets.contract import Date, Table, column, contract, key
from ecom_assets.table_asset import table_asset


class DimDate(Table, primary_key="day", partition_column="day"):
    """One row per day."""

    day: Date = key("The day")
    year: int = column("Calendar year")
    quarter: int = column("Quarter of the year", ge=1, le=4)
    month: int = column("Month of the year", ge=1, le=12)
    month_name: str = column("Month in English")
    iso_week: str = column("ISO year and week, as in 2024-W01")
    weekday: int = column("Day of the ISO week: 1 is Monday, 7 is Sunday", ge=1, le=7)
    weekday_name: str = column("Day of the week in English")
    is_weekend: bool = column("Whether it is a Saturday or a Sunday")


def transform(days: nw.LazyFrame) -> nw.LazyFrame:
    day = nw.col("day")
    return days.with_columns(
        year=day.dt.year().cast(nw.Int64),
        quarter=((day.dt.month() + 2) // 3).cast(nw.Int64),
        month=day.dt.month().cast(nw.Int64),
        month_name=day.dt.to_string("%B"),
        iso_week=day.dt.to_string("%G-W%V"),
        weekday=day.dt.weekday().cast(nw.Int64),
        weekday_name=day.dt.to_string("%A"),
        is_weekend=day.dt.weekday() >= 6,
    ).select(*contract(DimDate).columns)


asset = table_asset(DimDate, transform)
