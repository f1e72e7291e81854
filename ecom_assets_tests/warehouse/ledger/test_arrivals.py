"""Which arrival days have files to read."""

import datetime as dt
from pathlib import Path

from ecom_assets.days import Window
from ecom_assets.landing.zone import Zone
from ecom_assets.warehouse.ledger.arrivals import unread

JANUARY = Window.parse("2024-01-01..2024-01-31")


def on(day: int) -> dt.date:
    return dt.date(2024, 1, day)


def test_days_are_unread_when_their_files_are_new_or_changed(tmp_path: Path) -> None:
    zone = Zone(tmp_path)
    for day in (1, 2, 3):
        zone.write("orders", on(day), "orders.csv", b"order_id\n1\n")
    recorded = {("bronze.orders", day): read for day, read in zone.fingerprint("orders", on(1), on(2)).items()}
    zone.write("orders", on(2), "orders.csv", b"order_id\n1\n2\n")

    assert [(found.table, found.day) for found in unread(zone, ["bronze.orders"], recorded, JANUARY)] == [
        ("bronze.orders", on(2)),
        ("bronze.orders", on(3)),
    ]


def test_a_day_on_which_nothing_landed_is_unread_once_later_files_brought_rows_of_it(tmp_path: Path) -> None:
    zone = Zone(tmp_path)
    zone.write("orders", on(1), "orders.csv", b"order_id\n1\n")
    zone.write("orders", on(4), "orders.csv", b"order_id\n2\n3\n")
    recorded = {("bronze.orders", day): read for day, read in zone.fingerprint("orders", on(1), on(4)).items()}
    del recorded["bronze.orders", on(2)], recorded["bronze.orders", on(3)]

    found = unread(zone, ["bronze.orders"], recorded, JANUARY, happened={on(1), on(3), on(4), on(5)})

    assert [stale.day for stale in found] == [on(3)]


def test_a_day_whose_files_vanished_is_unread(tmp_path: Path) -> None:
    zone = Zone(tmp_path)
    landed = zone.write("orders", on(1), "orders.csv", b"order_id\n1\n")
    recorded = {("bronze.orders", on(1)): zone.fingerprint("orders", on(1), on(1))[on(1)]}
    landed.unlink()

    assert [found.day for found in unread(zone, ["bronze.orders"], recorded, JANUARY)] == [on(1)]


def test_days_outside_the_calendar_are_never_asked_for(tmp_path: Path) -> None:
    zone = Zone(tmp_path)
    zone.write("orders", dt.date(2024, 2, 1), "orders.csv", b"order_id\n1\n")

    assert unread(zone, ["bronze.orders"], {}, JANUARY) == []


def test_a_day_on_which_only_others_landed_is_unread_unless_files_may_still_come(tmp_path: Path) -> None:
    zone = Zone(tmp_path)
    for day in (1, 2, 3):
        zone.write("orders", on(day), "orders.csv", b"order_id\n1\n")
    zone.write("returns", on(1), "returns.csv", b"return_id\n1\n")
    both = ["bronze.orders", "bronze.returns", "bronze.visits"]

    assert [(found.table, found.day) for found in unread(zone, both, {}, JANUARY, ["bronze.returns"])] == [
        ("bronze.returns", on(1)),
        ("bronze.returns", on(2)),
    ]
    assert [found.day for found in unread(zone, both, {}, JANUARY, ["bronze.visits"])] == [on(1), on(2), on(3)]
