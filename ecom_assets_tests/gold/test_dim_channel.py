import datetime as dt

from ecom_assets.gold.agg_channel_days import AggChannelDays
from ecom_assets.gold.dim_channel import transform
from ecom_assets_tests.samples import rows, run, sample


def test_a_channel_stands_on_the_first_of_its_days():
    seen = sample(
        AggChannelDays,
        {"channel": "email", "day": "2024-01-02"},
        {"channel": "email", "day": "2024-01-01"},
        {"channel": "unknown", "day": "2024-01-03"},
    )

    made = run(transform, seen)

    assert rows(made, "channel", "first_seen_on") == [("email", dt.date(2024, 1, 1)), ("unknown", dt.date(2024, 1, 3))]
