"""What would be quarantined, told before anything lands."""

from collections import Counter
from pathlib import Path

import pytest

from ecom_assets import catalog
from ecom_assets.days import ONE_DAY, Window
from ecom_assets.feeds import feed_contracts
from ecom_assets.landing.feed_settings import FeedSettings
from ecom_assets.landing.zone import Zone
from ecom_assets.warehouse.trial import Refused, trial
from ecom_assets_tests.warehouses import START, session_over, small_shop, window


@pytest.mark.slow
def test_a_trial_says_what_a_run_quarantines(tmp_path: Path) -> None:
    zone, days = small_shop(tmp_path / "landing", 4), window(4)
    session = session_over(zone)
    said = Counter[tuple[str, str]]()
    for declaration in [each for each in session.catalog if each.from_feed]:
        session.run(declaration.bronze, days)
        session.run(declaration.name, days)
        reasons = f"select unnest(reasons) as reason from {declaration.quarantine}"
        query = f"select reason, count(*) from ({reasons}) group by all"
        for reason, number in session.con.execute(query).fetchall():
            said[declaration.feed_name, reason] = number

    found = trial(zone, catalog.tables(), session.calendar, "UTC", before=Zone(tmp_path / "none"))

    assert {(each.feed, each.reason): each.rows for each in found} == said
    assert said.total() > 0


@pytest.mark.slow
def test_a_row_may_refer_to_what_landed_before(tmp_path: Path) -> None:
    zone, before, later = Zone(tmp_path / "now"), Zone(tmp_path / "before"), START + 3 * ONE_DAY
    head = "return_id,order_id,product_id,returned_at,updated_at,channel,quantity,amount,shipping,tax\n"
    row = f"{START} 10:00,{START} 10:00,web,1,5,0,0\n"
    zone.write(
        "returns",
        later,
        "returns.csv",
        f"{head}R1,o9,A,{row}R2,o1,A,{row.replace(',5,', ',-5,')}R3,o1,A,{row}".encode(),
    )
    order = "order_id,ordered_at,updated_at,status,channel,discount,shipping,tax\n"
    row = f"o1,{START},{START},paid,web,0,0,0\n"
    zone.write("orders", START + ONE_DAY, "orders.csv", f"{order}{row}".encode())

    def told() -> list[Refused]:
        return trial(zone, catalog.tables(), Window(START, later), "UTC", before)

    missing = Refused("returns", "order_id is in no row of silver.orders", 1, "R1")
    negative = Refused("returns", "broken: amount is at least 0", 1, "R2")
    assert sorted(told(), key=lambda each: each.example) == [missing, negative]
    before.write("orders", START, "orders.csv", f"{order}{row.replace('o1', 'o9')}".encode())
    assert told() == [negative]


@pytest.mark.slow
def test_rows_without_a_day_are_told_on_their_arrival_day_whatever_days_their_orders_have(tmp_path: Path) -> None:
    zone, arrived = Zone(tmp_path / "now"), START + ONE_DAY
    for feed in feed_contracts():
        zone.save_settings(feed, FeedSettings(due=frozenset(), max_bad_share=1.0))
    order = f"order_id,ordered_at,updated_at,status,channel,discount,shipping,tax\no1,{START},{START},paid,web,0,0,0\n"
    zone.write("orders", arrived, "orders.csv", order.encode())
    head = "order_id,line_number,ordered_at,updated_at,quantity,unit_price,discount\n"
    zone.write("order_items", arrived, "items.csv", f"{head}o1,1,01.03.2024,{START},1,5,0\n".encode())

    found = trial(zone, catalog.tables(), Window(START, arrived), "UTC", Zone(tmp_path / "before"))

    assert Refused("order_items", "ordered_at has no usable day", 1, "o1, 1") in found
