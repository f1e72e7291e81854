"""The landing zone lists what arrived, knows repetitions, and is not fooled by its index."""

import datetime as dt
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecom_assets.landing import zone as landing_zone
from ecom_assets.landing.feed_settings import FeedSettings, FeedSettingsError
from ecom_assets.landing.reading import read
from ecom_assets.landing.zone import Zone, kind_of

MONDAY = dt.date(2024, 1, 1)
TUESDAY = dt.date(2024, 1, 2)
WEDNESDAY = dt.date(2024, 1, 3)


@pytest.fixture
def zone(tmp_path: Path) -> Zone:
    return Zone(tmp_path / "landing")


def settle(zone: Zone) -> None:
    """Let all files and folders be old enough for the index to trust them."""
    for path in [*zone.root.rglob("*"), zone.root]:
        os.utime(path, (1_700_000_000, 1_700_000_000))


def names(zone: Zone, day: dt.date = MONDAY) -> list[str]:
    return [file.name for file in zone.arrivals("orders", day, day)[day]]


def test_every_day_of_the_window_is_listed(zone: Zone) -> None:
    zone.write("orders", TUESDAY, "b.csv", b"2")
    zone.write("orders", TUESDAY, "a.csv", b"1")

    arrivals = zone.arrivals("orders", MONDAY, WEDNESDAY)

    assert {day: [file.name for file in files] for day, files in arrivals.items()} == {
        MONDAY: [],
        TUESDAY: ["a.csv", "b.csv"],
        WEDNESDAY: [],
    }
    assert zone.days("orders") == [TUESDAY]
    assert zone.feeds() == ["orders"]


def test_a_zone_that_is_not_there_is_empty(zone: Zone) -> None:
    assert zone.feeds() == []
    assert zone.days("orders") == []
    assert zone.arrivals("orders", MONDAY, MONDAY) == {MONDAY: []}


def test_files_in_flight_and_foreign_folders_are_not_listed(zone: Zone) -> None:
    folder = zone.write("orders", MONDAY, "a.csv", b"1").parent
    for name in (".b.csv.part", "_SUCCESS"):
        (folder / name).write_bytes(b"x")
    (folder / "folder").mkdir()
    for name in ("2024-13-01", "20240102", "notes"):
        (folder.parent / name).mkdir()

    assert names(zone) == ["a.csv"]
    assert zone.days("orders") == [MONDAY]


def test_the_same_bytes_landed_again_point_to_the_first(zone: Zone) -> None:
    zone.write("orders", MONDAY, "b.csv", b"same")
    zone.write("orders", TUESDAY, "a.csv", b"same")
    zone.write("payments", MONDAY, "a.csv", b"same")

    assert zone.arrivals("orders", TUESDAY, TUESDAY)[TUESDAY][0].duplicate_of == "2024-01-01/b.csv"
    assert zone.arrivals("orders", MONDAY, MONDAY)[MONDAY][0].duplicate_of is None
    assert zone.arrivals("payments", MONDAY, MONDAY)[MONDAY][0].duplicate_of is None


def test_nothing_repeats_a_file_that_arrived_before_the_calendar(zone: Zone) -> None:
    zone.write("orders", MONDAY, "a.csv", b"same")
    zone.write("orders", TUESDAY, "a.csv", b"same")
    zone.write("orders", WEDNESDAY, "a.csv", b"same")

    found = zone.arrivals("orders", MONDAY, WEDNESDAY, since=TUESDAY)

    assert [[file.duplicate_of for file in files] for files in found.values()] == [[], [None], ["2024-01-02/a.csv"]]
    assert zone.fingerprint("orders", TUESDAY, TUESDAY, TUESDAY) != zone.fingerprint("orders", TUESDAY, TUESDAY)


def test_a_file_repeats_only_what_is_read_in_the_same_way(zone: Zone) -> None:
    for name in ("a.bak", "a.csv", "a.csv.gz", "a.json", "a.jsonl", "a.ndjson", "b.bak", "b.csv"):
        zone.write("orders", MONDAY, name, b"same")

    found = {file.name: file.duplicate_of for file in zone.arrivals("orders", MONDAY, MONDAY)[MONDAY]}

    assert {name: original for name, original in found.items() if original} == {
        "a.ndjson": "2024-01-01/a.jsonl",
        "b.csv": "2024-01-01/a.csv",
    }


@pytest.mark.skipif(sys.platform == "darwin", reason="Names of files are always UTF-8 there.")
def test_a_name_that_is_not_utf_8_is_text_and_of_no_kind(zone: Zone) -> None:
    for name in (b"caf\xe9.csv", "café.csv".encode()):
        zone.write("orders", MONDAY, os.fsdecode(name), b"same")
    settle(zone)

    for _ in ("looked at", "remembered"):
        found = zone.arrivals("orders", MONDAY, MONDAY)[MONDAY]
        assert [(file.name, file.duplicate_of) for file in found] == [("café.csv", None), (r"b'caf\xe9.csv'", None)]
        assert all(file.path.exists() for file in found)
    assert kind_of(found[1].name) is None


def test_what_nobody_reads_is_named(zone: Zone) -> None:
    for place in (
        "order/2024-01-02/a.csv",
        "orders/2024-1-3/b.csv",
        "orders/c.csv",
        "d.csv",
        "orders/2024-01-04/e.csv",
    ):
        file = zone.root / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    zone.save_settings("orders", FeedSettings())

    unrecognized = [str(place.relative_to(zone.root)) for place in zone.unrecognized_files(["orders"])]

    assert unrecognized == ["d.csv", "order", "orders/2024-1-3", "orders/c.csv"]


@pytest.mark.parametrize("settled", [True, False])
def test_a_file_changed_in_place_has_another_digest(zone: Zone, settled: bool) -> None:
    path = zone.write("orders", MONDAY, "a.csv", b"1")
    if settled:
        settle(zone)
    before = zone.fingerprint("orders", MONDAY, MONDAY)
    stat = path.stat()
    path.write_bytes(b"2")
    if not settled:
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    assert zone.fingerprint("orders", MONDAY, MONDAY) != before


def test_files_that_come_and_go_are_noticed(zone: Zone) -> None:
    zone.write("orders", MONDAY, "a.csv", b"1")
    settle(zone)
    assert names(zone) == ["a.csv"]
    path = zone.write("orders", MONDAY, "b.csv", b"2")
    assert names(zone) == ["a.csv", "b.csv"]
    path.unlink()
    assert names(zone) == ["a.csv"]


def test_a_file_beside_one_not_settled_is_not_forgotten(zone: Zone) -> None:
    path = zone.write("orders", MONDAY, "a.csv", b"1")
    zone.write("orders", MONDAY, "b.csv", b"2")
    settle(zone)
    os.utime(path)
    names(zone)

    assert names(zone) == ["a.csv", "b.csv"]


def test_digests_are_not_computed_twice(zone: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    zone.write("orders", MONDAY, "a.csv", b"1")
    settle(zone)
    names(zone)
    monkeypatch.setattr("ecom_assets.landing.zone._digest", lambda path: pytest.fail(f"{path} was hashed again"))

    assert names(Zone(zone.root)) == ["a.csv"]


@pytest.mark.parametrize("damage", [b"", b"no database" * 1000])
def test_the_index_may_be_deleted_or_damaged(zone: Zone, damage: bytes) -> None:
    zone.write("orders", MONDAY, "a.csv", b"1")
    before = zone.arrivals("orders", MONDAY, MONDAY)
    index = zone.root / ".index.sqlite"
    index.unlink()
    if damage:
        index.write_bytes(damage)

    assert zone.arrivals("orders", MONDAY, MONDAY) == before


def test_a_fingerprint_changes_with_what_a_day_holds_and_nothing_else(zone: Zone) -> None:
    zone.write("orders", MONDAY, "a.csv", b"1")
    zone.write("orders", WEDNESDAY, "a.csv", b"3")
    first = zone.fingerprint("orders", MONDAY, WEDNESDAY)
    assert zone.fingerprint("orders", MONDAY, WEDNESDAY) == first
    assert all(0 <= value < 2**64 for value in first.values())

    zone.write("orders", TUESDAY, "a.csv", b"2")
    second = zone.fingerprint("orders", MONDAY, WEDNESDAY)
    assert {day for day in first if first[day] != second[day]} == {TUESDAY}

    zone.write("orders", MONDAY, "b.csv", b"3")
    third = zone.fingerprint("orders", MONDAY, WEDNESDAY)
    assert {day for day in first if second[day] != third[day]} == {MONDAY, WEDNESDAY}

    zone.save_settings("orders", FeedSettings("Europe/London"))
    fourth = zone.fingerprint("orders", MONDAY, WEDNESDAY)
    assert all(third[day] != fourth[day] for day in first)


def test_a_feed_is_due_from_its_first_arrival_on_its_weekdays(zone: Zone) -> None:
    zone.save_settings("orders", FeedSettings(due=frozenset({0, 2})))
    assert not zone.is_due("orders", MONDAY)

    zone.write("orders", TUESDAY, "a.csv", b"1")

    assert [zone.is_due("orders", MONDAY + dt.timedelta(days=n)) for n in (0, 1, 2, 7)] == [False, False, True, True]


def test_no_file_is_due_on_closed_days_and_public_holidays(zone: Zone) -> None:
    zone.write("orders", dt.date(2024, 3, 28), "a.csv", b"1")
    easter = [dt.date(2024, 3, 28) + dt.timedelta(days=n) for n in range(5)]

    def due(**settings: Any) -> list[int]:
        zone.save_settings("orders", FeedSettings(**settings))
        return [day.day for day in easter if Zone(zone.root).is_due("orders", day)]

    assert due() == [28, 29, 30, 31, 1]
    assert due(closed=frozenset({dt.date(2024, 3, 30)})) == [28, 29, 31, 1]
    assert due(holidays="DE") == [28, 30, 31]
    assert due(holidays="DE-BB") == [28, 30]
    assert due(due=frozenset({4, 5}), holidays="US") == [29, 30]


@given(st.sampled_from(["DE", "FR", "US-CA", None]), st.sets(st.dates(), max_size=3), st.sets(st.integers(0, 6)))
def test_settings_of_days_are_read_as_they_were_saved(place: str | None, closed: set[dt.date], due: set[int]) -> None:
    saved = FeedSettings(due=frozenset(due), holidays=place, closed=frozenset(closed))
    with tempfile.TemporaryDirectory() as folder:
        Zone(Path(folder)).save_settings("orders", saved)

        assert Zone(Path(folder)).settings("orders") == saved
    assert not any(saved.is_due(day) for day in closed)


def test_settings_are_kept_per_feed(zone: Zone) -> None:
    zone.save_settings("events", FeedSettings("Asia/Tokyo"))
    zone.save_settings("returns", FeedSettings(max_bad_share=0.1, min_bad_rows=3))
    zone.save_settings("orders", FeedSettings("Europe/London", frozenset({0, 6}), extra={"is gift": "boolean"}))

    assert Zone(zone.root).settings("returns") == FeedSettings(max_bad_share=0.1, min_bad_rows=3)
    assert zone.judging() == {
        "orders": {"extra": {"is gift": "boolean"}},
        "returns": {"max_bad_share": 0.1, "min_bad_rows": 3},
    }
    assert Zone(zone.root).settings("orders") == FeedSettings(
        "Europe/London", frozenset({0, 6}), extra={"is gift": "boolean"}
    )
    assert zone.settings("events") == FeedSettings("Asia/Tokyo")
    assert zone.settings("payments") == FeedSettings()


def test_settings_saved_at_the_same_time_are_all_kept(zone: Zone) -> None:
    feeds = [f"feed {number}" for number in range(80)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda feed: Zone(zone.root).save_settings(feed, FeedSettings("Asia/Tokyo")), feeds))

    assert {zone.settings(feed).time_zone for feed in feeds} == {"Asia/Tokyo"}


@pytest.mark.parametrize(("time_zone", "due"), [("Europe/Londn", {0}), ("../etc/passwd", {0}), ("UTC", {7})])
def test_impossible_settings_are_refused(time_zone: str, due: set[int]) -> None:
    with pytest.raises(ValueError, match=r"time zone|Weekdays"):
        FeedSettings(time_zone, frozenset(due))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[orders", ""),
        ("orders = 1", ""),
        ("[orders]\ndue = 3", "[orders] due must be a list of weekdays"),
        ('[orders]\ndue = "mon"', "[orders] due must be a list of weekdays"),
        ("[orders]\ntime_zone = 5", "[orders] time_zone must be a text"),
        ('[orders]\ndue = ["monday"]', "[orders] due: unknown weekday 'monday'; use mon, tue"),
        ('[orders]\ntimezone = "UTC"', "[orders] unknown setting timezone; known settings: time_zone, due,"),
        ('[orders]\nmax_bad_share = "5 %"', "[orders] max_bad_share must be a number from 0 to 1, such as 0.1."),
        ("[orders]\nmax_bad_share = true", "[orders] max_bad_share must be a number from 0 to 1, such as 0.1."),
        ("[orders]\nmax_bad_share = 5", "[orders] max_bad_share is 5; write a number from 0 to 1, such as 0.1."),
        ("[orders]\nmax_bad_share = nan", "[orders] max_bad_share is nan; write a number from 0 to 1, such as 0.1."),
        ('[orders]\nholidays = "XX"', "[orders] holidays is 'XX': no such country; write an ISO 3166 code such as DE"),
        ('[orders]\nholidays = "DE-XX"', "[orders] holidays is 'DE-XX': DE has BB, BE, BW"),
        ("[orders]\nholidays = true", '[orders] holidays must be a country such as "DE"'),
        ("[orders]\nclosed = 20240329", '[orders] closed must be a list of days such as ["2024-12-24"].'),
        ('[orders]\nclosed = ["Easter"]', '[orders] closed must be a list of days such as ["2024-12-24"].'),
        ("[events]\nrules = 1", "[events] rules must be tables of patterns and of the values to set"),
        ('[[events.rules]]\nutm_source = "x"', "[events] rules must be tables of patterns and of the values to set"),
        ('[[events.rules]]\nset = { channel = "sms" }', "[events] rules must be tables of patterns"),
        ("[orders]\nmin_bad_rows = 2.5", "[orders] min_bad_rows must be a whole number, such as 10."),
        ("[orders]\nround_amounts = 2.0", "[orders] round_amounts must be a number of decimals, such as 2."),
        ("[orders]\nround_amounts = 5", "[orders] round_amounts is 5; write a number of decimals from 0 to 4."),
        ("[orders]\nextra = 1", "[orders] extra must be a table of columns and their kinds"),
        ('[orders.extra]\nregion = "txt"', "[orders] extra: region is of an unknown kind 'txt'; use text, integer,"),
        ("[orders]\nmin_bad_rows = 0", "[orders] min_bad_rows is 0; write a whole number from 1 on."),
    ],
)
def test_settings_that_cannot_be_read_name_their_file(zone: Zone, text: str, told: str) -> None:
    zone.root.mkdir()
    (zone.root / "feeds.toml").write_text(text)

    with pytest.raises(ValueError, match=r"feeds\.toml: ") as refused:
        zone.settings("orders")
    assert told in str(refused.value)


def test_a_file_that_cannot_be_opened_holds_up_no_other_and_is_read_once_it_can(
    zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = zone.write("orders", MONDAY, "closed.csv", b"order_id\n1\n")
    zone.write("orders", TUESDAY, "open.csv", b"order_id\n2\n")
    settle(zone)
    (zone.root / "orders" / f"{TUESDAY}" / "round.csv").symlink_to("round.csv")
    os.mkfifo(zone.root / "orders" / f"{TUESDAY}" / "pipe.csv")

    def guarded(path: str, mode: str) -> BinaryIO:
        if path == str(closed):
            raise PermissionError(13, "Permission denied", path)
        return Path(path).open("rb")

    with monkeypatch.context() as patched:
        patched.setattr(landing_zone, "open", guarded, raising=False)
        for _ in range(2):
            arrivals = zone.arrivals("orders", MONDAY, TUESDAY)
            before = zone.fingerprint("orders", MONDAY, MONDAY)
    assert [file.is_closed for day in arrivals.values() for file in day] == [True, False]
    with duckdb.connect() as con:
        files = [file for day in arrivals.values() for file in day]
        rows = read(con, files, ["order_id"]).order("arrived_on").select("order_id, problem").fetchall()
    assert rows == [(None, "the file cannot be opened; let the user who runs the platform read it"), ("2", None)]

    assert zone.fingerprint("orders", MONDAY, MONDAY) != before
    assert not zone.arrivals("orders", MONDAY, MONDAY)[MONDAY][0].is_closed


def test_settings_of_a_feed_that_there_is_not_are_refused(zone: Zone) -> None:
    zone.save_settings("order", FeedSettings("Asia/Tokyo"))

    with pytest.raises(FeedSettingsError, match=r"feeds\.toml: unknown feed 'order'; did you mean 'orders'"):
        zone.check_settings({"orders": ["order_id"], "events": []})


def test_a_failed_write_leaves_the_old_file_and_no_rest(zone: Zone) -> None:
    path = zone.write("orders", MONDAY, "a.csv", b"old")

    def half(part: Path) -> None:
        part.write_bytes(b"ha")
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        zone.write("orders", MONDAY, "a.csv", half)

    assert path.read_bytes() == b"old"
    assert os.listdir(path.parent) == ["a.csv"]


@pytest.mark.parametrize("name", [".a.csv", "_a.csv", "../a.csv", "b/a.csv", ""])
def test_names_the_zone_would_not_list_are_refused(zone: Zone, name: str) -> None:
    with pytest.raises(ValueError, match="not a valid name for a landed file"):
        zone.write("orders", MONDAY, name, b"1")
