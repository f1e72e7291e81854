"""Own data without code: a TOML file says how a foreign export becomes our feeds.

    [source]                                  # what the files are
    files = "*.csv.gz"                        # pattern below the folder
    arrival_day = { file_name = "{day}.csv.gz" }

    [feed.orders]                             # one table per feed
    where = [{ column = "InvoiceNo", not_starts_with = "C" }]
    group_by = ["InvoiceNo"]                  # one row per group and file; without it one per line

    [feed.orders.columns]                     # ours = theirs
    order_id = "InvoiceNo"
    ordered_at = { from = "InvoiceDate", take = "min" }
    status = { constant = "paid" }

A value starts as a source column (`from`), a `constant`, a product (`multiply`), joined text (`concat`; its parts are
column names, or { text = "-" }) or an ordinal (`ordinal`: the line's place among all readable lines of the file with
equal values in those columns, so that changing a condition renumbers nothing). Where an export tells what a line costs
but not a unit, `price_of = [amount, quantity]` is the least price with four decimals at which the units cost no less,
and `rounding_of` the same two what they cost more: the line's discount. Then, in this order, a value may be changed by
`strip_suffix`, `time_format`, `values`, `negate`, `abs`, and replaced by the first `when` that holds.
In a group, or `over` columns, `take` picks one of the values: first (the first that is not null), min, max, sum, count.
Numbers are exact decimals of up to six places, without exponent. What is no such number, or no time, where one is
wanted passes as it was sent; among several values, sum, min and max give it before any number, so that it is seen.

Exports that write 1.234,50 say so in [source]: `decimal = ","` and `thousands = "."`. It counts for the columns that
are read as numbers; among these, 12.50 is then set aside rather than guessed at.

Moments land in UTC, with their offset. Those that are sent without one are of the time zone that [source] names, as
`time_zone = "Europe/Berlin"`, else of UTC: exports of several zones may go into one feed. There too, `currency` says
in what the amounts are, for those who read the map.

A source file, told by its path below the folder, replaces whatever it gave when it was landed before, on every day:
exports that hold the latest lines only need a name of their own each time.

A feed may take `files` of its own. Columns of other files come beside those of a line by a lookup, and are null where
it finds nothing:

    [lookup.categories]
    files = "categories.csv"
    on = { category = "id" }                  # the line's column = the lookup's, which no two of its lines share

    [feed.products.columns]
    category = "categories.name"

The calendar tells the first and last business day, where none stands yet, and the weekdays on which the feeds are due,
where feeds.toml in the landing zone says nothing of them; without `due` that is every day:

    [calendar]
    start = 2024-01-01
    end = 2024-12-31
    due = ["mon", "tue", "wed", "thu", "fri"]

A file of fixed width needs the places of its columns, the first and last character of each, counted from 1:

    [source]
    format = "fixed"
    heading_lines = 1
    places = { customer = [2, 6], day = [8, 15] }
"""

from ecom_assets.sources.feed_map.landing import land
from ecom_assets.sources.feed_map.model import FeedMap
from ecom_assets.sources.feed_map.reader import load_map
from ecom_assets.sources.feed_map.report import LandReport
from ecom_assets.sources.feed_map.sources import NothingToLand
from ecom_assets.sources.feed_map.toml_text import FeedMapError

__all__ = ["FeedMap", "FeedMapError", "LandReport", "NothingToLand", "land", "load_map"]
