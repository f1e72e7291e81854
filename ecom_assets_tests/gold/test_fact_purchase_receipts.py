from decimal import Decimal

from ecom_assets.gold.dim_product_versions import DimProductVersions
from ecom_assets.gold.dim_supplier_versions import DimSupplierVersions
from ecom_assets.gold.fact_purchase_receipts import transform
from ecom_assets.silver.purchase_receipts import PurchaseReceipts
from ecom_assets_tests.samples import rows, run, sample


def test_a_receipt_is_late_by_the_days_beyond_the_lead_time_that_was_agreed_then():
    came = {"supplier_id": "S", "product_id": "P", "received_at": "2024-01-09 08:00", "received_on": "2024-01-09"}
    receipts = sample(
        PurchaseReceipts,
        {**came, "receipt_id": "late", "ordered_on": "2024-01-04", "quantity": 3, "unit_cost": "1.25"},
        {**came, "receipt_id": "quick", "ordered_on": "2024-01-07"},
        {**came, "receipt_id": "unknown", "ordered_on": None},
    )
    suppliers = sample(
        DimSupplierVersions,
        {"supplier_key": "S1", "supplier_id": "S", "effective_from": "2024-01-01 00:00", "lead_time_days": 3},
        {"supplier_key": "S2", "supplier_id": "S", "effective_from": "2024-01-10 00:00", "lead_time_days": 9},
    )
    products = sample(
        DimProductVersions, {"product_key": "P1", "product_id": "P", "effective_from": "2024-01-01 00:00"}
    )

    made = run(transform, receipts, suppliers, products)

    assert rows(made, "receipt_id", "supplier_key", "product_key", "lead_days", "days_late") == [
        ("late", "S1", "P1", 5, 2),
        ("quick", "S1", "P1", 2, -1),
        ("unknown", "S1", "P1", None, None),
    ]
    assert max(rows(made, "amount")) == Decimal("3.75")
