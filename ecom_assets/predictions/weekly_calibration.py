"""What came in each week, beside what had been predicted of it."""

import datetime as dt
import math

import narwhals as nw
import polars as pl

from ecom_assets.contract import Date, Table, column, expectation, frame_of, key
from ecom_assets.days import trailing
from ecom_assets.expressions.known import cut_off_days
from ecom_assets.models import demand
from ecom_assets.predictions._demand import WEEK
from ecom_assets.predictions._sold import sold_at
from ecom_assets.table_asset import table_asset

ORDERS, UNITS = "customer_value", "demand_forecasts"
_TOLERATED = 0.2
"""Share by which weeks of the whole shop differ without anything being wrong."""
_OF_POISSON = 1.645
"""Standard deviations to either side that hold 90 % of the counts of independent customers."""


class WeeklyCalibration(Table, primary_key=("cut_off", "subject"), partition_column="cut_off"):
    """One row per Sunday and table of predictions, on the week that ends: what was predicted of it the Sunday before.

    Of customers known then, the days with an order; of products known then, the units sold. Both are compared with what
    is known at the end of the week. Calibration in the large (Cox 1958): whether sums are right, and not whether the
    right customers and products have them, which the tables of scores tell.
    """

    cut_off: Date = key("Last day of the week")
    subject: str = key("Table with the predictions", isin=[ORDERS, UNITS])
    expected: float = column("Sum of what was predicted", ge=0)
    low: float = column("Lower end of the interval of the sum, of 90 % at least", ge=0)
    high: float = column("Upper end of the interval", ge=0)
    actual: float = column("Sum of what came; below 0 if more orders were cancelled than came")

    @expectation
    def predictions_are_calibrated(cls) -> nw.Expr:
        """What came is within the interval of what was predicted."""
        return (nw.col("actual") >= nw.col("low")) & (nw.col("actual") <= nw.col("high"))


def of_orders(predicted: pl.DataFrame, before: pl.DataFrame, after: pl.DataFrame) -> dict[str, float]:
    """Returns a row of days with an order: predictions of a Sunday, and the histories at it and a week later.

    The interval is that of a Poisson count, and reaches a fifth of the sum to either side at least.
    """
    known = before.join(after.select("customer_id", later="repeat_orders"), on="customer_id", how="left")
    came = known.select((pl.coalesce("later", "repeat_orders") - pl.col("repeat_orders")).sum()).item()
    expected = float(predicted["expected_orders_7d"].sum())
    width = max(_OF_POISSON * math.sqrt(expected), _TOLERATED * expected)
    return {"expected": expected, "low": max(expected - width, 0.0), "high": expected + width, "actual": float(came)}


def of_units(forecasts: pl.DataFrame, categories: pl.DataFrame, sold: pl.DataFrame) -> dict[str, float]:
    """Returns a row of units: forecasts of products and of categories of a Sunday, and the lines sold in the week.

    The interval is that of all categories; it is moved by as much as the champion expects more than their model.
    """
    [week] = demand.of_shop(categories).rows(named=True)
    expected = float(forecasts["expected_units"].sum())
    moved = expected - week["expected_units"]
    came = sold.join(forecasts, on="product_id", how="semi")["quantity"].sum()
    ends = {"low": max(week["low_units"] + moved, 0.0), "high": max(week["high_units"] + moved, 0.0)}
    return {"expected": expected, **ends, "actual": float(came)}


def transform(
    predictions_customer_value: pl.DataFrame,
    features_customer_histories: pl.DataFrame,
    predictions_demand_forecasts: pl.DataFrame,
    predictions_category_forecasts: pl.DataFrame,
    silver_order_versions: pl.DataFrame,
    silver_order_item_versions: pl.DataFrame,
    days: pl.DataFrame,
) -> pl.DataFrame:
    c, rows = pl.col, []
    for day in cut_off_days(days):
        start = day - dt.timedelta(days=WEEK)
        value, forecasts, categories = (
            frame.filter(c("cut_off") == start)
            for frame in (predictions_customer_value, predictions_demand_forecasts, predictions_category_forecasts)
        )
        if value.height:
            before, after = (features_customer_histories.filter(c("cut_off") == at) for at in (start, day))
            rows.append({"cut_off": day, "subject": ORDERS, **of_orders(value, before, after)})
        if forecasts.height and categories.height:
            sold = sold_at(day, silver_order_versions, silver_order_item_versions).filter(c("day") > start)
            is_first = c("week") == 1
            units = of_units(forecasts.filter(is_first), categories.filter(is_first), sold)
            rows.append({"cut_off": day, "subject": UNITS, **units})
    return frame_of(WeeklyCalibration, [pl.DataFrame(rows)] if rows else [])


_WEEK_BEFORE = trailing(WEEK + 1)
asset = table_asset(
    WeeklyCalibration,
    transform,
    reads={
        "predictions_customer_value": _WEEK_BEFORE,
        "features_customer_histories": _WEEK_BEFORE,
        "predictions_demand_forecasts": _WEEK_BEFORE,
        "predictions_category_forecasts": _WEEK_BEFORE,
        "silver_order_versions": _WEEK_BEFORE,
        "silver_order_item_versions": _WEEK_BEFORE,
    },
)
