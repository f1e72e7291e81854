from ecom_assets import catalog
from ecom_assets.gold.dim_campaign_versions import DimCampaignVersions
from ecom_assets.kpi._profiles import ALL, AMOUNT, CAMPAIGNS, DELAY, HOUR, LATEST, MEAN, ROWS
from ecom_assets.kpi.daily_profiles import DailyProfiles, transform
from ecom_assets.silver.events import Events
from ecom_assets.silver.order_completions import OrderCompletions
from ecom_assets.silver.order_items import OrderItems
from ecom_assets.silver.orders import Orders
from ecom_assets.silver.payments import Payments
from ecom_assets.silver.returns import Returns
from ecom_assets.silver.reviews import Reviews
from ecom_assets.silver.shipments import Shipments
from ecom_assets_tests.samples import collected, days, rows, run, sample

DAY = "2024-01-01"


def test_a_day_has_the_rows_amounts_hours_and_categories_of_each_feed():
    orders = sample(
        Orders,
        {"order_id": "1", "ordered_at": f"{DAY} 10:00", "channel": "web", "country": "DE", "total": "10"},
        {"order_id": "2", "ordered_at": f"{DAY} 12:00", "channel": "web", "total": "-30"},
        {"order_id": "3", "ordered_at": f"{DAY} 23:00", "channel": "app", "country": "DE", "total": None},
    )
    payments = sample(
        Payments,
        {"payment_id": "1", "order_id": "1", "paid_at": f"{DAY} 10:30", "method": "card", "amount": "10"},
        {"payment_id": "2", "order_id": "of another day", "paid_at": f"{DAY} 11:00", "method": "card", "amount": "0"},
    )
    campaigns = sample(
        DimCampaignVersions,
        {"campaign_key": "1", "campaign_id": "K1", "starts_on": DAY, "ends_on": "2024-01-07"},
        {"campaign_key": "2", "campaign_id": "K2", "starts_on": DAY, "ends_on": None},
        {"campaign_key": "3", "campaign_id": "K3", "starts_on": "2024-01-02", "ends_on": "2024-01-07"},
        {"campaign_key": "4", "campaign_id": "K4", "starts_on": DAY, "ends_on": "2024-03-02"},
    )
    nothing = (sample(model) for model in (Shipments, Returns, Reviews, Events, OrderCompletions))

    made = run(transform, orders, sample(OrderItems), payments, *nothing, campaigns, days(DAY))

    DailyProfiles.validate(collected(made))
    of_rows = {tuple(place): count for *place, count in rows(made, "feed", "measure", "category", "rows")}
    assert (of_rows["orders", AMOUNT, ALL], of_rows["orders", HOUR, ALL], of_rows["payments", DELAY, ALL]) == (2, 3, 1)
    assert rows(made, "feed", "measure", "category", "value") == [
        (CAMPAIGNS, ROWS, ALL, 1.0),
        ("orders", LATEST, ALL, 21.9),
        ("orders", MEAN, ALL, 17.320508),
        ("orders", AMOUNT, ALL, 20.0),
        ("orders", HOUR, ALL, 12.0),
        ("orders", ROWS, ALL, 3.0),
        ("orders", ROWS, "channel=app", 1.0),
        ("orders", ROWS, "channel=web", 2.0),
        ("orders", ROWS, "country=(none)", 1.0),
        ("orders", ROWS, "country=DE", 2.0),
        ("orders", ROWS, "currency=(none)", 3.0),
        ("orders", ROWS, "store=(none)", 3.0),
        ("payments", LATEST, ALL, 10.975),
        ("payments", MEAN, ALL, 10.0),
        ("payments", AMOUNT, ALL, 10.0),
        ("payments", HOUR, ALL, 10.75),
        ("payments", DELAY, ALL, 0.5),
        ("payments", ROWS, ALL, 2.0),
        ("payments", ROWS, "method=card", 2.0),
    ]


def test_a_feed_whose_day_failed_stops_no_other():
    for table in ("kpi.daily_profiles", "kpi.feed_agreement"):
        same_day = [read for read in catalog.tables()[table].reads if read.reach.is_same_day]
        assert same_day == []
