"""Feed maps: a TOML file that turns a foreign export into our feeds, without code.

    [source]                                  # the files
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
column names, or { text = "-" }) or an ordinal (`ordinal`: the line's position among all readable lines of the file with
equal values in those columns, so that changing a condition renumbers nothing). If an export has the amount of a line
but not its unit price, `price_of = [amount, quantity]` is the lowest price with four decimals at which the units cost
at least the amount, and `rounding_of` the same two is the excess: the line's discount. Then, in this order, a value can
be changed by `strip_suffix`, `time_format`, `values`, `negate`, `abs`, and replaced by the first `when` that holds. In
a group, or `over` columns, `take` picks one of the values: first (the first that is not null), min, max, sum, count.
Numbers are exact decimals with up to six places, without exponent. A text that is not a valid number or time is landed
as sent; among several values, sum, min and max return such a text before any number, so that it is noticed.

Exports that write 1.234,50 declare it in [source]: `decimal = ","` and `thousands = "."`. This applies to the columns
that are read as numbers; in these, 12.50 is then quarantined rather than guessed.

Timestamps land in UTC, with their offset. Those sent without one are in the time zone of [source], e.g. `time_zone =
"Europe/Berlin"`, by default UTC: exports of several zones can share a feed. `currency`, in [source] too, is for readers
of the map only.

A source file is identified by its path below the folder, and replaces all rows of its earlier landings, on every day:
exports that contain only the latest lines need a new name each time.

A feed can have its own `files`. A lookup adds columns of other files to those of a line, null if it finds no match:

    [lookup.categories]
    files = "categories.csv"
    on = { category = "id" }                  # the line's column = the lookup's, unique there

    [feed.products.columns]
    category = "categories.name"

The calendar sets the first and last business day, if the shop has none yet, and the weekdays on which the feeds are
due, if feeds.toml in the landing zone does not set them; without `due`, every day:

    [calendar]
    start = 2024-01-01
    end = 2024-12-31
    due = ["mon", "tue", "wed", "thu", "fri"]

A fixed-width file needs the places of its columns: the first and last character of each, counted from 1:

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
