"""Snapshots at month ends keep the law of days: in a window of months as in a run of the last day alone."""

import datetime as dt
import random

import narwhals as nw
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ecom_assets import catalog
from ecom_assets.days import Window
from ecom_assets.gold.agg_customer_metrics import AggCustomerMetrics
from ecom_assets.gold.dim_date import transform as dates_of
from ecom_assets.kpi import customer_rfm, monthly_cohorts, monthly_insights, monthly_repeat_rates
from ecom_assets.kpi.daily_category_sales import DailyCategorySales
from ecom_assets.kpi.daily_payments import DailyPayments
from ecom_assets.kpi.daily_sales import DailySales
from ecom_assets_tests.samples import collected, days, run_window, sample

CALENDAR = Window(dt.date(2023, 1, 1), dt.date(2024, 4, 15))
WINDOW = Window(dt.date(2024, 1, 30), dt.date(2024, 3, 31))
MONTH_ENDS = [dt.date(2024, 1, 31), dt.date(2024, 2, 29), dt.date(2024, 3, 31)]
DRAW = random.Random(5)
BOUGHT = sorted((DRAW.choice(list(CALENDAR)), DRAW.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ")) for _ in range(120))


def _metrics() -> nw.LazyFrame:
    first: dict[str, dt.date] = {}
    rows = []
    for day, customer in dict.fromkeys(BOUGHT):
        first.setdefault(customer, day)
        amount = DRAW.randrange(100)
        rows.append(
            {
                "day": day,
                "customer_id": customer,
                "orders": DRAW.choice([0, 1, 1, 2]),
                "gross_sales": amount,
                "net_sales": amount,
                "first_order_on": first[customer],
            }
        )
    return sample(AggCustomerMetrics, *rows)


INPUTS = {
    "gold_agg_customer_metrics": _metrics(),
    "gold_dim_date": nw.from_native(collected(dates_of(days(CALENDAR.first, CALENDAR.last))).lazy()),
    "kpi_daily_category_sales": sample(DailyCategorySales, *({"day": d, "category": c, "units": 1} for d, c in BOUGHT)),
    "kpi_daily_payments": sample(DailyPayments, *({"day": d, "method": c, "captured_amount": 2} for d, c in BOUGHT)),
    "kpi_daily_sales": sample(DailySales, *({"day": d, "channel": c, "gross_sales": 3} for d, c in BOUGHT)),
}


@pytest.mark.slow
@pytest.mark.parametrize("module", [customer_rfm, monthly_cohorts, monthly_insights, monthly_repeat_rates])
def test_a_window_of_months_gives_what_the_last_days_give(module):
    declaration = catalog.tables()[module.__name__.removeprefix("ecom_assets.")]
    reads = {str(read.parameter): read.reach for read in declaration.reads}
    inputs = {name: (INPUTS[name], "day") for name in reads}
    on = declaration.contract.partition_column

    def stored(window: Window) -> pl.DataFrame:
        # A run sees the days of its window only, not what it reaches.
        of_window = {**inputs, "days": (days(window.first, window.last), "day")}
        return run_window(module.transform, window, of_window, reads, on).sort(*declaration.contract.primary_key)

    together = stored(WINDOW)

    assert together[on].unique().sort().to_list() == MONTH_ENDS
    for day in WINDOW:
        assert_frame_equal(stored(Window(day, day)), together.filter(together[on] == day))
