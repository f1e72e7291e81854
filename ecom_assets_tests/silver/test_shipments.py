from ecom_assets.silver.shipments import Shipments
from ecom_assets_tests.samples import broken_rules

SENTENCE = "A shipment is not shipped before it is ordered, nor delivered before it is shipped."
PARCEL = {"status": "delivered", "ordered_at": "2024-01-01 10:00"}
END = "2024-01-01 23:59:59"


def broken(shipped: tuple[str, str], delivered: tuple[str, str]) -> bool:
    milestones = {
        "shipped_at": shipped[0],
        "shipped_until": shipped[1],
        "delivered_at": delivered[0],
        "delivered_until": delivered[1],
    }
    return broken_rules(Shipments, {**PARCEL, **milestones}) == [SENTENCE]


def test_a_bare_day_of_a_milestone_is_compared_as_a_day():
    on_the_day, too_early = ("2024-01-01", END), ("2023-12-31", "2023-12-31 23:59:59")

    assert not broken(on_the_day, on_the_day)
    assert broken(too_early, on_the_day)
    assert not broken(("2024-01-01 12:00", "2024-01-01 12:00"), on_the_day)
    assert broken(("2024-01-01 09:59", "2024-01-01 09:59"), on_the_day)
    assert broken(on_the_day, too_early)
