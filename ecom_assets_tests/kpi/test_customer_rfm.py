import datetime as dt
from decimal import Decimal

import pytest

from ecom_assets.gold.agg_customer_metrics import AggCustomerMetrics
from ecom_assets.kpi.customer_rfm import SEGMENTS, CustomerRfm, ntile, segment, transform
from ecom_assets_tests.samples import collected, days, rows, run, sample

JANUARY = dt.date(2024, 1, 31)


def bought(customer: str, day: str, spent: str = "10", **facts):
    return {"customer_id": customer, "day": day, "orders": 1, "gross_sales": spent, **facts}


def test_a_customer_is_what_the_orders_up_to_the_month_end_say():
    metrics = sample(
        AggCustomerMetrics,
        bought("A", "2024-01-05", "10", discounts="1"),
        bought("A", "2024-01-29", "5", orders=2, returns="7"),
        bought("A", "2024-02-01"),
        bought("B", "2024-02-01"),
        {"customer_id": "refund", "day": "2024-01-30", "returns": "3"},
    )

    made = run(transform, metrics, days("2024-01-30", "2024-01-31"))

    assert rows(made, "snapshot_on", "customer_id", "recency_days", "frequency", "monetary") == [
        (JANUARY, "A", 2, 3, Decimal(14))
    ]
    CustomerRfm.validate(collected(made))


def test_there_is_a_snapshot_at_month_ends_only():
    metrics = sample(AggCustomerMetrics, bought("A", "2024-01-05"))

    made = run(transform, metrics, days("2024-01-29", "2024-03-01"))

    assert rows(made, "snapshot_on") == [JANUARY, dt.date(2024, 2, 29)]


@pytest.mark.parametrize(
    ("count", "tiles"),
    [(1, [1]), (5, [1, 2, 3, 4, 5]), (7, [1, 1, 2, 2, 3, 4, 5]), (13, [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 5, 5])],
)
def test_quintiles_are_those_of_sql(count, tiles):
    snapshot = sample(CustomerRfm, *({"customer_id": f"{n:02}", "frequency": 1} for n in range(count)))

    made = run(lambda frame: frame.select("customer_id", tile=ntile("frequency")), snapshot)

    assert [tile for _, tile in rows(made, "customer_id", "tile")] == tiles


def test_the_latest_the_most_frequent_and_the_highest_score_five():
    others = [bought(f"{n}", f"2024-01-0{n}", f"{n}0") for n in range(1, 5)]
    metrics = sample(AggCustomerMetrics, *others, bought("best", "2024-01-20", "90", orders=2))

    made = run(transform, metrics, days(JANUARY))

    scores = ["customer_id", "recency_score", "frequency_score", "monetary_score", "segment"]
    assert rows(made, *scores)[-1] == ("best", 5, 5, 5, "Champions")


def test_each_pair_of_scores_has_one_of_eleven_names():
    snapshot = sample(
        CustomerRfm,
        *(
            {"customer_id": f"{recency}{value}", "recency_score": recency, "frequency_score": f, "monetary_score": m}
            for recency in range(1, 6)
            for value, f, m in [(1, 1, 1), (2, 1, 2), (3, 1, 5), (4, 4, 3), (5, 5, 4)]
        ),
    )

    made = run(lambda frame: frame.select("customer_id", segment=segment()), snapshot)

    named = dict(rows(made, "customer_id", "segment"))
    assert named == {f"{recency}{n}": name for recency, names in SEGMENTS.items() for n, name in enumerate(names, 1)}
    assert len(set(named.values())) == 11
