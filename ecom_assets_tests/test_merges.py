"""After a merge all tables are those of a shop in which the rows had always named the survivor."""

import dataclasses
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ecom_assets import catalog
from ecom_assets.contract import Layer
from ecom_assets.warehouse.proof import contents
from ecom_assets_tests.examples import examples
from ecom_assets_tests.expressions.test_survivors import survivors
from ecom_assets_tests.histories.replaying import repair_as_planned, replay
from ecom_assets_tests.histories.rows import DAYS, RETRACTIONS, START, Customer, Event, Item, Merge, Order, Product
from ecom_assets_tests.histories.steps import EVERYTHING, History, Land, Repair, Step
from ecom_assets_tests.histories.strategies import purchases

GOALS = "kpi.customer_rfm kpi.daily_customers gold.fact_touchpoints features.customer_features"
"""Tables that tell customers apart, and what they are made of."""
NAMING = {"orders", "returns", "events", "reviews"}
_merges = st.lists(
    st.builds(
        Merge,
        st.integers(1, 3),
        st.integers(1, 3),
        st.integers(-1, DAYS - 1),
        st.sampled_from(["", "", "", *RETRACTIONS]),
    ).filter(lambda merge: merge.customer != merge.into),
    min_size=1,
    max_size=4,
    unique_by=lambda merge: (merge.customer, merge.on),
)


@st.composite
def shops(draw: st.DrawFn, goal: str) -> tuple[History, Mapping[int, int]]:
    """What happens to a shop with three customers, in any order, and who survives whom in the end."""
    feeds = frozenset(catalog.tables().feeds) - {"customer_merges"}
    bought = [step for _ in range(3) for step in draw(purchases(feeds))]
    known = Land("customers", 0, "known.csv", tuple(Customer(number, on=0) for number in (1, 2, 3)))
    merges = draw(_merges)
    landed = [Land("customer_merges", max(m.on, 0), f"{n}.csv", (m,)) for n, m in enumerate(merges)]
    steps: list[Step] = draw(st.permutations([*bought, known, *landed, Repair(), Repair()]))
    said = [
        (str(m.customer), None if m.fault else str(m.into)) for m in sorted(merges, key=lambda m: (m.on, m.customer))
    ]
    return History(goal, tuple(steps)), {int(a): int(b) for a, b in survivors(*said).items()}


def as_if_always(history: History, survivor: Mapping[int, int]) -> History:
    """The same shop, whose rows have always named the survivors, and which knows of no merge."""
    return dataclasses.replace(
        history,
        steps=tuple(
            dataclasses.replace(
                step,
                rows=tuple(
                    dataclasses.replace(row, customer=survivor.get(row.customer, row.customer))
                    if step.feed in NAMING
                    else row
                    for row in (() if step.feed == "customer_merges" else step.rows)
                ),
            )
            if isinstance(step, Land)
            else step
            for step in history.steps
        ),
    )


def ends(history: History) -> dict[tuple[str, str], str]:
    """The published tables after a history, but for the merges themselves."""
    with tempfile.TemporaryDirectory(prefix="ecom-merges-") as folder, replay(history, Path(folder)) as session:
        repair_as_planned(session)
        return {
            (table, day): content
            for (table, day), content in contents(session).items()
            if Layer(table.partition(".")[0]).is_published and table != "gold.fact_customer_merges"
        }


def check(history: History, survivor: Mapping[int, int]) -> None:
    merged, always = ends(history), ends(as_if_always(history, survivor))
    different = [key for key in merged.keys() | always.keys() if merged.get(key) != always.get(key)]
    assert sorted(different) == [], f"after\n{history}"


SLOW = list(HealthCheck)


@pytest.mark.slow
@settings(max_examples=examples(4), suppress_health_check=SLOW, phases=[Phase.explicit, Phase.generate])
@given(shops(GOALS))
def test_tables_after_merges_are_those_of_rows_that_always_named_the_survivor(shop: tuple[History, Mapping[int, int]]):
    check(*shop)


@pytest.mark.long
@settings(max_examples=20, suppress_health_check=SLOW)
@given(shops(EVERYTHING))
def test_all_tables_after_merges_are_those_of_rows_that_always_named_the_survivor(
    shop: tuple[History, Mapping[int, int]],
):
    check(*shop)


def features_of_the_first_day(*steps: Step) -> list[tuple[object, ...]]:
    history = History("features.customer_features", steps)
    with tempfile.TemporaryDirectory(prefix="ecom-merges-") as folder, replay(history, Path(folder)) as session:
        repair_as_planned(session)
        query = "from features.customer_features where day = ? order by all"
        return session.con.execute(query, [START]).fetchall()


@pytest.mark.slow
def test_features_of_a_day_know_who_was_merged_later_and_nothing_that_happened_later():
    known = [Land("customers", 0, "a.csv", (Customer(1, on=0), Customer(2, on=0)))]
    known += [Land("products", 0, "a.csv", (Product(1, on=0),))]

    def bought(order: int, on: int, customer: int) -> list[Step]:
        visit = Event(order, on, 20, customer=customer, name="Product Added")
        rows = Order(order, on, customer=customer), Item(order, "1", on), visit
        return [Land(row.feed, on, f"{order}.csv", (row,)) for row in rows]

    first_day_of_one = features_of_the_first_day(*known, *bought(1, 0, customer=2))
    later = [*bought(2, 2, customer=1), Land("customer_merges", 3, "a.csv", (Merge(1, 2, on=3),))]

    assert len(first_day_of_one) == 1
    assert features_of_the_first_day(*known, *bought(1, 0, customer=1), *later) == first_day_of_one


def test_the_customers_of_all_feeds_are_merged():
    """A feed whose rows name a customer says by which table customers are merged."""
    naming = {
        declaration.feed_name: declaration.contract.columns["customer_id"].merged_by
        for declaration in catalog.tables()
        if declaration.from_feed and "customer_id" in declaration.contract.columns
    }
    profiles = {"customers", "customer_merges"}

    assert naming == {feed: None if feed in profiles else "silver.customer_merges" for feed in naming}
    assert naming.keys() == NAMING | profiles
