"""Units that entered or left the stock per product and day: the source of all stock figures."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, contract, in_units, key, rule
from ecom_assets.expressions import measures
from ecom_assets.expressions.money import no_amount, total
from ecom_assets.feeds.inventory_movements import COUNT
from ecom_assets.table_asset import table_asset


class AggStockMovements(Table, primary_key=("day", "product_id"), partition_column="day"):
    """One row per product and day with movements."""

    day: Date = key("Business day")
    product_id: str = key("Stock code; codes are case-sensitive")
    opened: Decimal = in_units(measures.STOCK_OPENED, ge=0)
    received: Decimal = in_units(measures.STOCK_RECEIVED, ge=0)
    sold: Decimal = in_units(measures.STOCK_SOLD, ge=0)
    returned: Decimal = in_units(measures.STOCK_RETURNED, ge=0)
    adjusted: Decimal = in_units(measures.STOCK_ADJUSTED)
    change: Decimal = in_units("Units that entered the stock less units that left")

    @rule
    def change_adds_up(cls) -> nw.Expr:
        """What lay there and what came, less what left, is the change."""
        c = nw.col
        return c("change") == c("opened") + c("received") + c("returned") + c("adjusted") - c("sold")


KINDS = {"opened": "opening", "received": "receipt", "sold": "sale", "returned": "return", "adjusted": "adjustment"}


def movements_of(rows: nw.LazyFrame) -> nw.LazyFrame:
    """Returns the rows of the feed that move stock: all but counts."""
    return rows.filter(nw.col("kind") != COUNT)


def units_by_kind() -> dict[str, nw.Expr]:
    """Returns the units of a movement under the name of its kind; units sold are positive."""
    c = nw.col
    units = nw.when(c("kind") == "sale").then(-c("quantity")).otherwise(c("quantity"))
    return {name: nw.when(c("kind") == kind).then(units).otherwise(no_amount()) for name, kind in KINDS.items()}


def transform(silver_inventory_movements: nw.LazyFrame) -> nw.LazyFrame:
    return (
        movements_of(silver_inventory_movements)
        .select("product_id", day="moved_on", change="quantity", **units_by_kind())
        .group_by("product_id", "day")
        .agg(*map(total, ["change", *KINDS]))
        .select(*contract(AggStockMovements).columns)
    )


def conserved(silver_inventory_movements: nw.LazyFrame) -> nw.LazyFrame:
    moved = movements_of(silver_inventory_movements)
    return moved.select(day="moved_on", change="quantity", **units_by_kind())


asset = table_asset(AggStockMovements, transform, conserved=conserved)
