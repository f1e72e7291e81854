"""The first day on which something happened in landed files, as the start of a new shop's calendar."""

import datetime as dt

from ecom_assets.days import Window
from ecom_assets.engine.duckdb.parsing import bronze_query
from ecom_assets.feeds import feed_contracts
from ecom_assets.landing.reading import read
from ecom_assets.landing.zone import Zone
from ecom_assets.sql import connect, day_literal

STRAY_SHARE = 0.001
"""Share of a feed's rows that may be dated before the start: a mistyped year does not open decades of days."""
EARLIEST = dt.date(1990, 1, 1)
"""No shop on the internet is older: earlier days are those of clocks and columns that begin at 1900 or 1970."""
_ALWAYS = Window(dt.date(1000, 1, 1), dt.date.max)


def first_event(zone: Zone, shop_zone: str) -> dt.date | None:
    """Returns the earliest event day of a zone's files, in the shop's time zone; None if no row has one.

    Versions of customers, products, suppliers and campaigns do not count, since older ones are the state at the start;
    nor do days before EARLIEST, nor the earliest STRAY_SHARE of each feed's rows.
    """
    found = []
    with connect() as con:
        con.execute("set TimeZone = 'UTC'")
        for name in zone.feeds():
            feed, arrived_on = feed_contracts()[name], zone.days(name)
            if feed.is_versioned or not arrived_on:
                continue
            arrivals = zone.arrivals(name, arrived_on[0], arrived_on[-1])
            landed = [file for day in arrivals.values() for file in day]
            files = [file for file in landed if file.duplicate_of is None and not file.is_control]
            rows = bronze_query("landed", feed, feed.primary_key, "UTC", shop_zone, _ALWAYS)
            query = f"""
                select quantile_disc(event_on, {STRAY_SHARE}) from ({rows}) where event_on >= {day_literal(EARLIEST)}"""
            found += read(con, files, list(feed.columns)).query("landed", query).fetchall()
    return min((day for (day,) in found if day), default=None)
