"""Exports: all rows of one snapshot, and a folder that is replaced as a whole or not at all."""

import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from click.testing import CliRunner

from ecom_assets import catalog
from ecom_assets.cli import export as command
from ecom_assets.cli.main import main
from ecom_assets.errors import UserError
from ecom_assets.exports import folder as folders
from ecom_assets.exports.export import export
from ecom_assets.exports.folder import MANIFEST, NotAnExport
from ecom_assets.exports.formats import FORMATS
from ecom_assets.exports.tables import exported
from ecom_assets.orchestration.export_asset import export_asset
from ecom_assets.publishing.snapshot import publish
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.settings import Settings
from ecom_assets.warehouse.proof import settle
from ecom_assets_tests.tiny_shop import TinyShop, on, open_shop, order, tables


@pytest.fixture
def known(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "data")


@pytest.fixture
def shop(known: Settings) -> Iterator[TinyShop]:
    """A shop with an order on each of three days, published."""
    known.data.mkdir()
    with open_shop(known.data, warehouse=known.warehouse) as shop:
        for day in range(3):
            shop.land_customers(day)
            shop.land_orders(day, order(day, day, amount=10 + day))
        settle(shop.session)
        publish(shop.session, known.snapshot)
        yield shop


def change(shop: TinyShop, known: Settings) -> None:
    """Makes all orders cost more, and publishes that."""
    for day in range(3):
        shop.land_orders(day, order(day, day, amount=100 + day, version=1), file="later.csv")
    settle(shop.session)
    publish(shop.session, known.snapshot)


def manifest(folder: Path) -> Any:
    return json.loads((folder / MANIFEST).read_text())


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def amounts(folder: Path) -> list[tuple[Any, ...]]:
    """What sales and their sums per day say of an export."""
    return [
        duckdb.sql(f"select sum(amount) from '{folder}/{kind}/{table}.{kind}'").fetchall()
        for kind in ("parquet", "csv")
        for table in ("gold.sales", "kpi.daily")
    ]


@pytest.mark.slow
def test_an_export_read_back_is_the_snapshot_and_the_manifest_says_what_is_in_it(
    published: Path, tmp_path: Path
) -> None:
    export(published, catalog.tables(), tmp_path / "out", ["parquet", "csv"])

    told = manifest(tmp_path / "out")
    files = {file["path"]: file for file in told["files"]}
    assert {*files, MANIFEST} == {*contents(tmp_path / "out")}
    with open_snapshot(published) as con:
        for table in told["tables"]:
            columns = {column["name"]: column["type"] for column in table["columns"]}
            expected = f"select {', '.join(columns)} from {table['name']}"
            assert con.sql(expected).columns == con.sql(f"from {table['name']}").columns
            for kind, more in (("parquet", ""), ("csv", f", types = {columns}")):
                file = files[f"{kind}/{table['name']}.{kind}"]
                path = tmp_path / "out" / file["path"]
                rows = f"from read_{kind}('{path}'{more})"
                assert [*map(str, con.sql(rows).types)] == [*columns.values()]
                [(differing,)] = con.sql(
                    f"select count(*) from (({expected} except all {rows}) union all ({rows} except all {expected}))"
                ).fetchall()
                assert (differing, con.sql(rows).count("*").fetchall()) == (0, [(file["rows"],)]), path
                assert hashlib.sha256(path.read_bytes()).hexdigest() == file["sha256"]
    assert sum(file["rows"] for file in files.values()) > 5_000


@pytest.mark.slow
def test_the_star_schema_and_the_measures_are_exported_each_with_a_key(published: Path) -> None:
    found = {table.name: table for table in exported(catalog.tables())}

    assert {"gold.fact_sales", "gold.dim_customer", "gold.dim_date", "kpi.daily_sales", "kpi.daily_quality"} <= {*found}
    assert {"gold.dim_customer_versions", "silver.orders", "features.category_affinity"}.isdisjoint(found)
    with open_snapshot(published) as con:
        for table in found.values():
            key = ", ".join(table.key)
            required = [column.name for column in table.columns if not column.may_be_null]
            nulls = " or ".join(f"{name} is null" for name in required)
            assert con.sql(f"select {key} from {table.name} group by {key} having count(*) > 1").fetchall() == []
            assert con.sql(f"from {table.name} where {nulls} limit 1").fetchall() == [], table.name


@pytest.mark.slow
def test_a_tableau_extract_read_back_is_the_snapshot(shop, known, tmp_path):
    pantab = pytest.importorskip("pantab", reason="the extra tableau is not installed")
    shop.con.execute("update gold.sales set amount = -0.0001 where order_id = '1'")  # what pantab cannot write itself
    shop.con.execute("update ledger.days set written_at = now() where table_name = 'gold.sales'")
    publish(shop.session, known.snapshot)
    export(known.snapshot, tables(), tmp_path / "out", ["hyper"])

    extract, log = tmp_path / "out" / "hyper" / "shop.hyper", {"log_dir": str(tmp_path)}
    assert [file["path"] for file in manifest(tmp_path / "out")["files"]] == ["hyper/shop.hyper"]
    with open_snapshot(known.snapshot) as con:
        for table in exported(tables()):
            read = f"select * from {table.name} order by {', '.join(table.key)}"
            found = pantab.frame_from_hyper_query(extract, read, return_type="pyarrow", process_params=log)
            assert found.to_pylist() == con.execute(table.query).to_arrow_table().to_pylist()
    about = pantab.frame_from_hyper(extract, table="snapshot", return_type="pyarrow", process_params=log)
    assert about.to_pylist() == [{"snapshot": manifest(tmp_path / "out")["snapshot"]}]


def test_without_pantab_the_extra_is_named(shop, known, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pantab", None)
    with pytest.raises(UserError, match=r"pip install 'ecom_assets\[tableau\]'"):
        export(known.snapshot, tables(), tmp_path / "out", ["hyper"])
    assert sorted(os.listdir(tmp_path)) == ["data"]


def test_a_failure_of_tableaus_hyper_is_said_in_a_sentence(shop, known, tmp_path, monkeypatch):
    pantab = pytest.importorskip("pantab", reason="the extra tableau is not installed")

    def fail(*given: object, **more: object) -> None:
        raise RuntimeError("no room")

    monkeypatch.setattr(pantab, "frame_to_hyper", fail)
    with pytest.raises(UserError, match="Tableau's Hyper could not write the extract: no room"):
        export(known.snapshot, tables(), tmp_path / "out", ["hyper"])
    assert sorted(os.listdir(tmp_path)) == ["data"]


def test_an_empty_text_is_not_null_in_csv(shop, known, tmp_path):
    shop.con.execute("update gold.sales set order_id = '' where order_id = '1'")
    shop.con.execute("update ledger.days set written_at = now() where table_name = 'gold.sales'")
    publish(shop.session, known.snapshot)
    export(known.snapshot, tables(), tmp_path / "out")

    assert f'"",{on(1)},11.0000\n' in (tmp_path / "out" / "csv" / "gold.sales.csv").read_text()


def test_equal_snapshots_give_equal_bytes_whatever_the_order_of_their_rows(shop, known, tmp_path):
    turned = tmp_path / "turned.duckdb"
    shutil.copyfile(known.snapshot, turned)
    with duckdb.connect(turned) as con:
        con.execute("create or replace table gold.sales as from gold.sales order by order_id desc")
    export(known.snapshot, tables(), tmp_path / "first")
    export(turned, tables(), tmp_path / "second")

    assert contents(tmp_path / "first") == contents(tmp_path / "second")


def test_the_manifest_names_days_that_are_not_final_or_have_no_good_rows(shop, known, tmp_path):
    shop.land_orders(1, order(7, 1, amount=5_000), file="too much.csv")
    settle(shop.session)
    publish(shop.session, known.snapshot)
    export(known.snapshot, tables(), tmp_path / "out", ["csv"])

    told = {table["name"]: table for table in manifest(tmp_path / "out")["tables"]}
    assert told["gold.sales"]["without_good_rows"] == told["kpi.daily"]["without_good_rows"] == [str(on(1))]
    assert told["gold.to_date"]["provisional"] == [f"{on(1)}..{on(2)}"]


def test_an_export_is_of_the_snapshot_that_it_began_with(shop, known, tmp_path):
    published = []

    def publish_another(step: str, share: float) -> None:
        if not published:
            published.append(step)
            change(shop, known)

    export(known.snapshot, tables(), tmp_path / "out", on_step=publish_another)
    assert amounts(tmp_path / "out") == [[(33,)]] * 4
    export(known.snapshot, tables(), tmp_path / "out")
    assert amounts(tmp_path / "out") == [[(303,)]] * 4


KILLED = """
import os, signal, sys
from pathlib import Path
from ecom_assets.exports import folder as folders
from ecom_assets.exports.export import export
from ecom_assets_tests.tiny_shop import tables
snapshot, folder, at = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
swap = folders._swap
def reach(step):
    if step == at:
        os.kill(os.getpid(), signal.SIGKILL)
def swapped(aside, folder):
    swap(aside, folder)
    reach("swapped")
folders._swap = swapped
export(snapshot, tables(), folder, on_step=lambda step, share: reach(step))
"""


@pytest.mark.slow
def test_a_killed_export_leaves_the_old_one_or_the_new_one(shop, known, tmp_path):
    out = tmp_path / "out"
    export(known.snapshot, tables(), out)
    old = contents(out)
    change(shop, known)
    for at in ("kpi.daily as csv", "new files in place", "swapped"):
        ended = subprocess.run([sys.executable, "-c", KILLED, known.snapshot, out, at], check=False)
        assert ended.returncode == -signal.SIGKILL
        assert (contents(out) == old) is (at != "swapped"), at

    assert amounts(out) == [[(303,)]] * 4
    export(known.snapshot, tables(), out)
    assert sorted(os.listdir(tmp_path)) == ["data", "out"]


def test_what_another_export_is_writing_is_left_alone(shop, known, tmp_path):
    other = tmp_path / ".out.1234.part"
    other.mkdir()
    handle = os.open(other, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    export(known.snapshot, tables(), tmp_path / "out")
    assert other.exists()
    os.close(handle)

    export(known.snapshot, tables(), tmp_path / "out")
    assert not other.exists()


def test_without_an_exchange_of_folders_the_new_export_is_there_too(shop, known, tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "_exchanged", lambda aside, folder: False)
    for expected in (33, 303):
        export(known.snapshot, tables(), tmp_path / "out")
        assert amounts(tmp_path / "out") == [[(expected,)]] * 4
        change(shop, known)
    assert sorted(os.listdir(tmp_path)) == ["data", "out"]


def test_a_folder_with_other_files_is_refused(shop, known, tmp_path):
    out = tmp_path / "out"
    for name, text in (("letter.txt", "Dear"), (MANIFEST, "{}"), (MANIFEST, "[]")):
        out.mkdir()
        (out / name).write_text(text)
        with pytest.raises(NotAnExport, match=f"holds other files, such as {name}"):
            export(known.snapshot, tables(), out)
        assert contents(out) == {name: text.encode()}
        (out / name).unlink()
        out.rmdir()
    out.write_text("a file")
    with pytest.raises(NotAnExport, match="is a file"):
        export(known.snapshot, tables(), out)


def test_an_export_with_changed_or_added_files_is_refused(shop, known, tmp_path):
    out = tmp_path / "out"
    export(known.snapshot, tables(), out)
    (out / ".DS_Store").touch()
    export(known.snapshot, tables(), out)
    (out / "mine.xlsx").write_text("mine")
    with pytest.raises(NotAnExport, match=r"mine\.xlsx is not part of it"):
        export(known.snapshot, tables(), out)
    (out / "mine.xlsx").unlink()
    with (out / "csv" / "kpi.daily.csv").open("a") as file:
        file.write("2024-03-09,1\n")
    with pytest.raises(NotAnExport, match=r"csv/kpi\.daily\.csv has been changed since"):
        export(known.snapshot, tables(), out)


def test_an_unknown_format_is_named(known, tmp_path):
    with pytest.raises(UserError, match="no format 'parket'; did you mean 'parquet'"):
        export(known.snapshot, tables(), tmp_path, ["parket"])


def test_the_command_exports_what_was_last_published(shop, known, tmp_path, monkeypatch):
    monkeypatch.setenv("ECOM_DATA", str(known.data))
    monkeypatch.setattr(catalog, "tables", tables)

    result = CliRunner().invoke(main, ["export", "--to", str(tmp_path / "out"), "--format", "csv"])

    assert result.exit_code == 0, result.output
    assert f"to {tmp_path / 'out'}: 5 files, " in result.output
    assert {file["format"] for file in manifest(tmp_path / "out")["files"]} == {"csv"}


def test_the_command_knows_all_formats():
    assert set(command.FORMATS) == set(FORMATS)


def test_the_asset_exports_to_the_data_folder(shop, known, tmp_path, monkeypatch):
    monkeypatch.setenv("ECOM_DATA", str(known.data))
    chosen = {"ops": {"exports__files": {"config": {"formats": ["csv"]}}}}

    [made] = dg.materialize([export_asset(tables())], run_config=chosen).asset_materializations_for_node(
        "exports__files"
    )

    assert made.metadata["snapshot"].value == manifest(known.exports)["snapshot"]
    assert {path.partition("/")[0] for path in contents(known.exports)} == {"csv", MANIFEST}
