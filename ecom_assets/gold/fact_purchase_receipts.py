"""Purchase receipts: goods received, their cost, and whether the supplier kept the agreed lead time."""

import narwhals as nw

from ecom_assets.contract import (
    Date,
    Decimal,
    Table,
    Timestamp,
    column,
    contract,
    in_units,
    key,
    money,
    own_columns,
    rule,
)
from ecom_assets.days import history
from ecom_assets.expressions.dates import days_between
from ecom_assets.expressions.money import extended
from ecom_assets.expressions.versions import with_version
from ecom_assets.table_asset import table_asset


class FactPurchaseReceipts(Table, primary_key="receipt_id", partition_column="received_on"):
    """One row per product in a delivery."""

    receipt_id: str = key("Line number of the receipt")
    purchase_order_id: str = column("Order of the shop to the supplier", nullable=True)
    received_on: Date = column("Business day of receipt")
    received_at: Timestamp = column("Moment of receipt")
    ordered_on: Date = column("Day of the order to the supplier", nullable=True)
    supplier_id: str = column("Supplier")
    supplier_key: str = column("Version of the supplier at that moment, if any", nullable=True)
    product_id: str = column("Product received")
    product_key: str = column("Version of the product at that moment, if any", nullable=True)
    quantity: Decimal = in_units("Units received", gt=0)
    unit_cost: Decimal = money("Price of one unit, charged by the supplier", ge=0)
    amount: Decimal = money("Quantity times unit cost", ge=0)
    lead_days: int = column("Days from the order until it came", nullable=True, ge=0)
    days_late: int = column(
        "Days beyond the agreed lead time, negative if earlier; null if either is unknown",
        nullable=True,
    )
    extra: str = own_columns()

    @rule
    def amount_of_units(cls) -> nw.Expr:
        """Quantity times unit cost make the amount."""
        return nw.col("amount") == extended("quantity", "unit_cost")


def transform(
    silver_purchase_receipts: nw.LazyFrame,
    gold_dim_supplier_versions: nw.LazyFrame,
    gold_dim_product_versions: nw.LazyFrame,
) -> nw.LazyFrame:
    c = nw.col
    of_products = with_version(
        silver_purchase_receipts,
        gold_dim_product_versions,
        identity="product_id",
        moment="received_at",
        columns=["product_key"],
    )
    of_suppliers = with_version(
        of_products,
        gold_dim_supplier_versions,
        identity="supplier_id",
        moment="received_at",
        columns=["supplier_key", "lead_time_days"],
    )
    return (
        of_suppliers.with_columns(
            amount=extended("quantity", "unit_cost"), lead_days=days_between(c("ordered_on"), c("received_on"))
        )
        .with_columns(days_late=c("lead_days") - c("lead_time_days"))
        .select(*contract(FactPurchaseReceipts).columns)
    )


def conserved(silver_purchase_receipts: nw.LazyFrame) -> nw.LazyFrame:
    return silver_purchase_receipts.select("received_on", "quantity", amount=extended("quantity", "unit_cost"))


asset = table_asset(
    FactPurchaseReceipts,
    transform,
    reads={
        "gold_dim_supplier_versions": history.by("supplier_id"),
        "gold_dim_product_versions": history.by("product_id"),
    },
    conserved=conserved,
)
