import datetime as dt
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_assets.gold.dim_product_versions import DimProductVersions
from ecom_assets.kpi.stock_counts import ALL_LOCATIONS, transform
from ecom_assets.silver.inventory_movements import InventoryMovements
from ecom_assets_tests.samples import days, rows, run, sample

PRODUCTS = sample(
    DimProductVersions, {"product_id": "P", "effective_from": "2024-01-01", "effective_on": "2024-01-01", "cost": "2.5"}
)


def moved(number: int, kind: str, units: object, at: str, location: str | None = None, product: str = "P"):
    of = {"movement_id": str(number), "product_id": product, "kind": kind, "quantity": units, "location": location}
    return {**of, "moved_at": at, "moved_on": at[:10]}


def counted(*movements, first="2024-01-01", last="2024-01-31"):
    return run(transform, sample(InventoryMovements, *movements), PRODUCTS, days(first, last))


def test_a_count_is_compared_with_the_movements_up_to_its_moment_in_its_location():
    made = counted(
        moved(1, "opening", 10, "2024-01-01 08:00", "Berlin"),
        moved(2, "opening", 5, "2024-01-01 08:00", "Oslo"),
        moved(3, "sale", -2, "2024-01-02 12:00", "Berlin"),
        moved(4, "count", 7, "2024-01-02 12:00", "Berlin"),
        moved(5, "count", 14, "2024-01-02 12:00"),
        moved(6, "sale", -1, "2024-01-02 12:01", "Berlin"),
        moved(7, "count", 3, "2024-01-02 12:00", "Paris"),
        moved(8, "count", 99, "2024-01-02 11:00", "Berlin"),
    )

    columns = ["location", "counted", "computed", "discrepancy", "counted_value", "discrepancy_value"]
    assert rows(made, *columns) == [
        ("(all)", 14, 13, 1, Decimal(35), Decimal("2.5")),
        ("Berlin", 7, 8, -1, Decimal("17.5"), Decimal("-2.5")),
        ("Paris", 3, None, None, Decimal("7.5"), None),
    ]


def test_a_shop_that_only_counts_has_the_stock_of_its_counts():
    made = counted(
        moved(1, "count", "1.5", "2024-01-01 08:00", product="Q"),
        moved(2, "count", 0, "2024-01-03 08:00"),
        first="2024-01-01",
        last="2024-01-02",
    )

    assert rows(made, "product_id", "counted", "computed", "unit_cost") == [("Q", Decimal("1.5"), None, None)]


DAY = dt.date(2024, 1, 1)
MOVEMENTS = st.tuples(
    st.sampled_from(["receipt", "sale", "count"]),
    st.decimals(0, 9, places=4),
    st.integers(0, 3),
    st.integers(0, 23),
    st.sampled_from([None, "A", "B"]),
)


@settings(max_examples=20, deadline=None)
@given(st.lists(MOVEMENTS, min_size=1, max_size=15))
def test_discrepancies_are_those_of_an_account(given_):
    movements = [
        (number, kind, -units if kind == "sale" else units, f"{DAY + dt.timedelta(day)} {hour:02}:00", location)
        for number, (kind, units, day, hour, location) in enumerate(given_)
    ]

    made = counted(*(moved(*movement) for movement in movements))

    last = {}
    for number, kind, units, at, location in movements:
        if kind == "count":
            key = (at[:10], location or ALL_LOCATIONS)
            last[key] = max(last.get(key, ("", "", 0)), (at, str(number), units))
    expected = []
    for (day, location), (at, _, units) in last.items():
        before = [
            change
            for _, kind, change, moment, where in movements
            if kind != "count" and moment <= at and location in (ALL_LOCATIONS, where)
        ]
        expected.append((day, location, units, units - sum(before) if before else None))
    found = [(str(day), *rest) for day, *rest in rows(made, "day", "location", "counted", "discrepancy")]
    assert sorted(found, key=str) == sorted(expected, key=str)
