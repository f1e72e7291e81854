from ecom_assets.gold.fact_inventory_daily import FactInventoryDaily
from ecom_assets.kpi.daily_stock_reconciliation import DailyStockReconciliation, transform
from ecom_assets.silver.inventory_movements import InventoryMovements
from ecom_assets_tests.samples import broken_rules, collected, days, rows, run, sample

DAY_BEFORE = {"day": "2024-01-01", "product_id": "P", "on_hand": 7}
MOVEMENTS = sample(
    InventoryMovements,
    {"movement_id": "1", "moved_on": "2024-01-02", "kind": "receipt", "quantity": 5},
    {"movement_id": "2", "moved_on": "2024-01-02", "kind": "sale", "quantity": -2},
    {"movement_id": "3", "moved_on": "2024-01-02", "kind": "count", "quantity": 99},
)


def reconciled(*stock):
    return run(transform, sample(FactInventoryDaily, DAY_BEFORE, *stock), MOVEMENTS, days("2024-01-02"))


def test_stock_that_follows_from_its_movements_keeps_the_rules():
    made = reconciled({"day": "2024-01-02", "product_id": "P", "opening": 7, "on_hand": 10})

    assert rows(made, "opening", "on_hand", "units_moved", "broken_chains") == [(7, 10, 3, 0)]
    DailyStockReconciliation.validate(collected(made))


def test_units_from_nowhere_and_days_that_do_not_open_as_the_last_one_ended_are_found():
    made = reconciled({"day": "2024-01-02", "product_id": "P", "opening": 8, "on_hand": 10})

    assert broken_rules(DailyStockReconciliation, collected(made).row(0, named=True)) == [
        "What has moved makes the difference between the day's beginning and its end.",
        "Each product opens with what was on hand as the day before ended.",
    ]
