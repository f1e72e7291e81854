"""The relationships of the star: which columns of facts, aggregates and measures are keys of dimensions."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ecom_assets.exports.tables import ExportedTable

DATES = "gold.dim_date"
CHANNELS = "gold.dim_channel"
KEYS = {
    "customer_key": "gold.dim_customer",
    "product_key": "gold.dim_product",
    "supplier_key": "gold.dim_supplier",
    "campaign_key": "gold.dim_campaign",
    "method": "gold.dim_payment_method",
}
"""The columns that are keys of a dimension wherever they are."""
OF_MARKETING = (
    *("gold.agg_channel_days", "gold.fact_ad_spend", "gold.fact_carts", "gold.fact_sessions", "gold.fact_touchpoints"),
    *("kpi.attribution", "kpi.daily_carts", "kpi.daily_funnel", "kpi.daily_marketing"),
    *("kpi.unmatched_campaigns", "kpi.weekly_channel_weights"),
)
"""The tables whose channel is a marketing channel. Elsewhere it is that of a sale: web, app, marketplace."""


@dataclass(frozen=True)
class Relationship:
    """A column of a table whose values, if any, are in a column of a dimension, where each is on one row."""

    table: str
    column: str
    dimension: str
    key: str


def relationships(tables: Iterable[ExportedTable]) -> list[Relationship]:
    """Returns the relationships between these tables, in the order of tables and columns."""
    tables = list(tables)
    names = {table.name for table in tables}
    return [found for table in tables for found in _of_table(table) if found.dimension in names]


def _of_table(table: ExportedTable) -> Iterator[Relationship]:
    if table.name.startswith("gold.dim_"):
        return
    for column in table.columns:
        if column.name == table.key[0] and column.sql_type == "DATE":
            yield Relationship(table.name, column.name, DATES, "day")
        elif column.name == "channel" and table.name in OF_MARKETING:
            yield Relationship(table.name, column.name, CHANNELS, "channel")
        elif column.name in KEYS:
            yield Relationship(table.name, column.name, KEYS[column.name], column.name)
