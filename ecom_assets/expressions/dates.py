"""Days as columns: months, and how far apart two days are."""

import narwhals as nw

CLOCK_TOLERANCE = "15m"
"""How far the clock of a visitor's device may be ahead of the shop's: an event until then happened before."""
_SECONDS_PER_DAY = 86_400


def days_between(earlier: nw.Expr, later: nw.Expr) -> nw.Expr:
    """Returns whole days from one date to another, as an integer; null if either is null."""
    apart = later.cast(nw.Datetime("us")) - earlier.cast(nw.Datetime("us"))
    return (apart.dt.total_seconds() // _SECONDS_PER_DAY).cast(nw.Int64)


def days_later(day: nw.Expr, days: int) -> nw.Expr:
    """Returns the date a number of days after a date."""
    return day.cast(nw.Datetime("us")).dt.offset_by(f"{days}d").cast(nw.Date)


def month_of(day: nw.Expr) -> nw.Expr:
    """Returns the first day of a date's month."""
    return day.dt.truncate("1mo").cast(nw.Date)


def months_between(earlier: nw.Expr, later: nw.Expr) -> nw.Expr:
    """Returns the months from the month of `earlier` to that of `later`, as an integer."""
    years = later.dt.year().cast(nw.Int64) - earlier.dt.year().cast(nw.Int64)
    return years * 12 + later.dt.month().cast(nw.Int64) - earlier.dt.month().cast(nw.Int64)


def is_month_end(day: nw.Expr) -> nw.Expr:
    """Returns whether a date is the last day of its month."""
    return days_later(day, 1).dt.day() == 1


def is_week_end(day: nw.Expr) -> nw.Expr:
    """Returns whether a date is a Sunday, the last day of an ISO week."""
    return day.dt.weekday() == 7
