"""The snapshot's interface: its tables and views in addition to gold, kpi, features and predictions.

Publishing makes these tables with these columns in this order, and the data dictionary lists them. The tables of the
layers are declared by their contracts, and the queries of most views by the tables next to which they are listed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ecom_assets.landing.provenance import QUARANTINE as QUARANTINE_COLUMNS
from ecom_assets.landing.provenance import SUPERSEDED as SUPERSEDED_COLUMNS
from ecom_assets.landing.provenance import TechnicalColumn


@dataclass(frozen=True)
class PublishedColumn:
    """A column, its SQL type, its description, and whether its values say who a person is."""

    name: str
    sql_type: str
    description: str
    personal: bool = False


@dataclass(frozen=True)
class PublishedTable:
    """A table of the snapshot, the meaning of one row, and its columns in order."""

    name: str
    row: str
    columns: tuple[PublishedColumn, ...]

    @property
    def sql_types(self) -> dict[str, str]:
        """Returns the SQL type of each column, in order."""
        return {column.name: column.sql_type for column in self.columns}


@dataclass(frozen=True)
class TablesByFeed(PublishedTable):
    """One table per feed, e.g. quarantine.orders for quarantine.*, and the columns that all of them have.

    If `has_feed_columns`, these come after the feed's own columns, as text.
    """

    has_feed_columns: bool = False


@dataclass(frozen=True)
class PublishedView(PublishedTable):
    """A view of the snapshot. Its query is here, or in the file of the table next to which it is listed.

    `extends` names a table whose columns come first. `key` are columns that tell its rows apart, never null; the day
    first, if rows have one.
    """

    query: str | None = None
    extends: str | None = None
    key: tuple[str, ...] = ()


def _columns(*columns: tuple[str, str, str] | tuple[str, str, str, bool]) -> tuple[PublishedColumn, ...]:
    return tuple(PublishedColumn(*column) for column in columns)


def _technical(columns: Iterable[TechnicalColumn]) -> tuple[PublishedColumn, ...]:
    return tuple(PublishedColumn(column.name, column.sql_type, column.description) for column in columns)


_TABLE = ("table_name", "VARCHAR", "Table with its layer, e.g. gold.fact_sales")
_DAY = ("day", "DATE", "Day under which the rows are stored")
_RUN = ("run_id", "VARCHAR", "Run that wrote it")

DAYS = PublishedTable(
    "ledger.days",
    "One row per table and day that has run, bronze and silver included.",
    _columns(
        _TABLE,
        _DAY,
        (
            "state",
            "VARCHAR",
            "stored (good and final), provisional (good, but a day in its reach is missing or not final, or a file "
            "that it was read from is cut off or damaged), failed (broke its contract) or blocked (an input has no "
            "good rows on the day)",
        ),
        ("row_count", "BIGINT", "Rows stored; 0 if the day failed or is blocked"),
        (
            "bad_count",
            "BIGINT",
            "Bronze: records that cannot be read; silver: quarantined rows; other layers: rows that break the rule "
            "broken most often",
        ),
        ("inputs", "HUGEINT", "Fingerprint of the inputs that the day was made from; bronze: of the landed files"),
        ("code", "UBIGINT", "Fingerprint of the code and the settings that the day was made with"),
        ("note", "VARCHAR", "Reason why the day failed or is blocked, or a remark on a good day; often empty"),
        _RUN,
        ("written_at", "TIMESTAMP", "When the run wrote it, UTC"),
        ("checked_count", "BIGINT", "Rows checked, without superseded ones; counted on failed days too"),
        (
            "shows_old_rows",
            "BOOLEAN",
            "Whether the day is failed or blocked, and shows its last good rows",
        ),
        (
            "made_without",
            "VARCHAR",
            "Inputs of several days that have no good rows on this day, separated by commas; null if there are none",
        ),
        (
            "content",
            "HUGEINT",
            "Content hash of the rows: equal for equal rows in any order; null if the day failed or is blocked",
        ),
    ),
)

AMOUNTS = PublishedTable(
    "ledger.amounts",
    "One row per total recorded for a table-day: the first one, and each later one that differed.",
    _columns(
        _TABLE,
        _DAY,
        ("amount", "DECIMAL(38,4)", "Total: the sum of the table's amount column on the day"),
        _RUN,
        ("recorded_at", "TIMESTAMP", "When the run recorded it, UTC"),
    ),
)

_CAUSES = (
    "What changed it: late rows, corrections (later versions of rows), retractions, quarantined rows, withdrawn files "
    "(rows whose file is gone), code, settings, code or settings, or rows of other tables"
)

AMOUNT_CHANGES = PublishedTable(
    "ledger.amount_changes",
    "One row per cause for which a table-day was restated, and per cause for which rows of a fact changed.",
    _columns(
        _TABLE,
        _DAY,
        ("cause", "VARCHAR", _CAUSES),
        ("amount", "DECIMAL(38,4)", "Part of the difference of the totals; 0 for a fact without an amount"),
        ("row_count", "BIGINT", "Keys of rows that changed; 0 if unknown"),
        (
            "files",
            "VARCHAR[]",
            "Facts: up to five landed files with the rows that changed them, as feed, arrival day and name",
        ),
        ("samples", "VARCHAR[]", "Keys of up to five of the rows that changed"),
        _RUN,
        ("recorded_at", "TIMESTAMP", "When the run recorded it, UTC: that of the total in ledger.amounts"),
    ),
)

STALE = PublishedTable(
    "ledger.stale",
    "One row per table-day that has to run again.",
    _columns(_TABLE, _DAY, ("why", "VARCHAR", "What changed since the day was made")),
)

LACKING = PublishedTable(
    "ledger.lacking",
    "One row per table, days of it and days of another that failed, which they were made without or cannot be made of.",
    _columns(
        _TABLE,
        ("first_day", "DATE", "First of its days"),
        ("last_day", "DATE", "Last of its days"),
        ("failed_table", "VARCHAR", "Table that failed, however far up"),
        ("first_failed_day", "DATE", "First of the days on which it failed"),
        ("last_failed_day", "DATE", "Last of them"),
    ),
)

FILES = PublishedTable(
    "ledger.files",
    "One row per landed file that has been read.",
    _columns(
        ("feed", "VARCHAR", "Feed, e.g. orders"),
        ("arrived_on", "DATE", "Arrival day"),
        ("source_file", "VARCHAR", "Name of the file"),
        ("digest", "VARCHAR", "Digest of its bytes"),
        ("duplicate_of", "VARCHAR", "Earlier file of the feed with the same bytes, which counts instead of this one"),
        ("replaced_at", "TIMESTAMP", "When a run last read it with other bytes than before, UTC; null if never"),
    ),
)

ARRIVALS = PublishedTable(
    "ledger.arrivals",
    "One row per bronze table, arrival day and event day.",
    _columns(
        ("table_name", "VARCHAR", "Bronze table, e.g. bronze.orders"),
        ("arrived_on", "DATE", "Day on which the rows arrived"),
        ("event_on", "DATE", "Day of silver that reads them: their event day, or the arrival day if there is none"),
        ("row_count", "BIGINT", "Rows"),
    ),
)

MISSING_VALUES = PublishedTable(
    "ledger.missing_values",
    "One row per table of silver, day and column with words for nothing from which values are missing.",
    _columns(
        _TABLE,
        _DAY,
        ("column_name", "VARCHAR", "Column"),
        ("row_count", "BIGINT", "Rows from the feed without a value, superseded and quarantined ones included"),
        ("word_count", "BIGINT", "Those of them that have a word for nothing, such as (none)"),
    ),
)

COLUMN_LINEAGE = PublishedTable(
    "ledger.column_lineage",
    "One row per column of a table and column of its inputs that it is computed from.",
    _columns(
        _TABLE,
        ("column_name", "VARCHAR", "Column"),
        ("from_table", "VARCHAR", "Input of the table"),
        ("from_column", "VARCHAR", "Column of that input"),
    ),
)

PLAIN_TABLES = PublishedTable(
    "ledger.plain_tables",
    "One row per table of a plain asset, which nothing else in the ledger covers.",
    _columns(
        ("table_name", "VARCHAR", "Table with its schema, e.g. research.spend_per_buyer"),
        ("written_at", "TIMESTAMP", "When a run last wrote it, UTC"),
    ),
)

WATERMARKS = PublishedTable(
    "ledger.watermarks",
    "One row per feed of which records come by a stream.",
    _columns(
        ("feed", "VARCHAR", "Feed, e.g. events"),
        ("partitions", "BIGINT", "Partitions that bring its records"),
        (
            "complete_until",
            "TIMESTAMP",
            "Moment up to which its events are complete, UTC: the earliest up to which a partition has landed, less "
            "the feed's lateness. Later events of before are late rows",
        ),
        ("complete_day", "DATE", "Last business day that was over by then"),
    ),
)

PUBLISHED = PublishedTable(
    "ledger.published",
    "One row on the publication of the snapshot.",
    _columns(
        ("run_id", "VARCHAR", "Run that published it"),
        ("published_at", "TIMESTAMP", "Time of publication, UTC"),
        ("time_zone", "VARCHAR", "Time zone of business days"),
        ("made_of", "VARCHAR", "Code and settings of all tables; if it changes, tables may be stale"),
    ),
)

LEDGER = (
    DAYS,
    AMOUNTS,
    AMOUNT_CHANGES,
    STALE,
    LACKING,
    FILES,
    ARRIVALS,
    MISSING_VALUES,
    COLUMN_LINEAGE,
    PLAIN_TABLES,
    WATERMARKS,
    PUBLISHED,
)

QUARANTINE = TablesByFeed(
    "quarantine.*",
    "One row per quarantined row, with the columns of the feed as sent.",
    _technical(QUARANTINE_COLUMNS),
    has_feed_columns=True,
)

SUPERSEDED = TablesByFeed(
    "superseded.*",
    "One row per bronze row that was superseded by another row, or that retracts its key.",
    _technical(SUPERSEDED_COLUMNS),
)

DAILY_QUALITY = PublishedView(
    "kpi.daily_quality",
    "One row per table and day that has run.",
    _columns(
        _TABLE,
        _DAY,
        ("state", "VARCHAR", "As in ledger.days"),
        ("rows_checked", "BIGINT", "Rows checked, when they are read (bronze) or made; superseded ones are left out"),
        ("rows_passed", "BIGINT", "Rows checked that passed; 0 if the day failed or is blocked"),
        ("bad_share", "DOUBLE", "Bad rows per row checked, 0 to 1; null if there was nothing to check"),
        ("is_complete", "BOOLEAN", "Whether the day is good and nothing in its reach is missing or not final"),
        (
            "quality_score",
            "DOUBLE",
            "Rows passed per row checked, 0 to 1: 1 if there was nothing to check, 0 if the day failed or is blocked",
        ),
        (
            "freshness_hours",
            "DOUBLE",
            "Hours from the end of the business day to the last write of its rows, repairs included; negative before "
            "that end, null without good rows",
        ),
        (
            "late_share_under_24_hours",
            "DOUBLE",
            "Bronze: share of the rows that arrived on the day with the day before as event day. Later states of an "
            "order or a shipment keep its event day, so they count as late",
        ),
        ("late_share_24_to_48_hours", "DOUBLE", "The same with an event day two days before"),
        ("late_share_over_48_hours", "DOUBLE", "The same with an earlier event day"),
        (
            "restated_amount",
            "DECIMAL(38,4)",
            "The day's total now less the first one recorded for it, provisional or not, in shop currency; null for "
            "tables without an amount column",
        ),
    ),
    key=("day", "table_name"),
    query="""
WITH counted AS (
    SELECT
        table_name, day, state, state IN ('stored', 'provisional') AS is_good, bad_count, checked_count AS rows_checked,
        epoch(written_at) - epoch(timezone(time_zone, (day + 1)::TIMESTAMP)) AS seconds_since_day
    FROM ledger.days CROSS JOIN ledger.published
), late AS (
    SELECT
        table_name, arrived_on AS day, sum(row_count) AS arrived,
        coalesce(sum(row_count) FILTER (arrived_on - event_on = 1), 0) AS under_24,
        coalesce(sum(row_count) FILTER (arrived_on - event_on = 2), 0) AS under_48,
        coalesce(sum(row_count) FILTER (arrived_on - event_on > 2), 0) AS over_48
    FROM ledger.arrivals GROUP BY ALL
), amounts AS (
    SELECT table_name, day, arg_max(amount, recorded_at) - arg_min(amount, recorded_at) AS restated_amount
    FROM ledger.amounts GROUP BY ALL
)
SELECT
    table_name, day, state, rows_checked,
    CASE WHEN is_good THEN rows_checked - bad_count ELSE 0 END AS rows_passed,
    bad_count / nullif(rows_checked, 0) AS bad_share,
    state = 'stored' AS is_complete,
    CASE WHEN is_good THEN coalesce(1 - bad_count / nullif(rows_checked, 0), 1) ELSE 0 END AS quality_score,
    CASE WHEN is_good THEN seconds_since_day / 3600 END AS freshness_hours,
    under_24 / arrived AS late_share_under_24_hours, under_48 / arrived AS late_share_24_to_48_hours,
    over_48 / arrived AS late_share_over_48_hours, restated_amount
FROM counted LEFT JOIN late USING (table_name, day) LEFT JOIN amounts USING (table_name, day)
""",
)

RESTATEMENTS = PublishedView(
    "kpi.restatements",
    "One row per change of a recorded total and cause; the parts of a change add up to its difference.",
    _columns(
        _TABLE,
        _DAY,
        ("was", "DECIMAL(38,4)", "The day's total before, in shop currency"),
        ("is_now", "DECIMAL(38,4)", "The day's total after the change"),
        ("difference", "DECIMAL(38,4)", "What it is now less what it was"),
        ("cause", "VARCHAR", f"{_CAUSES}; not recorded, if it is not known"),
        ("part", "DECIMAL(38,4)", "Part of the difference that is due to the cause"),
        ("row_count", "BIGINT", "Keys of rows of the table that changed for this cause; null if unknown"),
        _RUN,
        ("recorded_at", "TIMESTAMP", "When the run recorded the change, UTC"),
    ),
    key=("day", "table_name", "recorded_at", "cause"),
    query="""
WITH told AS (
    SELECT table_name, day, lag(amount) OVER of_day AS was, amount AS is_now, run_id, recorded_at
    FROM ledger.amounts WINDOW of_day AS (PARTITION BY table_name, day ORDER BY recorded_at)
), changes AS (
    SELECT table_name, day, was, is_now, is_now - was AS difference, run_id, recorded_at FROM told WHERE was IS NOT NULL
), parts AS (
    SELECT c.*, p.cause, p.amount AS part, p.row_count
    FROM changes c JOIN ledger.amount_changes p USING (table_name, day, recorded_at) WHERE p.amount <> 0
), rest AS (
    SELECT c.*, 'not recorded' AS cause, any_value(c.difference) - coalesce(sum(p.part), 0) AS part, NULL AS row_count
    FROM changes c LEFT JOIN parts p USING (table_name, day, recorded_at) GROUP BY ALL
)
SELECT table_name, day, was, is_now, difference, cause, part, nullif(row_count, 0) AS row_count, run_id, recorded_at
FROM (FROM parts UNION ALL BY NAME FROM rest WHERE part <> 0)
""",
)

TRANSACTIONS = PublishedView(
    "gold.transactions",
    "One row per order, valid or not, under names that other shops' reports use.",
    _columns(
        ("transaction_id", "VARCHAR", "Order number issued by the shop"),
        ("transaction_date", "DATE", "Business day on which the order was placed"),
        ("transaction_at", "TIMESTAMP", "When the order was placed, UTC"),
        ("customer_id", "VARCHAR", "Customer who placed it; null for guests", True),
        ("channel", "VARCHAR", "Sales channel: web, app, marketplace, …"),
        ("country", "VARCHAR", "Destination country"),
        ("status", "VARCHAR", "Status of the order"),
        (
            "is_valid",
            "BOOLEAN",
            "Whether it counts as a sale: not cancelled as void, test or unpaid, nor all gift cards",
        ),
        ("payment_method", "VARCHAR", "Method of its last payment, captured payments first"),
        ("item_count", "BIGINT", "Order lines"),
        ("units", "DECIMAL(18,4)", "Units on its lines"),
        ("subtotal", "DECIMAL(18,4)", "Quantity times unit price, over its lines"),
        ("discount", "DECIMAL(18,4)", "Discounts on its lines and on the order"),
        ("shipping", "DECIMAL(18,4)", "Shipping fee"),
        ("tax", "DECIMAL(18,4)", "Tax"),
        ("total", "DECIMAL(18,4)", "Subtotal less discount, with shipping and tax"),
        ("received", "DECIMAL(18,4)", "Captured payments less refunds; 0 without payments"),
    ),
    key=("transaction_date", "transaction_id"),
)

TRANSACTION_ITEMS = PublishedView(
    "gold.transaction_items",
    "One row per order line, under names that other shops' reports use.",
    _columns(
        ("transaction_id", "VARCHAR", "Order number issued by the shop"),
        ("line_number", "BIGINT", "Line number within the order"),
        ("product_id", "VARCHAR", "Product sold"),
        ("quantity", "DECIMAL(18,4)", "Units sold"),
        ("unit_price", "DECIMAL(18,4)", "Price of one unit before discount"),
        ("discount", "DECIMAL(18,4)", "Discount on the line, and its share of the order's discount"),
        ("total", "DECIMAL(18,4)", "Quantity times unit price less discount"),
        (
            "is_valid",
            "BOOLEAN",
            "Whether the order counts as a sale: not cancelled as void, test or unpaid, nor a gift card",
        ),
    ),
    key=("transaction_id", "line_number"),
)


def _with_ends(entity: str, *further: tuple[str, str, str, bool]) -> PublishedView:
    """Returns the view that adds the end of validity to the versions of a dimension."""
    return PublishedView(
        f"gold.dim_{entity}",
        f"One row per {entity} and version, with its end, and per {entity} that facts name though none has arrived.",
        _columns(
            ("effective_to", "TIMESTAMP", "Start of the next version, UTC; null for the current one"),
            ("is_current", "BOOLEAN", f"Whether it is the {entity}'s latest version"),
            ("version_number", "BIGINT", f"1 for the {entity}'s first version"),
            ("is_inferred", "BOOLEAN", f"Whether the {entity} is known from being named only"),
            *further,
        ),
        extends=f"gold.dim_{entity}_versions",
        key=(f"{entity}_id", "version_number"),
    )


_MERGED_INTO = (
    "merged_into",
    "VARCHAR",
    "Customer number under which the customer goes on, if its own was merged; null for others",
    True,
)
TO_ACT_ON = (
    PublishedView(
        "predictions.customers_at_risk",
        "One row per customer who is overdue on the last Sunday with predictions.",
        (),
        extends="predictions.customer_value",
        key=("cut_off", "customer_id"),
    ),
    PublishedView(
        "predictions.products_to_reorder",
        "One row per product to order on the last Sunday with predictions.",
        (),
        extends="predictions.reorder_points",
        key=("cut_off", "product_id"),
    ),
    PublishedView(
        "predictions.offers",
        "One row per place in the lists of the last Sunday with predictions.",
        (),
        extends="predictions.customer_recommendations",
        key=("cut_off", "customer_id", "list", "rank"),
    ),
    PublishedView(
        "predictions.orders_to_review",
        "One row per order among the hundred of the last day that are most likely frauds.",
        (),
        extends="predictions.order_risks",
        key=("known_on", "order_id"),
    ),
)


def _curve(name: str, says: str, point: str, *columns: tuple[str, str, str]) -> PublishedView:
    """Returns the view of the points of scores' curves, by period and model; `point` is what tells them apart."""
    return PublishedView(
        f"predictions.{name}",
        f"One row per period, model and {point}: {says}.",
        _columns(("period_end", "DATE", "Last day of the period"), ("model", "VARCHAR", "Name of the model"), *columns),
        key=("period_end", "model", columns[0][0]),
    )


CURVES = (
    _curve(
        "value_calibration",
        "orders predicted and come",
        "tenth of the customers",
        ("tenth", "BIGINT", "Tenth of the customers, those with the lowest predictions first"),
        ("count", "BIGINT", "Customers in it; equal predictions are in one tenth"),
        ("predicted", "DOUBLE", "Orders predicted of a customer, on average"),
        ("actual", "DOUBLE", "Orders of a customer that came, on average"),
    ),
    _curve(
        "lists_by_length",
        "how good lists of what is bought next are",
        "length of lists",
        ("length", "BIGINT", "First products of the lists that count"),
        ("precision", "DOUBLE", "Share of these products that were bought"),
        ("recall", "DOUBLE", "Share of the products bought that are in the list"),
    ),
    _curve(
        "demand_by_week",
        "units forecast and sold of all products whose demand is known",
        "week",
        ("week", "BIGINT", "Week of the period, from 1"),
        ("expected", "DOUBLE", "Units expected"),
        ("low", "DOUBLE", "Lower end of the 90 % interval; null of models without one"),
        ("high", "DOUBLE", "Upper end of the 90 % interval; null of models without one"),
        ("sold", "DOUBLE", "Units sold"),
    ),
    _curve(
        "reviews_by_depth",
        "how many frauds are found by reviewing the orders with the highest scores",
        "number of orders reviewed a day",
        ("reviewed", "BIGINT", "Orders of each day that are reviewed"),
        ("precision", "DOUBLE", "Share of frauds among them"),
        ("recall", "DOUBLE", "Share of the frauds that are among them"),
    ),
)

VIEWS = (
    _with_ends("customer", _MERGED_INTO),
    *map(_with_ends, ("product", "supplier", "campaign")),
    TRANSACTIONS,
    TRANSACTION_ITEMS,
    *TO_ACT_ON,
    *CURVES,
    DAILY_QUALITY,
    RESTATEMENTS,
)


BESIDE_THE_LAYERS: tuple[PublishedTable, ...] = (*LEDGER, QUARANTINE, SUPERSEDED, *VIEWS)
"""All that is declared here, in the order of the data dictionary."""
