"""Groups of rows of which each arrival holds all or none: a later arrival replaces them."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import narwhals as nw
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ecom_assets.contract import Date, Feed, Timestamp, column, contract, feed_contract, key
from ecom_assets.days import by_event_day
from ecom_assets.declaration import declare
from ecom_assets.landing.feed_settings import FeedSettings, FeedSettingsError
from ecom_assets.warehouse.proof import settle, verify
from ecom_assets_tests.examples import examples
from ecom_assets_tests.tiny_shop import TinyShop, days, of_feed, on, open_shop


class LineFeed(
    Feed,
    primary_key=("order_id", "line_number"),
    event_column="ordered_at",
    version_column="updated_at",
    name="landing.lines",
):
    """One row per line of an order and state of it."""

    order_id: str = key("Number of the order")
    line_number: int = key("Number of the line")
    ordered_at: Timestamp = column("When it was ordered")
    updated_at: Timestamp = column("When the order last changed")
    units: int = column("Units", ge=0)


class Lines(LineFeed, partition_column="ordered_on", max_bad_share=1.0, name="silver.lines"):
    """One row per line of an order."""

    ordered_on: Date = column("Day on which it was ordered")


def lines(bronze_lines: nw.LazyFrame) -> nw.LazyFrame:
    return bronze_lines


TABLES = of_feed(
    LineFeed, declare(contract(Lines), lines, {"bronze_lines": by_event_day}, feed=feed_contract(LineFeed))
)


@dataclass(frozen=True)
class Arrival:
    """All lines of an order at a version of it, in a file of their own."""

    order: int
    lines: tuple[int, ...]
    version: int
    arrived: int
    file: str = "a.csv"
    day: int = 0
    units: int = 1

    @property
    def rank(self) -> tuple[int, int, str]:
        return self.version, self.arrived, self.file


@contextmanager
def open_lines(folder: Path, complete: tuple[str, ...] = ("order_id",)) -> Iterator[TinyShop]:
    with open_shop(folder, TABLES) as shop:
        shop.session.zone.save_settings("lines", FeedSettings(due=frozenset(), complete=complete))
        yield shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[TinyShop]:
    with open_lines(tmp_path) as shop:
        yield shop


def land(shop: TinyShop, *arrivals: Arrival) -> None:
    for place, of in enumerate(arrivals):
        text = "order_id,line_number,ordered_at,updated_at,units,place\n"
        for line in of.lines:
            text += f"{of.order},{line},{on(of.day)}T12:00:00Z,2024-04-01T00:00:{of.version:02}Z,{of.units},{place}\n"
        shop.session.zone.write("lines", on(of.arrived), f"{of.order}{of.file}", text.encode())


def stored(shop: TinyShop) -> list[tuple[int, int, int]]:
    """Order, line and day of each line that is stored."""
    found = shop.rows("select order_id, line_number, ordered_on from silver.lines order by all")
    return [(int(order), line, (day - on(0)).days) for order, line, day in found]


def test_a_line_that_the_latest_arrival_of_its_order_lacks_is_superseded_by_it(shop):
    land(shop, Arrival(1, (1, 2), 1, 0), Arrival(2, (1, 2), 1, 0), Arrival(1, (1, 3), 2, 2))

    shop.run(days(0, 2))

    assert stored(shop) == [(1, 1, 0), (1, 3, 0), (2, 1, 0), (2, 2, 0)]
    assert shop.rows("select arrived_on, record, kind, by_arrived_on, by_source_file from superseded.lines") == [
        (on(0), record, "superseded", on(2), "1a.csv") for record in (1, 2)
    ]


def test_an_older_arrival_that_comes_late_replaces_nothing(shop):
    land(shop, Arrival(1, (1, 3), 2, 0), Arrival(1, (1, 2), 1, 2))

    shop.run(days(0, 2))

    assert stored(shop) == [(1, 1, 0), (1, 3, 0)]


def test_a_group_moves_to_another_day_as_a_whole(shop):
    land(shop, Arrival(1, (1, 2), 1, 0))
    settle(shop.session)
    land(shop, Arrival(1, (1, 2), 1, 0), Arrival(1, (3,), 2, 1, day=1))
    settle(shop.session)

    assert stored(shop) == [(1, 3, 1)]
    assert verify(shop.session) is None


def test_a_bad_row_of_the_latest_arrival_leaves_the_older_good_one(shop):
    land(shop, Arrival(1, (1, 2, 3), 1, 0), Arrival(1, (1, 2), 2, 1))
    path = shop.session.zone.root / "lines" / str(on(1)) / "1a.csv"
    path.write_text(path.read_text().replace("1,2,", "1,2,", 1).replace(",1,1\n", ",-1,1\n", 1))

    shop.run(days(0, 1))

    assert stored(shop) == [(1, 1, 0), (1, 2, 0)]
    assert shop.rows("select line_number, arrived_on from quarantine.lines") == [("1", on(1))]
    assert shop.rows("select line_number, arrived_on from silver.lines order by all") == [(1, on(0)), (2, on(1))]


def test_without_the_setting_lines_stay_and_with_it_they_go(tmp_path):
    with open_lines(tmp_path, complete=()) as shop:
        land(shop, Arrival(1, (1, 2), 1, 0), Arrival(1, (1,), 2, 1, day=1))
        settle(shop.session)
        assert stored(shop) == [(1, 1, 1), (1, 2, 0)]

    with open_lines(tmp_path) as shop:
        settle(shop.session)
        assert stored(shop) == [(1, 1, 1)]
        shop.session.zone.save_settings("lines", FeedSettings(due=frozenset()))
        again = type(shop.session)(shop.con, TABLES, shop.session.zone, shop.session.calendar)
        settle(again)
        assert stored(shop) == [(1, 1, 1), (1, 2, 0)]
        assert verify(again) is None


@pytest.mark.parametrize("complete", [("units",), ("order_id", "line_number")])
def test_groups_are_complete_by_a_part_of_the_key(shop, complete):
    shop.session.zone.save_settings("lines", FeedSettings(complete=complete))

    with pytest.raises(FeedSettingsError, match=r"\[lines\] complete: name some columns of the key, order_id, line_n"):
        shop.session.zone.check_settings(TABLES.feed_columns, TABLES.feed_keys)


_arrivals = st.builds(
    Arrival,
    st.integers(1, 2),
    st.sets(st.integers(1, 3), min_size=1).map(lambda some: tuple(sorted(some))),
    st.integers(0, 2),
    st.integers(0, 3),
    st.sampled_from(["a.csv", "b.csv"]),
    st.just(0),
    st.integers(0, 1),
)


@pytest.mark.slow
@settings(max_examples=examples(10), phases=[Phase.explicit, Phase.generate])
@given(
    st.lists(_arrivals, max_size=4, unique_by=lambda of: (of.order, of.arrived, of.file)),
    st.lists(st.integers(0, 3), min_size=3, max_size=3),
    st.randoms(use_true_random=False),
)
def test_groups_in_any_order_of_arrival_end_as_their_latest_arrival(arrivals, moved, chance):
    arrivals = [Arrival(*(vars(of) | {"day": min(of.arrived, moved[of.version])}).values()) for of in arrivals]
    latest = {of.order: of for of in sorted(arrivals, key=lambda of: of.rank)}
    with tempfile.TemporaryDirectory() as folder, open_lines(Path(folder)) as shop:
        landed = list(arrivals)
        chance.shuffle(landed)
        for number in range(len(landed)):
            land(shop, landed[number])
            settle(shop.session)

        if arrivals:
            expected = sorted((of.order, line, of.day) for of in latest.values() for line in of.lines)
            assert stored(shop) == expected
        assert verify(shop.session) is None
