"""What to reorder, and the health of stock."""

import datetime as dt

import polars as pl

from ecom_assets.contract import Date, Table, column, frame_of, key
from ecom_assets.days import history
from ecom_assets.expressions.known import cut_off_days, versions_at
from ecom_assets.models import demand
from ecom_assets.models.reorder import lead_times, reorder
from ecom_assets.predictions._demand import known_at, model_at, moved_at
from ecom_assets.table_asset import table_asset


class ReorderPoints(Table, primary_key=("cut_off", "product_id"), partition_column="cut_off"):
    """One row per Sunday, and product that was known then.

    Stock is reviewed every week. The reorder point meets the demand of the supplier's lead time and a week with a
    probability of 95 %, by `models.demand`, whichever model is champion. Of orders that suppliers have not delivered
    nothing is known: subtract them from the units to order.
    """

    cut_off: Date = key("Day at whose end it was predicted")
    product_id: str = key("Stock code; codes are case-sensitive")
    category: str = column("Category in the catalogue; (none) if it has none")
    supplier_id: str = column("Supplier of the last delivery; null before the first", nullable=True)
    on_hand: float = column("Units in stock; null if none of its movements is known", nullable=True)
    lead_days: float = column("Days from an order to its delivery, on average", ge=0)
    lead_days_sd: float = column("Standard deviation of these days", ge=0)
    expected_units: float = column("Units expected in the lead time and a week", ge=0)
    reorder_point: float = column("Stock below which to order", ge=0)
    safety_stock: float = column("Reorder point less the units expected", ge=0)
    suggested_units: float = column("Units to order now; null without stock known", nullable=True, ge=0)
    stockout_risk: float = column(
        "Probability that demand in the lead time exceeds the stock; null as above", nullable=True, ge=0, le=1
    )
    weeks_of_cover: float = column("Weeks for which the stock lasts, at most 520; null as above", nullable=True)
    is_dead: bool = column("Whether there is stock, and no sale in 90 days; null as above", nullable=True)
    excess_units: float = column("Stock above the demand of 26 weeks; null as above", nullable=True, ge=0)
    excess_value: float = column("The same at cost; null as above, or without a cost", nullable=True, ge=0)


def stock_at(day: dt.date, movements: pl.DataFrame, receipts: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
    """Returns what `models.reorder` knows of stock: units on hand, supplier and cost by product."""
    c = pl.col
    on_hand = moved_at(day, movements).group_by("product_id").agg(on_hand=c("units").sum())
    last = receipts.filter(c("product_id").is_not_null()).sort("product_id", "received_on", "receipt_id")
    supplier = last.group_by("product_id", maintain_order=True).agg(c("supplier_id").last())
    return (
        on_hand.join(supplier, on="product_id", how="full", coalesce=True)
        .join(products.select("product_id", unit_cost="cost"), on="product_id", how="full", coalesce=True)
        .with_columns(on_order=pl.lit(None, pl.Float64))
        .sort("product_id")
    )


def known_lead_times(day: dt.date, receipts: pl.DataFrame, suppliers: pl.DataFrame) -> pl.DataFrame:
    """Returns the lead times of suppliers, from deliveries and profiles as known at the end of a day."""
    c = pl.col
    changes = versions_at(day, suppliers, "supplier_id", "changed_at").sort("supplier_id", "changed_at")
    agreed = changes.group_by("supplier_id", maintain_order=True).agg(c("lead_time_days", "is_deleted").last())
    delivered = receipts.filter(c("supplier_id").is_not_null()).select(
        "supplier_id", lead_days=(c("received_on") - c("ordered_on")).dt.total_days()
    )
    return lead_times(
        delivered, agreed.filter(~c("is_deleted")).select("supplier_id", agreed_lead_days="lead_time_days")
    )


def transform(
    silver_order_versions: pl.DataFrame,
    silver_order_item_versions: pl.DataFrame,
    silver_movement_versions: pl.DataFrame,
    silver_product_versions: pl.DataFrame,
    silver_receipt_versions: pl.DataFrame,
    silver_supplier_versions: pl.DataFrame,
    predictions_demand_models: pl.DataFrame,
    days: pl.DataFrame,
) -> pl.DataFrame:
    parts = []
    known = known_at(
        cut_off_days(days),
        silver_order_versions,
        silver_order_item_versions,
        silver_movement_versions,
        silver_product_versions,
    )
    for day, sales, products in known:
        if sales.is_empty() and products.is_empty():
            continue
        model = model_at(day, predictions_demand_models, sales, products)
        receipts = versions_at(day, silver_receipt_versions, "receipt_id").filter(~pl.col("is_retracted"))
        made = reorder(
            model,
            demand.outlook(model, sales, products, day),
            stock_at(day, silver_movement_versions, receipts, products),
            known_lead_times(day, receipts, silver_supplier_versions),
        )
        parts.append(made.with_columns(cut_off=pl.lit(day)))
    return frame_of(ReorderPoints, parts)


TO_REORDER = """
SELECT *
FROM predictions.reorder_points
WHERE cut_off = (SELECT max(cut_off) FROM predictions.reorder_points) AND suggested_units > 0
"""

asset = table_asset(
    ReorderPoints,
    transform,
    view=("predictions.products_to_reorder", TO_REORDER),
    reads={
        "silver_order_versions": history,
        "silver_order_item_versions": history,
        "silver_movement_versions": history,
        "silver_product_versions": history,
        "silver_receipt_versions": history,
        "silver_supplier_versions": history,
        "predictions_demand_models": history,
    },
)
