"""Anomalies of whole feed-days that the synthetic shop can plant, each beside a near miss that is legitimate.

A single row's defects are in `shop.faults`. Here a file is missing, repeated or cut, or all of its rows are shifted: a
plant returns the files of a day that differ from those that the shop would land.
"""

import datetime as dt
import gzip
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import polars as pl

from ecom_assets.landing.control_totals import SUFFIX
from ecom_assets.shop.draws import generator
from ecom_assets.sources.synthetic import encoded, file_name

Changes = Mapping[tuple[str, str], bytes | None]
"""The files that differ, by feed and name; None for one that does not land."""
STOCK, HALF, FEW = "inventory_movements", 0.5, 0.03
EXACT, SHIFT = 1.0, 0.99
"""The recall to reach of kinds that feeds or files show exactly, and of prices, currencies and time zones."""


@dataclass(frozen=True)
class FeedDay:
    """What the shop would land on a day, and what it landed on the day before, by feed."""

    day: dt.date
    rows: Mapping[str, pl.DataFrame]
    rows_before: Mapping[str, pl.DataFrame]
    seed: int

    def name(self, feed: str) -> str:
        """Returns the name of a feed's file."""
        return file_name(feed, self.day)

    def data(self, feed: str) -> bytes:
        """Returns the bytes of a feed's file."""
        return encoded(feed, self.rows[feed])

    def chosen(self, feed: str, share: float) -> pl.Series:
        """Returns which rows of a feed are among a share of them, at random."""
        draws = generator(self.seed, f"anomalies in {feed}", self.day.toordinal()).random(self.rows[feed].height)
        return pl.Series(draws < share)


Plant = Callable[[FeedDay], Changes]


@dataclass(frozen=True)
class Evidence:
    """Where an anomaly shows: a table, and a rule that is broken on a day, or that the day is not stored.

    `days` is how many days after the arrival day, negative for before. Without a rule the table's day has failed or is
    provisional; with `rows`, half of the planted file's rows are there.
    """

    table: str
    rule: str = ""
    days: int = 0
    rows: bool = False


@dataclass(frozen=True)
class Anomaly:
    """A kind of anomaly: the feeds whose files it changes, how, its near miss, and where it shows: any of these.

    If it `stays`, half of the orders have no row in its feed on later days either. `goal` is the recall to reach, 0 to
    1; None for a kind that is noticed by its size alone, of which a share is missed: `limit` says the smallest change
    that is noticed.
    """

    name: str
    feeds: tuple[str, ...]
    plant: Plant
    near_miss: Plant
    shows: tuple[Evidence, ...]
    stays: bool = False
    goal: float | None = EXACT
    limit: str = ""

    def gone(self, day: FeedDay) -> pl.Series:
        """Returns the orders whose rows do not come on later days."""
        return numbers_of(self.feeds[0], HALF, day)


def _changed(feed: str, change: Callable[[FeedDay, pl.DataFrame], pl.DataFrame], day: FeedDay) -> Changes:
    return {(feed, day.name(feed)): encoded(feed, change(day, day.rows[feed]))}


def rows_of(feed: str, change: Callable[[FeedDay, pl.DataFrame], pl.DataFrame]) -> Plant:
    """Returns the plant that changes the rows of one feed."""
    return partial(_changed, feed, change)


def bytes_of(feed: str, change: Callable[[FeedDay, bytes], bytes]) -> Plant:
    """Returns the plant that changes the bytes of one feed's file."""
    return lambda day: {(feed, day.name(feed)): change(day, day.data(feed))}


def lost(feed: str, share: float) -> Plant:
    """Returns the plant in which a share of a feed's rows is missing."""
    return rows_of(feed, lambda day, rows: rows.filter(~day.chosen(feed, share)))


def numbers_of(feed: str, share: float, day: FeedDay) -> pl.Series:
    """Returns a share of the orders that a feed's file is about, at random."""
    numbers = day.rows[feed]["order_id"].unique(maintain_order=True)
    draws = generator(day.seed, f"lost orders in {feed}", day.day.toordinal()).random(len(numbers))
    return numbers.filter(pl.Series(draws < share))


def lost_orders(feed: str, share: float) -> Plant:
    """Returns the plant in which a share of the orders has no row in a feed."""

    def change(day: FeedDay, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.filter(~pl.col("order_id").is_in(numbers_of(feed, share, day).implode()))

    return rows_of(feed, change)


def times(feed: str, columns: tuple[str, ...], factor: str) -> Plant:
    """Returns the plant in which amounts are multiplied by a factor."""
    multiplied = (pl.col(columns).cast(pl.Float64) * float(factor)).round(2).cast(pl.Decimal(18, 4))
    return rows_of(feed, lambda day, rows: rows.with_columns(multiplied))


def shifted(feed: str, columns: tuple[str, ...], minutes: int) -> Plant:
    """Returns the plant in which moments are some minutes later."""
    return rows_of(feed, lambda day, rows: rows.with_columns(pl.col(columns).dt.offset_by(f"{minutes}m")))


def until(feed: str, moment: str, hour: int) -> Plant:
    """Returns the plant in which a feed's rows of the day itself end at an hour."""

    def change(day: FeedDay, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.filter(pl.col(moment) < dt.datetime.combine(day.day, dt.time(hour)))

    return rows_of(feed, change)


def without_values(feed: str, column: str, *values: str) -> Plant:
    """Returns the plant in which a feed has no rows with some values."""
    return rows_of(feed, lambda day, rows: rows.filter(~pl.col(column).is_in(values).fill_null(value=False)))


def _with_control(feed: str, keep: float, column: str, off: str, day: FeedDay) -> Changes:
    rows = day.rows[feed]
    total = rows[column].cast(pl.Decimal(38, 4)).sum() if rows.height else 0
    stated = {"rows": rows.height, "sums": {column: str(float(total) + float(off))}}
    data = encoded(feed, rows.filter(~day.chosen(feed, 1 - keep)) if keep < 1 else rows)
    return {(feed, day.name(feed)): data, (feed, day.name(feed) + SUFFIX): json.dumps(stated).encode()}


def _is_again(feed: str, name: str, day: FeedDay) -> Changes:
    return {(feed, name.format(day=day.day)): day.data(feed)}


def _before_again(feed: str, day: FeedDay) -> Changes:
    return {(feed, day.name(feed)): encoded(feed, day.rows_before[feed])}


def _under_the_name_of_the_day_before(day: FeedDay) -> Changes:
    before = file_name(STOCK, day.day - dt.timedelta(days=1))
    return {(STOCK, day.name(STOCK)): None, (STOCK, before): day.data(STOCK)}


def _before_too(feed: str, change: pl.Expr | None, day: FeedDay) -> Changes:
    """Yesterday's rows in another order after today's, perhaps as corrections."""
    before = day.rows_before[feed].reverse()
    again = before if change is None else before.with_columns(change)
    return {(feed, day.name(feed)): encoded(feed, pl.concat([day.rows[feed], again]))}


def _unknown_orders(feed: str, share: float) -> Plant:
    renamed = pl.concat_str(pl.lit("X"), "order_id")

    def change(day: FeedDay, rows: pl.DataFrame) -> pl.DataFrame:
        unknown = day.chosen(feed, share) & rows["order_id"].is_not_null()
        return rows.with_columns(order_id=pl.when(unknown).then(renamed).otherwise("order_id"))

    return rows_of(feed, change)


def _renamed(feed: str, names: Mapping[str, str]) -> Plant:
    return rows_of(feed, lambda day, rows: rows.rename(dict(names)))


def _robots(visits: float) -> Plant:
    """Returns the plant in which so many times the day's events come once more, from devices of robots."""

    def change(day: FeedDay, rows: pl.DataFrame) -> pl.DataFrame:
        parts = [rows]
        for number in range(math.ceil(visits)):
            robot = pl.lit(f"robot{number}-")
            chosen = rows.filter(day.chosen("events", visits - number), pl.col("order_id").is_null())
            parts.append(
                chosen.with_columns(pl.concat_str(robot, name).alias(name) for name in ("event_id", "anonymous_id"))
            )
        return pl.concat(parts)

    return rows_of("events", change)


def _doubled_orders(share: float) -> Plant:
    """Returns the plant in which a share of the day's orders comes again under new numbers, with lines and payments."""

    def plant(day: FeedDay) -> Changes:
        placed = day.rows["orders"].filter(pl.col("ordered_at").dt.date() == day.day)
        orders = placed["order_id"].unique(maintain_order=True)
        draws = generator(day.seed, "doubled orders", day.day.toordinal()).random(len(orders))
        chosen = orders.filter(pl.Series(draws < share)).implode()
        changes = {}
        for feed, keys in (
            ("orders", ()),
            ("order_items", ()),
            ("payments", ("payment_id",)),
            ("shipments", ("shipment_id",)),
        ):
            rows = day.rows[feed]
            again = rows.filter(pl.col("order_id").is_in(chosen)).with_columns(
                pl.concat_str(pl.lit("N"), name).alias(name) for name in ("order_id", *keys)
            )
            changes[feed, day.name(feed)] = encoded(feed, pl.concat([rows, again]))
        return changes

    return plant


def _off_totals(by: str) -> Plant:
    amount = pl.col("total") + pl.lit(by).cast(pl.Decimal(18, 4))
    return rows_of("orders", lambda day, rows: rows.with_columns(total=amount.cast(pl.Decimal(18, 4))))


def _spoiled(feed: str, part: float, spoil: Callable[[bytes], bytes]) -> Plant:
    def change(day: FeedDay, data: bytes) -> bytes:
        head, *lines = data.splitlines(keepends=True)
        draws = generator(day.seed, f"spoiled {feed}", day.day.toordinal()).random(len(lines))
        return b"".join(
            [head, *(spoil(line) if draw < part else line for line, draw in zip(lines, draws, strict=True))]
        )

    return bytes_of(feed, change)


def _cut(part: float, day: FeedDay, data: bytes) -> bytes:
    return data[: int(len(data) * part)]


_RECONCILED, _UNLIKE = "kpi.feed_agreement", "kpi.daily_anomalies"
_HAS_LINES = "Of the day's orders, at most one in five, or five, have no line."
_HAS_SUBTOTAL = (
    "Of the day's orders with lines, at most one in five, or five, have lines that miss its subtotal by 1 %."
)
_HAS_SHIPMENT = "Of the day's orders that are shipped or delivered, at most one in five, or five, have no shipment."
_HAS_PAYMENT = "Of the day's orders that are paid, at most one in five, or five, have no payment."
_HAS_TOTAL = "Of the day's orders with payments, at most one in five, or five, have some that miss its total by 1 %."
_IS_KNOWN = "Of the orders that the day's events complete, at most one in five, or five, are in no row of orders."
_ONCE = "Of the day's orders of known customers, at most one in five, or five, equal one under another number."
_ROWS = "The day has as many rows of the feed as such days before, within the usual limits."
_CATEGORY = "No category of the feed's rows that is usual has vanished."
_SIZE = "Amounts are of the size of such days before: in the same unit and currency, and not off by a factor."
_SPREAD = "The rows' moments are spread over the day as on days before: in the same time zone, up to its end."
_CLOCK = "Rows about orders follow them after the usual hours: both feeds have the same clock."
_PROMISED = "As many files arrive as are promised."
_TOTALS = "Every file has the rows and sums of its control totals."
_OF_BEFORE = "No file is that of the day before again."
_NEW = "No file repeats an earlier one."
_REPEATS = "No file repeats most of the rows of another one."
_READ = "Every record can be read."

_OWN_ROWS = (
    "No other feed names each event, so only their number shows it: a loss of a third at least, and of more where the "
    "days before differ; least_change says of how much on the day. On days of campaigns it is compared with other days."
)

CORRECTED = pl.col("updated_at").dt.offset_by("1d")


def _unlike(rule: str, *more: Evidence) -> tuple[Evidence, ...]:
    return (Evidence(_UNLIKE, rule), *more)


def _apart(rule: str, *more: Evidence) -> tuple[Evidence, ...]:
    return (Evidence(_RECONCILED, rule), *more)


def _failed(feed: str) -> Evidence:
    return Evidence(f"silver.{feed}")


CORE = [
    Anomaly(
        "orders_without_lines",
        ("order_items",),
        lost_orders("order_items", HALF),
        lost_orders("order_items", FEW),
        _apart(_HAS_LINES),
    ),
    Anomaly(
        "half_of_the_lines_lost",
        ("order_items",),
        lost("order_items", HALF),
        lost("order_items", FEW),
        _apart(_HAS_SUBTOTAL),
    ),
    Anomaly(
        "half_of_the_orders_lost",
        ("orders",),
        lost_orders("orders", HALF),
        lost_orders("orders", FEW),
        _apart(_IS_KNOWN, _failed("order_items")),
        stays=True,
    ),
    Anomaly(
        "half_of_the_payments_lost",
        ("payments",),
        lost_orders("payments", HALF),
        lost_orders("payments", FEW),
        _apart(_HAS_PAYMENT),
        stays=True,
    ),
    Anomaly(
        "half_of_the_shipments_lost",
        ("shipments",),
        lost_orders("shipments", HALF),
        lost_orders("shipments", FEW),
        _apart(_HAS_SHIPMENT),
        stays=True,
    ),
    Anomaly(
        "events_of_unknown_orders",
        ("events",),
        _unknown_orders("events", 1.0),
        _unknown_orders("events", FEW),
        _apart(_IS_KNOWN),
    ),
    Anomaly(
        "orphans",
        ("payments",),
        _unknown_orders("payments", HALF),
        _unknown_orders("payments", 0.02),
        (_failed("payments"), Evidence(_RECONCILED, _HAS_PAYMENT)),
    ),
    Anomaly(
        "prices_off_by_a_factor",
        ("order_items",),
        times("order_items", ("unit_price", "discount"), "100"),
        times("order_items", ("unit_price", "discount"), "1.005"),
        _unlike(_SIZE, Evidence(_RECONCILED, _HAS_SUBTOTAL)),
        goal=SHIFT,
    ),
    Anomaly(
        "another_currency",
        ("payments",),
        times("payments", ("amount",), "11.2"),
        times("payments", ("amount",), "1.005"),
        _unlike(_SIZE, Evidence(_RECONCILED, _HAS_TOTAL)),
        goal=SHIFT,
    ),
    Anomaly(
        "another_unit",
        ("order_items",),
        times("order_items", ("quantity",), "1000"),
        times("order_items", ("quantity",), "1"),
        _apart(_HAS_SUBTOTAL),
    ),
    Anomaly(
        "time_zone_of_payments",
        ("payments",),
        shifted("payments", ("paid_at", "updated_at"), 120),
        shifted("payments", ("paid_at", "updated_at"), 20),
        _unlike(_CLOCK),
        goal=SHIFT,
        limit="Hours from orders to payments show it from three quarters of an hour on, or more where days differ.",
    ),
    Anomaly(
        "swapped_columns",
        ("orders",),
        _renamed("orders", {"status": "channel", "channel": "status"}),
        rows_of("orders", lambda day, rows: rows.select(rows.columns[::-1])),
        (_failed("orders"), Evidence("quarantine.orders", rows=True)),
    ),
    Anomaly(
        "schema_drift",
        ("orders",),
        _renamed("orders", {"ordered_at": "placed_at"}),
        rows_of("orders", lambda day, rows: rows.with_columns(note=pl.lit("new"))),
        (_failed("orders"), Evidence("quarantine.orders", rows=True)),
    ),
    Anomaly(
        "broken_sums",
        ("orders",),
        _off_totals("1"),
        _off_totals("0.03"),
        (_failed("orders"), Evidence("quarantine.orders", rows=True)),
    ),
    Anomaly(
        "encoding_damage",
        ("orders",),
        _spoiled("orders", HALF, lambda line: line.replace(b"O", b"\xff\xfe", 1)),
        bytes_of("orders", lambda day, data: b"\xef\xbb\xbf" + data),
        (Evidence("bronze.orders", _READ), _failed("orders")),
    ),
    Anomaly(
        "orders_again_under_new_ids",
        ("orders", "order_items", "payments", "shipments"),
        _doubled_orders(HALF),
        _doubled_orders(FEW),
        _apart(_ONCE),
    ),
]
"""Anomalies of feeds that refer to each other: one a day."""

OF_EVENTS = [
    Anomaly(
        "half_of_the_events_lost",
        ("events",),
        lost("events", HALF),
        lost("events", FEW),
        _unlike(_ROWS),
        goal=None,
        limit=_OWN_ROWS,
    ),
    Anomaly(
        "stops_at_noon",
        ("events",),
        until("events", "occurred_at", 12),
        until("events", "occurred_at", 23),
        _unlike(_SPREAD, Evidence(_UNLIKE, _ROWS)),
        goal=None,
        limit="The hour of the last twentieth shows it from an hour and a half on.",
    ),
    Anomaly(
        "time_zone_of_events",
        ("events",),
        shifted("events", ("occurred_at",), -180),
        shifted("events", ("occurred_at",), -20),
        _unlike(_CLOCK, Evidence(_UNLIKE, _SPREAD)),
        goal=SHIFT,
    ),
    Anomaly(
        "category_vanished",
        ("events",),
        without_values("events", "device", "mobile"),
        lost("events", FEW),
        _unlike(_CATEGORY),
        goal=None,
        limit="A category shows from 20 expected rows on, if fewer than a fifth of them are left.",
    ),
    Anomaly(
        "very_late_rows",
        ("events",),
        lost("events", 0.8),
        lost("events", 0.05),
        _unlike(_ROWS),
        goal=None,
        limit=_OWN_ROWS,
    ),
    Anomaly("bot_traffic", ("events",), _robots(2.0), _robots(0.2), _unlike(_ROWS), goal=None, limit=_OWN_ROWS),
]
"""Anomalies that events show by themselves, against events of days before."""

ASIDE = [
    Anomaly(
        "refunds_in_cents",
        ("returns",),
        times("returns", ("amount",), "100"),
        times("returns", ("amount",), "1.08"),
        _unlike(_SIZE),
        goal=SHIFT,
    ),
    Anomaly(
        "nothing_arrived",
        (STOCK,),
        lambda day: {(STOCK, day.name(STOCK)): None},
        rows_of(STOCK, lambda day, rows: rows.clear()),
        (Evidence(f"bronze.{STOCK}"),),
    ),
    Anomaly(
        "fewer_files_than_promised",
        ("reviews",),
        lambda day: {("reviews", f"second-{day.day}.jsonl.gz"): None},
        lambda day: {("reviews", "third.jsonl.gz"): encoded("reviews", day.rows["reviews"].clear())},
        (Evidence("bronze.reviews", _PROMISED),),
    ),
    Anomaly(
        "same_bytes_again",
        (STOCK,),
        lambda day: {**_is_again(STOCK, "again-{day}.parquet", day)},
        lambda day: {(STOCK, "empty.parquet"): encoded(STOCK, day.rows[STOCK].clear())},
        (Evidence(f"bronze.{STOCK}", _NEW),),
    ),
    Anomaly(
        "file_of_the_day_before",
        (STOCK,),
        partial(_before_again, STOCK),
        _under_the_name_of_the_day_before,
        (Evidence(f"bronze.{STOCK}", _OF_BEFORE),),
    ),
    Anomaly(
        "keys_seen_before",
        ("payments",),
        partial(_before_too, "payments", None),
        partial(_before_too, "payments", CORRECTED),
        (Evidence("silver.payments", _REPEATS, -1),),
    ),
    Anomaly(
        "rows_short_of_the_control",
        (STOCK,),
        partial(_with_control, STOCK, 0.9, "quantity", "0"),
        partial(_with_control, STOCK, 1.0, "quantity", "0"),
        (Evidence(f"bronze.{STOCK}", _TOTALS),),
    ),
    Anomaly(
        "sums_off_the_control",
        ("returns",),
        partial(_with_control, "returns", 1.0, "amount", "0.01"),
        partial(_with_control, "returns", 1.0, "amount", "0.001"),
        (Evidence("bronze.returns", _TOTALS),),
    ),
    Anomaly(
        "truncated_file",
        ("shipments",),
        bytes_of("shipments", partial(_cut, 0.6)),
        bytes_of("shipments", lambda day, data: gzip.compress(gzip.decompress(data).rstrip(b"\n"))),
        (Evidence("bronze.shipments"),),
    ),
    Anomaly(
        "doubled_file",
        (STOCK,),
        rows_of(STOCK, lambda day, rows: pl.concat([rows, rows])),
        rows_of(STOCK, lambda day, rows: pl.concat([rows, rows.head(1)])),
        (Evidence(f"superseded.{STOCK}", rows=True),),
    ),
]
"""Anomalies of single files, which can be planted beside others."""
KINDS = [*CORE, *OF_EVENTS, *ASIDE]
