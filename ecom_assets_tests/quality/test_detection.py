import datetime as dt
import re
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from click.testing import CliRunner

from ecom_assets import catalog
from ecom_assets.cli.main import main
from ecom_assets.declaration import Catalog
from ecom_assets.landing.zone import Zone
from ecom_assets.orchestration.quality_assets import detection_asset
from ecom_assets.publishing.snapshot import publish
from ecom_assets.quality.detection import Detection, FeedDay, Kind, measured
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.settings import Settings
from ecom_assets.shop.scale import Scale
from ecom_assets.shop.shop import Shop
from ecom_assets.sources.synthetic import land_shop, write_truth
from ecom_assets_tests import tiny_shop
from ecom_assets_tests.tiny_shop import TinyShop, order
from ecom_assets_tests.warehouses import SMALL, START, session_over, window

DAYS = window(3)
NOBODY = "orders: customer_id is in no row of silver.customers"
CUSTOMERS = [f"C{n},{tiny_shop.START}T08:00:00Z" for n in range(20)]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[TinyShop]:
    with tiny_shop.open_shop(tmp_path) as shop:
        yield shop


@pytest.fixture
def nothing_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not there on the day on which a row arrives that refers to it does not come."""
    monkeypatch.setattr("ecom_assets.quality.detection.LONGEST_LAG", 1)


def plant(shop: TinyShop, day: int, *defects: tuple[str, int, str]) -> None:
    """Tell the truth about a day: feed, record and kind of each defect that arrives on it."""
    named = [(feed, tiny_shop.on(day), f"{feed}.csv", record, kind) for feed, record, kind in defects]
    folder = shop.folder / "truth" / "defects"
    folder.mkdir(parents=True, exist_ok=True)
    columns = {"feed": str, "arrived_on": dt.date, "source_file": str, "record": int, "kind": str}
    pl.DataFrame(named, columns, orient="row").write_parquet(folder / f"{tiny_shop.on(day)}.parquet")


def found(shop: TinyShop, last: int = 0) -> Detection | None:
    """What is found when the days up to the last have run."""
    shop.run(tiny_shop.days(0, last))
    publish(shop.session, shop.folder / "snapshot.duckdb")
    with open_snapshot(shop.folder / "snapshot.duckdb") as con:
        return measured(con, shop.folder / "truth", shop.session.catalog)


def land(shop: TinyShop, customers: list[str], *orders: str) -> None:
    lines = "\n".join(["customer_id,joined_at", *CUSTOMERS, *customers, ""])
    shop.session.zone.write("customers", tiny_shop.START, "customers.csv", lines.encode())
    shop.land_orders(0, *orders, *(order(number, 0) for number in range(90, 95)))


def test_defects_caught_and_missed_are_counted_by_kind(shop):
    land(shop, ["C20,2034-03-01T08:00:00Z"], order(1, 0), order(2, 0, -1), order(3, 0, 11), order(1, 0))
    plant(
        shop,
        0,
        ("customers", 21, "future_date"),
        ("orders", 2, "negative_amount"),
        ("orders", 3, "raised_amount"),
        ("orders", 4, "duplicate_row"),
    )

    result = found(shop)

    assert result == Detection(
        kinds=[
            Kind("duplicate_row", 1, 1),
            Kind("future_date", 1, 1),
            Kind("negative_amount", 1, 1),
            Kind("raised_amount", 1, 0),
        ],
        quarantined_defects=2,
        consequences=0,
        waiting=0,
        false_alarms={},
        good_rows=26,
        feed_days=[FeedDay("customers", tiny_shop.on(0), 1, 1, 1, 0), FeedDay("orders", tiny_shop.on(0), 3, 2, 1, 0)],
    )
    assert result.meets_target


def test_a_row_that_waits_for_its_product_is_caught_too_if_another_has_superseded_it(shop, nothing_is_late):
    land(shop, [], order(1, 0, customer="C98"), order(2, 0, customer="C99"), order(3, 0, 11))
    plant(shop, 0, *(("orders", number, "unknown_product") for number in (1, 2, 3)))
    shop.land_orders(1, order(1, 0, version=1, customer="C1"), *(order(number, 1) for number in range(40, 70)))
    plant(shop, 1)

    assert found(shop, last=1).kinds == [Kind("unknown_product", 3, 2)]


def test_a_row_that_refers_to_a_spoiled_one_is_a_consequence_and_another_a_false_alarm(shop, nothing_is_late):
    land(shop, ["C20,2034-03-01T08:00:00Z"], order(1, 0, customer="C20"), order(2, 0, customer="C99"))
    plant(shop, 0, ("customers", 21, "future_date"))
    shop.land_orders(1, order(3, 1))
    plant(shop, 1)

    result = found(shop, last=1)

    assert (result.consequences, result.waiting, result.false_alarms) == (1, 0, {NOBODY: 1})
    assert (result.precision, result.false_alarms_per_thousand) == (1 / 2, 1_000 / 28)
    assert not result.meets_target


def test_recall_and_precision_are_told_by_feed_and_arrival_day(shop, nothing_is_late):
    land(shop, [], order(1, 0, -1), order(2, 0, 11))
    plant(shop, 0, ("orders", 1, "negative_amount"), ("orders", 2, "raised_amount"))
    shop.land_orders(1, order(3, 1, customer="C99"), *(order(number, 1) for number in range(40, 70)))
    plant(shop, 1)
    shop.land_orders(2, order(4, 2))
    plant(shop, 2)

    days = [(day.feed, day.arrived_on, day.recall, day.precision) for day in found(shop, last=2).feed_days]

    assert days == [("orders", tiny_shop.on(1), None, 0), ("orders", tiny_shop.on(0), 0.5, 1)]


def test_a_row_waits_for_what_it_refers_to_while_that_may_still_arrive(shop, monkeypatch):
    monkeypatch.setattr("ecom_assets.quality.detection.LONGEST_LAG", 2)
    land(shop, [], order(1, 0, customer="C99"), order(2, 0, -1, customer="C99"))
    plant(shop, 0)
    broken = {"orders: broken: amount is at least 0": 1}
    waiting = []
    for day in (1, 2):
        shop.land_orders(day, order(day + 2, day))
        plant(shop, day)
        result = found(shop, last=day)
        waiting.append((result.waiting, result.false_alarms))

    assert waiting == [(1, broken), (0, {NOBODY: 1} | broken)]


@pytest.mark.slow
def test_orders_wait_for_the_rates_of_their_currencies(tmp_path):
    known = built(tmp_path, replace(SMALL, orders_per_day=60, foreign_share=0.3), without="exchange_rates")

    with open_snapshot(known.snapshot) as con:
        result = measured(con, known.truth, catalog.tables())

    assert result is not None
    assert result.waiting > 10
    assert result.false_alarms == {}


def test_a_defect_that_a_later_version_replaces_was_not_caught(shop):
    land(shop, [], order(1, 0, 11), order(1, 0, version=1))
    plant(shop, 0, ("orders", 1, "negative_amount"))

    result = found(shop)

    assert result.kinds == [Kind("negative_amount", 1, 0)]
    assert result.missed == result.kinds


def test_files_that_have_not_been_read_do_not_count(shop):
    land(shop, [], order(1, 0, -1))
    plant(shop, 0, ("orders", 1, "negative_amount"))
    shop.land_orders(1, order(2, 1, -1))
    plant(shop, 1, ("orders", 1, "negative_amount"))

    assert found(shop).kinds == [Kind("negative_amount", 1, 1)]


def test_rows_of_days_of_which_the_truth_does_not_tell_are_no_false_alarms(shop):
    land(shop, [], order(1, 0, -1))
    plant(shop, 1)

    result = found(shop)

    assert (result.kinds, result.false_alarms, result.good_rows) == ([], {}, 0)
    assert result.precision is result.false_alarms_per_thousand is None


DIRTY = replace(SMALL, orders_per_day=60, dirty_share=0.03)
VARIED = replace(DIRTY, merged_share=0.5, stores=2, retracted_share=0.2, gift_card_share=0.1, tax_included=True)


def built(data: Path, preset: Scale, without: str = "") -> Settings:
    """Three days of a shop, from landing to silver, published; one feed may be left out."""
    known = Settings(data, start=START)
    shop = Shop(START, seed=11, preset=preset)
    land_shop(Zone(known.landing), shop, DAYS)
    if without:
        shutil.rmtree(known.landing / without)
    write_truth(known.truth, shop, DAYS)
    session = session_over(Zone(known.landing), known.warehouse)
    with closing(session.con):
        for declaration in session.catalog:
            if declaration.feed:
                session.run(declaration.name, DAYS)
        publish(session, known.snapshot)
    return known


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A small shop with many defects."""
    return built(tmp_path_factory.mktemp("data"), DIRTY)


@pytest.mark.slow
def test_merges_stores_retractions_gift_cards_and_included_tax_hide_no_defect_and_raise_no_alarm(tmp_path):
    varied = built(tmp_path, VARIED)

    with open_snapshot(varied.snapshot) as con:
        result = measured(con, varied.truth, catalog.tables())

    assert result is not None
    assert (result.missed, result.false_alarms) == ([], {})
    assert {feed_day.feed for feed_day in result.feed_days if feed_day.caught} >= {"orders", "order_items", "payments"}


@pytest.mark.slow
def test_all_that_the_synthetic_shop_plants_is_caught(known):
    with open_snapshot(known.snapshot) as con:
        result = measured(con, known.truth, catalog.tables())

    planted = pl.read_parquet(known.truth / "defects" / "*.parquet")["kind"].value_counts()
    assert {kind.name: kind.planted for kind in result.kinds} == dict(planted.iter_rows())
    assert {kind.name: kind.caught for kind in result.kinds} == dict(planted.iter_rows())
    assert len(result.kinds) == 8


@pytest.mark.slow
def test_a_weakened_rule_lowers_the_recall_of_its_kind_alone(known, tmp_path):
    orders = catalog.tables()["silver.orders"]
    rules = tuple(rule for rule in orders.contract.rules if "make the total" not in rule.sentence)
    weakened = replace(orders, contract=replace(orders.contract, rules=rules))
    tables = Catalog(weakened if one is orders else one for one in catalog.tables())
    shutil.copy(known.warehouse, tmp_path)
    session = session_over(Zone(known.landing), tmp_path / known.warehouse.name, tables)
    with closing(session.con):
        session.run(orders.name, DAYS)
        publish(session, tmp_path / "snapshot.duckdb")

    with open_snapshot(tmp_path / "snapshot.duckdb") as con:
        result = measured(con, known.truth, tables)

    assert len(rules) == len(orders.contract.rules) - 1
    assert [(kind.name, kind.caught) for kind in result.missed] == [("wrong_total", 0)]


def evaluated(data: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[dg.AssetCheckEvaluation, str]:
    """The check, and what the asset shows of anomalies."""
    monkeypatch.setenv("ECOM_DATA", str(data))
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([detection_asset(catalog.tables())], instance=instance)
    [check] = result.get_asset_check_evaluations()
    assert check.severity is dg.AssetCheckSeverity.WARN
    [made] = result.get_asset_materialization_events()
    return check, str(made.materialization.metadata["anomalies"].value)


@pytest.mark.slow
def test_the_check_warns_where_a_defect_was_missed(known, tmp_path, monkeypatch):
    monkeypatch.setattr("ecom_assets.quality.detection.PRECISION_TARGET", 0.5)
    assert evaluated(known.data, monkeypatch)[0].passed

    shutil.copytree(known.data, tmp_path, dirs_exist_ok=True)
    more = pl.DataFrame(
        {
            "feed": "orders",
            "arrived_on": DAYS.first,
            "source_file": f"orders-{DAYS.first}.csv",
            "record": 1,
            "kind": "wrong_total",
        }
    )
    file = tmp_path / "truth" / "defects" / f"{DAYS.first}.parquet"
    pl.concat([pl.read_parquet(file), more], how="vertical_relaxed").write_parquet(file)

    check, _ = evaluated(tmp_path, monkeypatch)

    assert not check.passed
    assert check.metadata["missed"].value == {"wrong_total not caught": 1}


@pytest.mark.slow
def test_without_a_synthetic_shop_nothing_is_known_and_the_check_passes(known, tmp_path, monkeypatch):
    shutil.copy(known.snapshot, tmp_path)

    check, anomalies = evaluated(tmp_path, monkeypatch)

    assert check.passed
    assert "only the synthetic shop records them" in check.metadata["truth"].value
    assert "| `half_of_the_events_lost` |" in anomalies
    assert "only the synthetic shop records them" in CliRunner().invoke(main, ["detection"]).output


@pytest.mark.slow
def test_the_figures_are_shown_on_the_command_line(known, monkeypatch):
    monkeypatch.setenv("ECOM_DATA", str(known.data))

    shown = CliRunner().invoke(main, ["detection", "--by-day"]).output

    assert re.search(rf"^{DAYS.first}  orders +(\d+) +\1 +100\.0% +0 +100\.0%$", shown, re.MULTILINE)
    assert re.search(r"^wrong_total +(\d+) +\1 +100\.0%$", shown, re.MULTILINE)
    assert re.search(r"^Precision \d+\.\d%, ", shown, re.MULTILINE)
    assert re.search(r"^half_of_the_events_lost +\d+ +\d+ +\d+\.\d% \(", shown, re.MULTILINE)
