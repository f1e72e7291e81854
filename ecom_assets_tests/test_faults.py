"""What breaks around the platform is said at once, and once it is mended nothing is missing."""

import datetime as dt
import os
import re
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner, Result

from ecom_assets import catalog, settings
from ecom_assets.cli.main import main
from ecom_assets.publishing.snapshot import is_behind, publish
from ecom_assets.serving.ledger import last_write
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.settings import Settings
from ecom_assets.shop.scale import Scale
from ecom_assets.shop.shop import Shop
from ecom_assets.sources.synthetic import save_shop
from ecom_assets.warehouse import proof
from ecom_assets.warehouse.opening import open_session
from ecom_assets_tests.tiny_shop import START, TinyShop, days, order, tables
from ecom_assets_tests.warehouses import publishable

ROWS = "select order_id, amount::int from gold.sales order by all"


@pytest.fixture
def known(tmp_path: Path) -> Settings:
    """Three days with an order each, run and published."""
    known = Settings(tmp_path / "data", start=START)
    with opened(known) as shop:
        for day in range(3):
            shop.land_customers(day)
            shop.land_orders(day, order(day + 1, day))
        run(shop)
    return known


@contextmanager
def opened(known: Settings) -> Iterator[TinyShop]:
    with open_session(known, tables()) as session:
        yield TinyShop(known.data, session)


def run(shop: TinyShop) -> None:
    shop.run(days(0, 2))
    publish(shop.session, shop.folder / "snapshot.duckdb")


def published(known: Settings, query: str = ROWS) -> list[Any]:
    with open_snapshot(known.snapshot) as con:
        return con.execute(query).fetchall()


def no_database(file: Path) -> None:
    file.write_bytes(b"this is no database" * 1000)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def cut_off(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def damaged_head(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(4096)
        opened.write(os.urandom(8192))


def damaged_end(file: Path) -> None:
    """The blocks that say what the others hold."""
    with file.open("r+b") as opened:
        opened.seek(12288)
        opened.write(os.urandom(file.stat().st_size - 12288))


DAMAGES = [no_database, cut_off, damaged_head, damaged_end]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_warehouse_is_said_at_once_and_built_anew(known: Settings, damage: Callable[[Path], None]) -> None:
    """DuckDB names a block in its error, which is no lock that another program holds."""
    with opened(known) as shop:
        before = shop.everything()
    damage(known.warehouse)

    with (
        pytest.raises(duckdb.Error, match=r"not a valid DuckDB|Corrupt database|Could not read enough|checksum"),
        opened(known),
    ):
        pass

    known.warehouse.rename(known.data / "warehouse.duckdb.damaged")
    with opened(known) as shop:
        run(shop)
        assert shop.everything() == before
    assert published(known) == [("1", 10), ("2", 10), ("3", 10)]


@pytest.mark.parametrize("damage", [*DAMAGES, empty])
def test_a_damaged_snapshot_is_behind_and_published_anew(known: Settings, damage: Callable[[Path], None]) -> None:
    before = published(known, "select * exclude (written_at) from ledger.days order by all")
    damage(known.snapshot)

    with opened(known) as shop:
        assert is_behind(shop.session, known.snapshot)
        publish(shop.session, known.snapshot)
        assert not is_behind(shop.session, known.snapshot)

    assert published(known) == [("1", 10), ("2", 10), ("3", 10)]
    assert published(known, "select * exclude (written_at) from ledger.days order by all") == before


def test_what_is_written_after_the_clock_was_set_back_is_newer(known: Settings) -> None:
    with opened(known) as shop:
        shop.con.execute("update ledger.days set written_at = written_at + interval 1 day")
        shop.con.execute("update ledger.amounts set recorded_at = recorded_at + interval 1 day")
        publish(shop.session, known.snapshot)
    with open_snapshot(known.snapshot) as con:
        before = last_write(con)
    assert before

    with opened(known) as shop:
        shop.land_orders(1, order(2, 1, amount=7, version=1))
        shop.run(days(0, 2))
        assert is_behind(shop.session, known.snapshot)
        publish(shop.session, known.snapshot)

    assert published(known) == [("1", 10), ("2", 7), ("3", 10)]
    with open_snapshot(known.snapshot) as con:
        after = last_write(con)
    assert after
    assert after > before > dt.datetime.now(dt.UTC).replace(tzinfo=None)
    assert published(known, "select amount::int from ledger.amounts where day = '2024-03-02' order by recorded_at") == [
        (10,),
        (7,),
    ]


# -- the platform, by its command


TINY = Scale(orders_per_day=3, customers_at_start=10, customers_per_day=1, products_at_start=5, products_per_day=1)
OPENED = dt.date(2024, 1, 1)
FEW = publishable("kpi.daily_sales", "features.customer_features")
"""The tables of the platform here."""


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Homes in which a shop ran for a day, `one`, and for another one, `two`."""
    folder = tmp_path_factory.mktemp("shops")
    one, two = folder / "one", folder / "two"
    one.mkdir()
    shutil.copy(settings.PROJECT / "dagster.yaml", one)
    with pytest.MonkeyPatch.context() as patch:
        enter(one, patch)
        settings.save(settings.load())
        save_shop(settings.load().landing, Shop(OPENED, preset=TINY))
        assert ecom("shop", "2024-01-01").exit_code == 0
        assert ecom("run", "2024-01-01").exit_code == 0
        shutil.copytree(one, two)
        enter(two, patch)
        next_day()
    return folder


def enter(home: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("DAGSTER_HOME", str(home))
    patch.setenv("ECOM_DATA", str(home / "data"))
    patch.setattr(catalog, "tables", lambda: FEW)


def ecom(*words: str) -> Result:
    found = CliRunner().invoke(main, words)
    assert "Traceback" not in found.output
    assert isinstance(found.exception, SystemExit | None), found.exc_info
    return found


def next_day() -> None:
    assert ecom("shop", "2024-01-02").exit_code == 0
    found = ecom("run", "--stale")
    assert found.exit_code == 0, found.output


def contents(home: Path) -> dict[tuple[str, str], str]:
    """What each table-day holds."""
    with open_session(settings.load(home / "data"), catalog.tables()) as session:
        return proof.contents(session)


def is_published(home: Path) -> bool:
    known = settings.load(home / "data")
    with open_session(known, catalog.tables()) as session:
        return not is_behind(session, known.snapshot)


def is_whole(home: Path, shops: Path) -> bool:
    """Whether all is as in the shop that ran for two days undisturbed."""
    return contents(home) == contents(shops / "two") and is_published(home)


@pytest.fixture
def home(shops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own in which a shop ran for a day."""
    home = tmp_path / "home"
    shutil.copytree(shops / "one", home)
    enter(home, monkeypatch)
    return home


def disk_of(folder: Path, size: str) -> None:
    """Makes a folder a disk of its own, or changes its size; skips the test where that is not permitted."""
    how = ["-o", f"remount,size={size}"] if folder.is_mount() else ["-t", "tmpfs", "-o", f"size={size}", "tmpfs"]
    if subprocess.run(["mount", *how, str(folder)], check=False, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")


@pytest.fixture
def disk(shops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home on a small disk, in which a shop ran for a day, and landed another one."""
    home = tmp_path / "disk"
    home.mkdir()
    disk_of(home, "1G")
    try:
        shutil.copytree(shops / "one", home, dirs_exist_ok=True)
        enter(home, monkeypatch)
        assert ecom("shop", "2024-01-02").exit_code == 0
        yield home
    finally:
        subprocess.run(["umount", str(home)], check=True)


@pytest.mark.long
@pytest.mark.parametrize("free", [100_000, 3_000_000])
def test_after_a_full_disk_nothing_is_missing(disk: Path, shops: Path, free: int) -> None:
    before = contents(disk)
    disk_of(disk, str(shutil.disk_usage(disk).used + free))

    full = ecom("run", "--stale")

    assert full.exit_code == 1
    assert re.search("No space left|disk is full|cannot be used", full.stderr), full.stderr
    assert "critical: " in ecom("doctor").stdout
    disk_of(disk, "1G")
    assert before.items() <= contents(disk).items()
    assert ecom("run", "--stale").exit_code == 0
    assert is_whole(disk, shops)


@contextmanager
def small_files(size: int) -> Iterator[None]:
    """No file of this process can grow beyond a size."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.slow
def test_after_files_that_could_not_grow_nothing_is_missing(home: Path, shops: Path) -> None:
    before = contents(home)
    assert ecom("shop", "2024-01-02").exit_code == 0

    with small_files(500_000):
        full = ecom("run", "--stale")

    assert full.exit_code == 1
    assert re.search("File too large|disk I/O error", full.stderr), full.stderr
    assert before.items() <= contents(home).items()
    assert ecom("run", "--stale").exit_code == 0
    assert is_whole(home, shops)


@pytest.mark.long
def test_a_disk_mounted_read_only_is_a_sentence_and_nothing_is_missing_afterwards(disk: Path, shops: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    try:
        refused = ecom("run", "--stale")
        assert refused.exit_code == 1
        assert "Read-only file system" in refused.stderr
        assert "ecom doctor says what is wrong." in refused.stderr
        assert f"No file can be made in {disk / 'data'}: Read-only file system." in ecom("doctor").stdout
        assert ecom("bad").stdout == "Every day has good rows.\n"
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)

    assert ecom("run", "--stale").exit_code == 0
    assert is_whole(disk, shops)


@pytest.mark.long
def test_without_dagsters_storage_nothing_runs_again_and_the_next_day_does(home: Path, shops: Path) -> None:
    before = contents(home)
    shutil.rmtree(home / "data" / "dagster")

    assert ecom("run", "--stale").stdout == "Nothing is stale.\n"
    assert contents(home) == before
    next_day()
    assert is_whole(home, shops)


@pytest.mark.slow
def test_a_damaged_snapshot_and_a_damaged_warehouse_are_made_anew_by_a_run(home: Path, shops: Path) -> None:
    no_database(home / "data" / "snapshot.duckdb")
    assert "ecom run --stale publishes it again" in ecom("doctor").stdout
    assert ecom("run", "--stale").exit_code == 0
    assert is_published(home)

    warehouse = home / "data" / "warehouse.duckdb"
    damaged_end(warehouse)
    refused = ecom("run", "--stale")
    assert refused.exit_code == 1
    assert "Move the file away; ecom run --stale rebuilds it from the landing zone." in refused.stderr

    warehouse.rename(f"{warehouse}.damaged")
    next_day()
    assert is_whole(home, shops)
