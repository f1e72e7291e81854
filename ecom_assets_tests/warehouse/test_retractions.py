"""A row that retracts its key: it competes with the other versions, and if it wins, no row of the key is stored."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ecom_assets.days import State
from ecom_assets.landing.zone import FeedSettings
from ecom_assets.warehouse.proof import settle, verify
from ecom_assets_tests.examples import examples
from ecom_assets_tests.tiny_shop import TinyShop, days, on, open_shop

HEADER = "order_id,customer_id,ordered_at,updated_at,amount,is_deleted"


@dataclass(frozen=True)
class Version:
    """A version of an order, and how it arrives."""

    order: int
    day: int | None
    version: int
    arrived: int
    file: str = "a.csv"
    is_deleted: bool = False

    @property
    def line(self) -> str:
        at = "" if self.day is None else f"{on(self.day)}T12:00:00Z"
        amount = "" if self.is_deleted else "10"
        return f"{self.order},,{at},2024-04-01T00:00:{self.version:02}Z,{amount},{str(self.is_deleted).lower()}"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[TinyShop]:
    with open_shop(tmp_path) as shop:
        yield shop


def land(shop: TinyShop, *versions: Version) -> None:
    """Lands all files that hold any of these versions."""
    for arrived, file in sorted({(each.arrived, each.file) for each in versions}):
        lines = [each.line for each in versions if (each.arrived, each.file) == (arrived, file)]
        text = "\n".join([HEADER, *lines, ""]).replace("\n", f",{arrived} {file}\n")  # no file is a duplicate
        shop.session.zone.write("orders", on(arrived), file, text.encode())
    shop.land_customers(0)


def fates(shop: TinyShop) -> list[tuple[int, str, int | None]]:
    """Arrival day of each superseded row, how, and the arrival day of the row that supersedes it."""
    found = shop.rows("select arrived_on, kind, by_arrived_on from superseded.orders order by all")
    return [((day - on(0)).days, kind, by and (by - on(0)).days) for day, kind, by in found]


def test_a_retraction_without_a_moment_takes_the_row_of_another_day_out(shop):
    land(shop, Version(1, 0, 1, 0), Version(2, 0, 1, 0), Version(1, None, 2, 2, is_deleted=True))

    shop.run(days(0, 2))

    assert shop.orders("gold.sales") == [(0, 2)]
    assert fates(shop) == [(0, "superseded", 2), (2, "retraction", None)]
    assert shop.rows("select count(*) from quarantine.orders") == [(0,)]


def test_a_later_version_brings_a_retracted_key_back(shop):
    land(shop, Version(1, 0, 1, 0), Version(1, None, 2, 1, is_deleted=True), Version(1, 0, 3, 2))

    shop.run(days(0, 2))

    assert shop.orders() == [(0, 1)]
    assert fates(shop) == [(0, "superseded", 2), (1, "superseded", 2)]


def test_a_retraction_needs_its_key_and_its_version(shop):
    lines = [HEADER, ",,,2024-04-01T00:00:01Z,,yes", "1,,,,,yes", "2,nobody,some day,2024-04-01T00:00:01Z,-1,yes"]
    lines += [Version(order, 0, 1, 0).line for order in (3, 4)]
    shop.session.zone.write("orders", on(0), "a.csv", "\n".join([*lines, ""]).encode())
    shop.land_customers(0)

    shop.run(days(0))

    assert shop.rows("select record, reason_codes from quarantine.orders order by all") == [
        (1, ["order_id_present"]),
        (2, ["updated_at_present"]),
    ]
    assert shop.orders() == [(0, 3), (0, 4)]
    assert fates(shop) == [(0, "retraction", None)]


def test_a_day_of_retractions_alone_is_good(shop):
    land(shop, Version(1, None, 1, 0, is_deleted=True), Version(2, None, 1, 0, is_deleted=True))

    shop.run(days(0))

    assert shop.states("silver.orders") == [State.STORED]


def test_a_bad_version_of_a_retracted_key_counts_for_no_share(shop):
    land(shop, *(Version(1, 0, version, 0, is_deleted=version == 2) for version in (1, 2)))
    path = shop.session.zone.root / "orders" / str(on(0)) / "a.csv"
    path.write_text(path.read_text().replace(",10,", ",-1,"))

    shop.run(days(0))

    assert shop.states("silver.orders") == [State.STORED]
    assert shop.rows("select reason_codes from quarantine.orders") == [(["amount_greater_than_or_equal_to"],)]


def expected(versions: list[Version]) -> list[tuple[int, int]]:
    """Day and number of the orders whose best version does not retract them: by version, then by arrival."""
    best: dict[int, tuple[tuple[int, int, str, int], Version]] = {}
    for place, version in enumerate(versions):
        rank = version.version, version.arrived, version.file, place
        if version.order not in best or rank > best[version.order][0]:
            best[version.order] = rank, version
    return sorted((v.day or 0, v.order) for _, v in best.values() if not v.is_deleted)


_versions = st.builds(
    lambda order, day, version, late, file, is_deleted, is_dated: Version(
        order, day if is_dated or not is_deleted else None, version, day + late, file, is_deleted
    ),
    st.integers(1, 2),
    st.integers(0, 2),
    st.integers(0, 2),
    st.integers(0, 2),
    st.sampled_from(["a.csv", "b.csv"]),
    st.booleans(),
    st.booleans(),
)


@pytest.mark.slow
@settings(max_examples=examples(8), phases=[Phase.explicit, Phase.generate])
@given(st.lists(_versions, max_size=6), st.randoms(use_true_random=False))
def test_retractions_in_any_order_end_as_the_best_versions_say(versions: list[Version], chance):
    with tempfile.TemporaryDirectory() as folder, open_shop(Path(folder)) as shop:
        for feed in ("orders", "customers"):
            shop.session.zone.save_settings(feed, FeedSettings(due=frozenset()))
        files = sorted({(each.arrived, each.file) for each in versions})
        chance.shuffle(files)
        for landed in range(len(files) + 1):
            land(shop, *(each for each in versions if (each.arrived, each.file) in files[:landed]))
            settle(shop.session)
        settle(shop.session)

        assert shop.orders() == expected(versions)
        assert verify(shop.session) is None
        parts = " + ".join(f"(select count(*) from {part}.orders)" for part in ("silver", "quarantine", "superseded"))
        assert not versions or shop.rows(f"select {parts}") == [(len(versions),)]
