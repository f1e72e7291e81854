import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise

import duckdb
import narwhals as nw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_assets.gold.agg_customer_metrics import AggCustomerMetrics
from ecom_assets.kpi.customer_rfm import SEGMENTS, CustomerRfm, ntile, score, segment, transform
from ecom_assets_tests.samples import collected, days, rows, run, sample

JANUARY = dt.date(2024, 1, 31)


def bought(customer: str, day: str, spent: str = "10", **facts):
    return {"customer_id": customer, "day": day, "orders": 1, "gross_sales": spent, **facts}


@pytest.mark.slow
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


@pytest.mark.slow
def test_there_is_a_snapshot_at_month_ends_only():
    metrics = sample(AggCustomerMetrics, bought("A", "2024-01-05"))

    made = run(transform, metrics, days("2024-01-29", "2024-03-01"))

    assert rows(made, "snapshot_on") == [JANUARY, dt.date(2024, 2, 29)]


@pytest.mark.parametrize(
    ("count", "tiles"),
    [(1, [1]), (5, [1, 2, 3, 4, 5]), (7, [1, 1, 2, 2, 3, 4, 5]), (13, [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 5, 5])],
)
def test_quintiles_are_those_of_sql(count, tiles):
    place = nw.col("frequency") - 1
    snapshot = sample(CustomerRfm, *({"customer_id": f"{n:02}", "frequency": n + 1} for n in range(count)))

    made = run(lambda frame: frame.select("customer_id", tile=ntile(place, nw.lit(count, nw.Int64))), snapshot)

    assert [tile for _, tile in rows(made, "customer_id", "tile")] == tiles
    by_sql = duckdb.sql(f"select ntile(5) over (order by n) from range({count}) t(n) order by n").fetchall()
    assert [tile for (tile,) in by_sql] == tiles


def scores(values: list[int], name: Callable[[int], str] = "{:02}".format) -> list[int]:
    """The score by frequency of customers with these values, in their order."""
    customers = [{"customer_id": name(n), "frequency": value} for n, value in enumerate(values)]
    made = run(lambda frame: frame.select("customer_id", s=score("frequency")), sample(CustomerRfm, *customers))
    found = dict(rows(made, "customer_id", "s"))
    return [found[name(n)] for n in range(len(values))]


def test_different_values_score_their_quintiles() -> None:
    assert scores([7, 6, 5, 4, 3, 2, 1]) == [5, 4, 3, 2, 2, 1, 1]


def test_equal_values_score_alike() -> None:
    assert scores([9] * 10) == [3] * 10
    assert scores([1, 1, 1, 1, 2, 2, 2, 2, 2, 3]) == [1, 1, 1, 1, 4, 4, 4, 4, 4, 5]


@pytest.mark.parametrize(("count", "found"), [(1, [3]), (2, [3, 3]), (3, [2, 3, 4]), (4, [2, 3, 3, 4])])
def test_of_fewer_customers_than_quintiles_none_is_first_or_last(count: int, found: list[int]) -> None:
    assert scores(list(range(1, count + 1))) == found


@pytest.mark.slow
@given(st.lists(st.integers(1, 4), min_size=1, max_size=12))
@settings(max_examples=25)
def test_scores_depend_on_values_alone_and_rise_with_them(values: list[int]) -> None:
    found = scores(values)

    assert found == scores(values, lambda n: f"{99 - n}")
    pairs = sorted(zip(values, found, strict=True))
    assert all(a[1] <= b[1] if a[0] < b[0] else a[1] == b[1] for a, b in pairwise(pairs))


@pytest.mark.slow
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
