import datetime as dt

from ecom_assets.gold.dim_date import transform
from ecom_assets_tests.samples import days, rows, run


def test_a_sunday_in_january_may_belong_to_the_last_iso_week_of_the_year_before():
    calendar = run(transform, days("2023-01-01", "2023-01-02"))

    columns = ["day", "quarter", "month_name", "iso_week", "weekday", "weekday_name", "is_weekend"]
    assert rows(calendar, *columns) == [
        (dt.date(2023, 1, 1), 1, "January", "2022-W52", 7, "Sunday", True),
        (dt.date(2023, 1, 2), 1, "January", "2023-W01", 1, "Monday", False),
    ]
