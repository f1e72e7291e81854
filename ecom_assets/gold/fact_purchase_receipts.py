"""Purchase receipts: the goods that came, what they cost, and whether the supplier kept the agreed lead time."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, Timestamp, column, contract, key, money, rule
from ecom_assets.days import history
from ecom_assets.expressions.dates import days_between
from ecom_assets.expressions.money import extended
from ecom_assets.expressions.versions import with_version
from ecom_assets.table_asset import table_asset


class FactPurchaseReceipts(Table, primary_key="receipt_id", partition_column="received_on"):
    """One row per product that came with a delivery."""

    receipt_id: str = key("Number of the receipt's line")
    purchase_order_id: str = column("The shop's order to the supplier", nullable=True)
    received_on: Date = column("Business day on which it came")
    received_at: Timestamp = column("When it came")
    ordered_on: Date = column("Day on which it was ordered", nullable=True)
    supplier_id: str = column("Who delivered it")
    supplier_key: str = column("The supplier's version at that moment, if any stood", nullable=True)
    product_id: str = column("What came")
    product_key: str = column("The product's version at that moment, if any stood", nullable=True)
    quantity: int = column("Units received", gt=0)
    unit_cost: Decimal = money("What the supplier charges for a unit", ge=0)
    amount: Decimal = money("Quantity times unit cost", ge=0)
    lead_days: int = column("Days from the order until it came", nullable=True, ge=0)
    days_late: int = column(
        "Days by which it took longer than agreed, less than zero if it was quicker; null where either is not known",
        nullable=True,
    )

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
    suppliers = gold_dim_supplier_versions.join(silver_purchase_receipts, on="supplier_id", how="semi")
    products = gold_dim_product_versions.join(silver_purchase_receipts, on="product_id", how="semi")
    of_products = with_version(
        silver_purchase_receipts, products, identity="product_id", moment="received_at", columns=["product_key"]
    )
    of_suppliers = with_version(
        of_products,
        suppliers,
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
    reads={"gold_dim_supplier_versions": history, "gold_dim_product_versions": history},
    conserved=conserved,
)
