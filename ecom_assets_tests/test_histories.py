"""Whatever happens, and in whatever order: once nothing is stale, the warehouse is as one clean run makes it."""

import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from ecom_assets import catalog
from ecom_assets_tests.examples import examples
from ecom_assets_tests.histories.remembered import REMEMBERED
from ecom_assets_tests.histories.replaying import broken_law, replay
from ecom_assets_tests.histories.rows import Order, Payment
from ecom_assets_tests.histories.steps import EVERYTHING, History, Land, Reopen, Repair, Run, tables_of
from ecom_assets_tests.histories.strategies import GOALS, histories
from ecom_assets_tests.histories.tally import Tally, tally_repairs

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def check(history: History, by_row: bool = False) -> None:
    with tempfile.TemporaryDirectory(prefix="ecom-history-") as folder, replay(history, Path(folder)) as session:
        broken = broken_law(session, by_row)
    assert not broken, f"{broken}\nafter\n{history}"


@pytest.mark.slow
@settings(max_examples=examples(16), suppress_health_check=SLOW)
@given(histories(GOALS, steps=4))
def test_a_few_histories_end_as_a_clean_run(history: History):
    check(history, by_row=True)


@pytest.mark.slow
@pytest.mark.parametrize("history", REMEMBERED.values(), ids=REMEMBERED)
def test_a_remembered_history_ends_as_a_clean_run(history: History):
    check(history, by_row=True)


@pytest.mark.long
@settings(max_examples=200, suppress_health_check=SLOW)
@given(histories([*GOALS, EVERYTHING], steps=14))
def test_many_histories_end_as_a_clean_run(history: History):
    check(history, by_row=len(str(history)) % 10 == 0)


def test_each_table_is_in_a_part_of_the_catalog():
    assert {name for goal in GOALS for name in tables_of(goal).names} == set(catalog.tables().names)


@pytest.mark.slow
def test_a_history_is_printed_as_a_script_that_gives_it_again():
    history = History(
        "gold.fact_payments",
        (
            Land("orders", 0, "a.csv", (Order(1, on=0), Order(1, on=2, version=1, fault="rule"))),
            Land("payments", 1, "b.jsonl", (Payment(1, on=0),)),
            Run(crash=3),
            Reopen(),
            Repair(),
        ),
    )

    assert eval(str(history)) == history
    check(history, by_row=True)


@pytest.mark.long
def test_repairs_run_same_days_only_where_an_input_changed(capsys: pytest.CaptureFixture[str]):
    tally = Tally()

    @settings(max_examples=30, suppress_health_check=SLOW)
    @given(histories([*GOALS, EVERYTHING], steps=10))
    def count(history: History) -> None:
        with tempfile.TemporaryDirectory(prefix="ecom-history-") as folder:
            tally_repairs(history, Path(folder), tally)

    count()
    with capsys.disabled():
        sys.stdout.write(f"\n{tally}\n")

    assert tally.needless == []
