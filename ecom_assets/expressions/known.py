"""What was known at a cut-off day: of each row the version that counted then."""

import datetime as dt
from collections.abc import Sequence

import narwhals as nw
import polars as pl

from ecom_assets.contract import RATE_IS_GOOD_FOR
from ecom_assets.expressions.dates import days_between, is_week_end
from ecom_assets.expressions.money import MONEY, extended, in_proportion, no_amount, total

PERIOD, PERIOD_END = 28, dt.date(1900, 1, 21)
"""Days of a period of four weeks, for which models are fitted and held out, and a Sunday with which one ends."""


def is_in_period_of(day: nw.Expr, cut_off: nw.Expr) -> nw.Expr:
    """Returns whether a day is in the period of a later one, or of itself."""
    return (_period(day) == _period(cut_off)) & (day <= cut_off)


def _period(day: nw.Expr) -> nw.Expr:
    return (days_between(nw.lit(PERIOD_END, nw.Date), day) + PERIOD - 1) // PERIOD


def cut_offs(days: nw.LazyFrame) -> nw.LazyFrame:
    """Returns the cut-off days among the days of a window, the Sundays, as `cut_off`."""
    return days.filter(is_week_end(nw.col("day"))).select(cut_off="day")


def cut_off_days(days: pl.DataFrame) -> list[dt.date]:
    """Returns the same as dates, in order."""
    return sorted(cut_offs(nw.from_native(days.lazy())).collect()["cut_off"])


def as_known(
    versions: nw.LazyFrame, at: nw.LazyFrame, *, key: Sequence[str], order: Sequence[str] = ()
) -> nw.LazyFrame:
    """Returns, per cut-off day and key, the version that counted at its end.

    Args:
        versions: Versions of rows, with `arrived_on`, unique in it and the key.
        at: The days, in the column `cut_off`.
        key: The columns that versions of a row share.
        order: The columns that say which version is the later; of equal ones the one that arrived last counts.
    """
    c, place = nw.col, [*order, "arrived_on"]
    first_of_rest = c("arrived_on").cum_min(reverse=True).over(*key, order_by=place)
    spans = versions.with_columns(_least=first_of_rest).with_columns(
        _until=c("_least").shift(-1).over(*key, order_by=place)
    )
    counts = (c("arrived_on") <= c("cut_off")) & (c("_until").is_null() | (c("cut_off") < c("_until")))
    return spans.join(at, how="cross").filter(counts).drop("_least", "_until")


def versions_at(cut_off: dt.date, versions: pl.DataFrame, *key: str, order: tuple[str, ...] = ()) -> pl.DataFrame:
    """Returns, per key, the version that counted at the end of a day, as `as_known` does: the last that had arrived."""
    arrived = versions.filter(pl.col("arrived_on") <= cut_off)
    return arrived.sort(*order, "arrived_on").unique(key, keep="last", maintain_order=True)


def order_values(orders: nw.LazyFrame, lines: nw.LazyFrame, rates: nw.LazyFrame) -> nw.LazyFrame:
    """Returns the orders with `value`: what they charge for their lines, without tax, in the shop's currency.

    Null if the order is in another currency of which no rate is known for its day or the 7 days before.

    Args:
        orders: Orders as known at each `cut_off`, columns as in `silver.order_versions`.
        lines: Lines as known, as in `silver.order_item_versions`.
        rates: Rates as known, as in `silver.rate_versions`.
    """
    c, one = nw.col, ["cut_off", "order_id"]
    lines_left = lines.filter(~c("is_retracted"), c("quantity") > 0)
    charged = (extended("quantity", "unit_price") - c("discount")).cast(MONEY)
    goods = lines_left.with_columns(goods=charged).group_by(one).agg(total("goods"))
    priced = (
        orders.join(goods, on=one, how="left")
        .with_columns(goods=(nw.coalesce("goods", no_amount()) - c("discount")).cast(MONEY))
        .with_columns(charged=(c("goods") + c("shipping")).cast(MONEY))
    )
    has_tax_within = c("is_taxed") & (c("goods") > 0) & (c("tax") > 0)
    tax = nw.coalesce(nw.when(has_tax_within).then(in_proportion("tax", "goods", "charged")), no_amount())
    foreign = orders.filter(~c("currency").is_null()).select(*one, "currency", "ordered_on")
    given = rates.filter(~c("rate").is_null())
    of_day = (
        foreign.join(given.select("cut_off", "currency", "rate_on", known_rate="rate"), on=["cut_off", "currency"])
        .filter(days_between(c("rate_on"), c("ordered_on")).is_between(0, RATE_IS_GOOD_FOR))
        .with_columns(latest=c("rate_on").max().over(one))
        .filter(c("rate_on") == c("latest"))
        .select(*one, "known_rate")
    )
    value = (c("goods") - tax).cast(MONEY)
    converted = (value.cast(nw.Float64) * nw.coalesce("rate", "known_rate").cast(nw.Float64)).round(4).cast(MONEY)
    return (
        priced.join(of_day, on=one, how="left")
        .with_columns(value=nw.when(c("currency").is_null()).then(value).otherwise(converted))
        .drop("goods", "charged", "known_rate")
    )
