"""Days on which a feed is unlike such days before: rows, amounts, hours and categories, with what would be noticed."""

import math

import narwhals as nw

from ecom_assets.contract import Date, Table, column, contract, expectation, key
from ecom_assets.days import trailing
from ecom_assets.expressions.dates import days_between
from ecom_assets.kpi._profiles import (
    ALL,
    AMOUNTS,
    CAMPAIGNS,
    DELAY,
    HOUR,
    IN_HOURS,
    LATEST,
    MEASURES,
    OF_ORDERS,
    ROWS,
    TOGETHER,
    rounded,
)
from ecom_assets.table_asset import table_asset

WEEKS = 8
DAYS_BEFORE = 7 * WEEKS
FEWEST_DAYS, FEWEST_WEEKDAYS = 21, 3
"""Days before, and of them of the same weekday, without which nothing is said."""
RECENT_DAYS = 14
DEVIATIONS = 5.0
"""Standard deviations, estimated from the median of absolute deviations, by which an unusual value is off."""
PER_MEDIAN_DEVIATION = 1.4826 * 1.1
"""Standard deviations of a normal law per median absolute deviation, and a tenth more for the few days."""
LEAST_RATIO = {ROWS: 1.5, **dict.fromkeys(AMOUNTS, 1.25)}
"""No smaller rise than by this factor, nor a fall to its inverse, is unusual, however equal the days are."""
LEAST_SPREAD = 0.5
"""Deviation of the logarithm of a single amount, however equal the medians of days: they are if many prices are one."""
IN_CAMPAIGN = 2.0
"""The same of amounts on days of campaigns, which bring discounts and other products."""
LEAST_HOURS = {HOUR: 1.5, LATEST: 1.5, DELAY: 0.75}
"""The same in hours."""
ALIKE = [ROWS, HOUR, LATEST]
"""Measures by which feeds that rise and fall together are judged against each other."""
MOST_HOURS_ALIKE = 1.0
"""By so much, all hours of a day in UTC move if the shop's clocks change."""
FEWEST_FEEDS = 3
"""Feeds that rise and fall together, without which they say nothing of each other."""
FEWEST_LEFT = 1e-3
"""The share of the expected rows below which a limit is none."""
ROWS_OF_CATEGORY, VANISHED = 20.0, 0.2
"""Rows that are expected of a category that may not vanish, and the share of them below which it has: late rows of it
still come. By chance, about one day in 300,000 has as few."""


class DailyAnomalies(Table, primary_key=("day", "feed", "measure", "category"), partition_column="day"):
    """One row per day, feed, measure and category with at least 21 comparable days in the 56 before.

    Expected are, for rows and amounts, the median of the same weekday in 8 weeks, moved to the level of the last 14
    days; for hours, the median of the days before; for a category, its share of the feed's rows. The day itself is not
    among them, nor are days of campaigns, on which more rows are usual. Amounts and hours of few rows may be off by
    more: their limits shrink with the root of the number of rows. Fewer or more rows are unusual only if the feeds that
    rise and fall together do not agree: a quiet holiday is none; and so is an hour by which all of them are off, since
    clocks change. A day without any row of a feed is not judged here, since a due file is missing then, nor are
    payments, lines and shipments of a day without orders found to be few. A day is judged when it is made, and again
    when late rows change it.
    """

    day: Date = key("Business day")
    feed: str = key("Feed")
    measure: str = key("What is measured", isin=MEASURES)
    category: str = key("Column and value, such as channel=web; “(all)” for all rows of the feed")
    anomalies: int = column(
        "One if the value is below the lowest or above the highest usual one, otherwise zero; of amounts only if both "
        "measures of the feed are",
        ge=0,
    )
    value: float = column("Rows, amount in the shop's currency, or hours")
    expected: float = column("The value that the days before lead to expect")
    lowest: float = column("Lowest usual value; null if none is too low", nullable=True)
    highest: float = column("Highest usual value; null if none is too high", nullable=True)
    least_change: float = column(
        "Smallest change that would be noticed on the day: the share of the expected value by which it falls, or "
        "hours; null if none would be",
        nullable=True,
    )
    days_before: int = column("Days that it is compared with", ge=FEWEST_DAYS)

    @expectation
    def as_many_rows_as_usual(cls) -> nw.Expr:
        """The day has as many rows of the feed as such days before, within the usual limits."""
        return _is_usual((nw.col("measure") == ROWS) & (nw.col("category") == ALL))

    @expectation
    def no_category_vanished(cls) -> nw.Expr:
        """No category of the feed's rows that is usual has vanished."""
        return _is_usual((nw.col("measure") == ROWS) & (nw.col("category") != ALL))

    @expectation
    def amounts_of_the_usual_size(cls) -> nw.Expr:
        """Amounts are of the size of such days before: in the same unit and currency, and not off by a factor."""
        return _is_usual(nw.col("measure").is_in(AMOUNTS))

    @expectation
    def hours_as_usual(cls) -> nw.Expr:
        """The rows' moments are spread over the day as on days before: in the same time zone, up to its end."""
        return _is_usual(nw.col("measure").is_in([HOUR, LATEST]))

    @expectation
    def delay_as_usual(cls) -> nw.Expr:
        """Rows about orders follow them after the usual hours: both feeds have the same clock."""
        return _is_usual(nw.col("measure") == DELAY)


def _is_usual(about: nw.Expr) -> nw.Expr:
    return ~about | (nw.col("anomalies") == 0)


SERIES = ["feed", "measure", "category"]


def _least(limits: dict[str, float]) -> nw.Expr:
    found = nw.lit(0.0)
    for measure, least in limits.items():
        found = nw.when(nw.col("measure") == measure).then(nw.lit(least)).otherwise(found)
    return found


def comparable(profiles: nw.LazyFrame, days: nw.LazyFrame) -> nw.LazyFrame:
    """Returns for each of the days the values of the days before, but for those of campaigns, by `before_on`."""
    c = nw.col
    campaigns = profiles.filter(c("feed") == CAMPAIGNS).select("day")
    before = (
        profiles.filter(c("feed") != CAMPAIGNS)
        .join(campaigns, on="day", how="anti")
        .with_columns(before_on="day")
        .drop("day")
    )
    return (
        days.join(before, how="cross")
        .with_columns(age=days_between(c("before_on"), c("day")))
        .filter(c("age").is_between(1, DAYS_BEFORE))
        .with_columns(
            weekday=nw.when(c("measure").is_in(IN_HOURS)).then(0).otherwise(c("before_on").dt.weekday()),
            size=nw.when(c("measure").is_in(IN_HOURS)).then(c("value")).otherwise(c("value").clip(0.0001).log()),
            weight=_weight(),
        )
    )


def _weight() -> nw.Expr:
    """Returns by what the deviations of a value shrink with the rows that it is made of; a number of rows is one."""
    return nw.when(nw.col("measure") == ROWS).then(nw.lit(1.0)).otherwise(nw.col("rows").cast(nw.Float64) ** 0.5)


def transform(kpi_daily_profiles: nw.LazyFrame, days: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    by = ["day", *SERIES]
    before = comparable(kpi_daily_profiles, days)
    whole, parts = before.filter(c("category") == ALL), before.filter(c("category") != ALL)
    of_weekday = whole.group_by(*by, "weekday").agg(of_weekday=c("size").median(), weekdays=nw.len().cast(nw.Int64))
    apart = whole.join(of_weekday, on=[*by, "weekday"]).with_columns(apart=c("size") - c("of_weekday"))
    spread = apart.group_by(by).agg(
        median_deviation=(c("apart").abs() * c("weight")).median(), days_before=nw.len().cast(nw.Int64)
    )
    level = apart.filter(c("age") <= RECENT_DAYS).group_by(by).agg(level=c("apart").median())
    today = kpi_daily_profiles.join(days, on="day", how="semi").filter(c("feed") != CAMPAIGNS)
    is_campaign = kpi_daily_profiles.filter(c("feed") == CAMPAIGNS).select("day", is_campaign=nw.lit(value=True))
    in_hours, is_size = c("measure").is_in(IN_HOURS), c("measure").is_in(AMOUNTS)
    judged = (
        today.filter(c("category") == ALL)
        .with_columns(
            weekday=nw.when(in_hours).then(0).otherwise(c("day").dt.weekday()),
            size=nw.when(in_hours).then(c("value")).otherwise(c("value").clip(0.0001).log()),
        )
        .join(of_weekday, on=[*by, "weekday"])
        .join(spread, on=by)
        .join(level, on=by, how="left")
        .join(is_campaign, on="day", how="left")
        .filter(c("days_before") >= FEWEST_DAYS, c("weekdays") >= FEWEST_WEEKDAYS)
        .with_columns(due=c("of_weekday") + nw.coalesce(c("level"), nw.lit(0.0)))
        .with_columns(
            of_root=nw.when(c("measure") == ROWS).then(DEVIATIONS / 2 * (-c("due") / 2).exp()).otherwise(nw.lit(0.0)),
            of_few=nw.when(c("measure").is_in(AMOUNTS)).then(DEVIATIONS * LEAST_SPREAD).otherwise(nw.lit(0.0))
            / _weight(),
            least=nw.when(in_hours)
            .then(_least(LEAST_HOURS))
            .when(~c("is_campaign").is_null() & is_size)
            .then(nw.lit(math.log(IN_CAMPAIGN)))
            .otherwise(_least(LEAST_RATIO).clip(1.0).log()),
        )
        .with_columns(
            band=nw.max_horizontal(
                DEVIATIONS * PER_MEDIAN_DEVIATION * c("median_deviation") / _weight(),
                c("of_few"),
                c("least"),
            ),
            off=c("size") - c("due"),
        )
        .with_columns(
            down=nw.max_horizontal(c("band"), -2 * (1 - c("of_root")).clip(FEWEST_LEFT**0.5).log()),
            up=nw.max_horizontal(c("band"), 2 * c("of_root")),
        )
    )
    common = (
        judged.filter(c("measure").is_in(ALIKE), c("feed").is_in(TOGETHER))
        .group_by("day", "measure")
        .agg(common=c("off").median(), feeds=nw.len())
        .filter(c("feeds") >= FEWEST_FEEDS)
        .with_columns(
            common=nw.when(c("measure") == ROWS)
            .then(c("common"))
            .otherwise(c("common").clip(-MOST_HOURS_ALIKE, MOST_HOURS_ALIKE))
        )
    )
    with_orders = today.filter(c("feed") == "orders", c("measure") == ROWS, c("category") == ALL)
    goes_along = c("measure").is_in(ALIKE) & c("feed").is_in(TOGETHER)
    measured = (
        judged.join(common, on=["day", "measure"], how="left")
        .join(with_orders.select("day", has_orders=nw.lit(value=True)), on="day", how="left")
        .with_columns(common=nw.when(goes_along).then(nw.coalesce(c("common"), nw.lit(0.0))).otherwise(nw.lit(0.0)))
        .with_columns(
            low=c("due") - c("down") + nw.min_horizontal(c("common"), nw.lit(0.0)),
            high=c("due") + c("up") + nw.max_horizontal(c("common"), nw.lit(0.0)),
            may_rise=c("is_campaign").is_null() | (c("measure") != ROWS),
            may_fall=~c("has_orders").is_null() | (c("measure") != ROWS) | ~c("feed").is_in(OF_ORDERS),
        )
        .with_columns(
            expected=_of_size(c("due")),
            lowest=nw.when(c("may_fall")).then(_of_size(c("low"))),
            highest=nw.when(c("may_rise")).then(_of_size(c("high"))),
            least_change=nw.when(in_hours)
            .then(c("due") - c("low"))
            .when(c("may_fall"))
            .then(1 - (c("low") - c("due")).exp()),
        )
    )
    shares = (
        parts.join(
            whole.filter(c("measure") == ROWS).select("day", "feed", "before_on", rows_of_feed="value"),
            on=["day", "feed", "before_on"],
        )
        .group_by(by)
        .agg(share=(c("value") / c("rows_of_feed")).median(), days_before=nw.len().cast(nw.Int64))
        .filter(c("days_before") >= FEWEST_DAYS)
    )
    totals = today.filter(c("measure") == ROWS, c("category") == ALL).select("day", "feed", rows_of_feed="value")
    categories = (
        shares.join(totals, on=["day", "feed"])
        .join(today.select(*by, "value"), on=by, how="left")
        .with_columns(value=nw.coalesce(c("value"), nw.lit(0.0)), expected=c("share") * c("rows_of_feed"))
        .with_columns(
            lowest=nw.when(c("expected") >= ROWS_OF_CATEGORY).then(VANISHED * c("expected")),
            highest=nw.lit(None, nw.Float64),
            least_change=nw.when(c("expected") >= ROWS_OF_CATEGORY).then(nw.lit(1 - VANISHED)),
        )
    )
    names = [*by, "value", "expected", "lowest", "highest", "least_change", "days_before"]
    numbers = ["value", "expected", "lowest", "highest", "least_change"]
    is_off = (c("value") < c("lowest")).fill_null(value=False) | (c("value") > c("highest")).fill_null(value=False)
    every = (
        nw.concat([measured.select(*names), categories.select(*names)])
        .with_columns(rounded(c(name)).alias(name) for name in numbers)
        .with_columns(anomalies=is_off.cast(nw.Int64))
    )
    sizes = every.filter(is_size).group_by("day", "feed").agg(all_off=c("anomalies").min())
    return (
        every.join(sizes, on=["day", "feed"], how="left")
        .with_columns(anomalies=nw.when(is_size).then(c("all_off")).otherwise(c("anomalies")))
        .select(*contract(DailyAnomalies).columns)
    )


def _of_size(size: nw.Expr) -> nw.Expr:
    """Returns the value of a size: hours as they are, anything else from its logarithm."""
    return nw.when(nw.col("measure").is_in(IN_HOURS)).then(size).otherwise(size.exp())


asset = table_asset(DailyAnomalies, transform, reads={"kpi_daily_profiles": trailing(DAYS_BEFORE + 1)})
