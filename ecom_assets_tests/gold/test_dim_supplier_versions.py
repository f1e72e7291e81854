from ecom_assets.gold.dim_supplier_versions import transform
from ecom_assets.silver.suppliers import Suppliers
from ecom_assets_tests.samples import days, rows, run, sample


def test_a_version_starts_when_the_lead_time_changes_and_not_when_nothing_does():
    profile = {"supplier_id": "S", "lead_time_days": 3}
    suppliers = sample(
        Suppliers,
        {**profile, "changed_at": "2024-01-01 08:00", "changed_on": "2024-01-01"},
        {**profile, "changed_at": "2024-01-02 08:00", "changed_on": "2024-01-02"},
        {**profile, "changed_at": "2024-01-03 08:00", "changed_on": "2024-01-03", "lead_time_days": 5},
    )

    made = run(transform, suppliers, days("2024-01-01", "2024-01-03"))

    assert rows(made, "supplier_key", "lead_time_days") == [
        ("S@2024-01-01T08:00:00.000000", 3),
        ("S@2024-01-03T08:00:00.000000", 5),
    ]
