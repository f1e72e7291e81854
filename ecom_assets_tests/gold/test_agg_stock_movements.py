import datetime as dt

from ecom_assets.gold.agg_stock_movements import transform
from ecom_assets.silver.inventory_movements import InventoryMovements
from ecom_assets_tests.samples import rows, run, sample


def test_movements_of_a_day_add_up_by_kind():
    movements = sample(
        InventoryMovements,
        *(
            {"movement_id": f"{n}", "product_id": product, "moved_on": day, "kind": kind, "quantity": quantity}
            for n, (product, day, kind, quantity) in enumerate(
                [
                    ("P", "2024-01-01", "opening", 10),
                    ("P", "2024-01-02", "receipt", 5),
                    ("P", "2024-01-02", "return", 1),
                    ("P", "2024-01-02", "adjustment", -2),
                    ("P", "2024-01-02", "sale", -4),
                    ("P", "2024-01-02", "sale", -3),
                    ("P", "2024-01-02", "count", 99),
                    ("Q", "2024-01-02", "adjustment", 0),
                    ("R", "2024-01-02", "count", 99),
                ]
            )
        ),
    )

    made = run(transform, movements)

    columns = ["product_id", "day", "opened", "received", "sold", "returned", "adjusted", "change"]
    assert rows(made, *columns) == [
        ("P", dt.date(2024, 1, 1), 10, 0, 0, 0, 0, 10),
        ("P", dt.date(2024, 1, 2), 0, 5, 7, 1, -2, -3),
        ("Q", dt.date(2024, 1, 2), 0, 0, 0, 0, 0, 0),
    ]
