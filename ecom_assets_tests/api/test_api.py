"""The API over a real server on loopback, of a tiny shop that is published."""

import datetime as dt
import http.client
import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from ecom_assets.api import app as application_of
from ecom_assets.api import formats, keys, questions
from ecom_assets.cli.main import main
from ecom_assets.publishing.snapshot import publish
from ecom_assets.serving import snapshots
from ecom_assets.warehouse.proof import settle
from ecom_assets_tests.api.serving import Client, republish
from ecom_assets_tests.tiny_shop import on, open_shop, order

NOW = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)


def all_pages(client: Client, address: str) -> list[dict[str, Any]]:
    rows, snapshots_seen = [], set()
    while address:
        page = client.get(address).json
        rows += page["rows"]
        snapshots_seen.add(page["snapshot"])
        address = page["next"]
    assert len(snapshots_seen) == 1
    return rows


def test_rows_are_chosen_sorted_and_paged_with_exact_amounts(client, shop):
    page = client.get(f"/tables/gold.sales?from={on(1)}&sort=-amount&limit=2&columns=order_id,amount").json

    assert page["rows"] == [{"order_id": "23", "amount": "13.0000"}, {"order_id": "12", "amount": "12.0000"}]
    assert len(all_pages(client, "/tables/gold.sales?limit=2")) == 9
    assert client.get("/tables/gold.sales?order_id=11&order_id=20").json["rows"] == [
        {"order_id": "11", "ordered_on": str(on(1)), "amount": "11.0000"},
        {"order_id": "20", "ordered_on": str(on(2)), "amount": "10.0000"},
    ]


def test_an_entity_of_many_rows_goes_on_as_its_table_does(client, shop, monkeypatch):
    monkeypatch.setattr(application_of, "MAX_LIMIT", 2)
    shop.con.execute("update gold.sales set order_id = 'it''s / one' where order_id in ('1', '11', '21')")
    shop.con.execute("update ledger.days set written_at = now() where table_name = 'gold.sales'")
    publish(shop.session, client.known.snapshot)

    rows = all_pages(client, "/tables/gold.sales/it's%20%2F%20one")

    assert [row["ordered_on"] for row in rows] == [str(on(day)) for day in (2, 1, 0)]


def test_an_entity_is_found_by_its_number(client, shop):
    found = client.get("/tables/gold.sales/11")

    assert [row["ordered_on"] for row in found.json["rows"]] == [str(on(1))]
    missing = client.get("/tables/gold.sales/nobody")
    assert (missing.status, missing.headers["Content-Type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("part_rows", [1, 4, 1_000])
def test_each_format_has_all_rows_as_duckdb_writes_them(client, shop, tmp_path, monkeypatch, part_rows):
    monkeypatch.setattr(questions, "PART_ROWS", part_rows)
    shop.con.execute(f"copy (from gold.sales order by ordered_on, order_id) to '{tmp_path}/expected.csv' (header)")
    expected = shop.con.execute("from gold.sales order by ordered_on, order_id").to_arrow_table()

    csv = client.get("/tables/gold.sales?format=csv")
    arrow = client.get("/tables/gold.sales", Accept="application/vnd.apache.arrow.stream")
    parquet = client.get("/tables/gold.sales?format=parquet")

    names = ["order_id", "ordered_on", "amount"]
    assert csv.body == (tmp_path / "expected.csv").read_bytes()
    assert pa.ipc.open_stream(arrow.body).read_all().to_pylist() == expected.select(names).to_pylist()
    assert pq.read_table(io.BytesIO(parquet.body)).to_pylist() == expected.select(names).to_pylist()
    assert client.get("/tables/gold.sales", Accept="image/png").status == 406


def test_a_transfer_that_fails_does_not_end_well(client, shop, monkeypatch):
    def fails(*_: object) -> Iterator[bytes]:
        yield b"order_id\n"
        raise OSError("the disk is gone")

    monkeypatch.setitem(formats.WRITERS, "csv", fails)

    with pytest.raises(http.client.IncompleteRead):
        client.get("/tables/gold.sales?format=csv")


def test_what_has_not_changed_is_not_sent_again(client, shop):
    first = client.get("/tables/kpi.daily")
    assert client.get("/tables/kpi.daily", If_None_Match=first.headers["ETag"]).status == 304

    shop.land_orders(2, order(99, 2), file="late.csv")
    republish(shop, client)

    again = client.get("/tables/kpi.daily", If_None_Match=first.headers["ETag"])
    assert again.status == 200
    assert again.headers["X-Snapshot"] > first.headers["X-Snapshot"]


def test_pages_are_of_one_snapshot_until_it_is_no_longer_kept(client, shop, monkeypatch):
    following = client.get("/tables/gold.sales?limit=5").json["next"]
    shop.land_orders(0, order(5, 0), file="late.csv")
    republish(shop, client)

    assert client.get("/tables/gold.sales?limit=9").json["next"] is not None
    assert len(client.get(following).json["rows"]) == 4
    assert client.get(f"{following}&format=csv").body.count(b"\n") == 1 + 4

    monkeypatch.setattr(snapshots, "KEPT_SECONDS", 0.0)
    client.get("/healthz")
    gone = client.get(following)
    assert gone.status == 410
    assert client.get(gone.json["again"]).status == 200


def test_provisional_days_are_named(client, shop):
    with open_shop(client.known.data, warehouse=":memory:") as other:
        other.session.zone.root.joinpath("customers", str(on(1))).rename(client.known.data / "aside")
        settle(other.session)
        other.con.execute(
            "update ledger.days set state = 'provisional' where table_name = 'kpi.daily' and day = ?", [on(1)]
        )
        publish(other.session, client.known.snapshot)

    found = client.get("/tables/kpi.daily")

    assert found.json["provisional"] == [str(on(1))]
    assert client.get(f"/tables/kpi.daily?from={on(2)}").json["provisional"] == []
    assert client.get("/tables/kpi.daily?format=csv").headers["X-Provisional"] == str(on(1))


def test_quality_and_restatements_are_tables_too(client, shop):
    shop.land_orders(2, order(99, 1, amount=5), file="late.csv")
    republish(shop, client)

    changes = client.get(f"/tables/kpi.restatements?table_name=kpi.daily&day={on(1)}&columns=cause,part").json["rows"]
    quality = client.get(f"/tables/kpi.daily_quality?from={on(2)}&table_name=silver.orders&columns=state,rows_passed")

    assert changes == [{"cause": "late rows", "part": "5.0000"}]
    assert quality.json["rows"] == [{"state": "stored", "rows_passed": 4}]


def test_problems_have_one_shape(client, shop):
    for address, method, status in (
        ("/tables/kpi.daily?limit=0", "GET", 400),
        ("/tables/kpi.daily?cursor=abc", "GET", 400),
        (f"/tables/kpi.daily?cursor={'A' * 80}", "GET", 404),
        ("/tables/silver.orders", "GET", 404),
        ("/tables/kpi.daily", "DELETE", 405),
        ("/metrics", "GET", 404),
    ):
        found = client.get(address, method)
        assert (found.status, found.headers["Content-Type"]) == (status, "application/problem+json"), address
        assert found.json["status"] == status
        assert found.json["detail"]
    assert client.get("/tables/kpi.daily?limit=0").json["parameter"] == "limit"
    assert client.get("/tables/kpi.daily", "DELETE").headers["Allow"] == "GET"


def test_before_the_first_run_it_says_so(client):
    found = client.get("/healthz")

    assert found.status == 503
    assert found.headers["Retry-After"] == "10"
    assert "nothing has been published" in found.json["detail"]
    assert str(client.known.data) not in found.json["detail"]


def test_every_address_that_is_described_answers(client, shop):
    described = client.get("/openapi.json").json

    read = {
        path: acts
        for path, acts in described["paths"].items()
        if "get" in acts and acts["get"].get("tags") != ["writing"]
    }
    for path, acts in read.items():
        found = client.get(path.replace("{order_id}", "11"))
        assert found.status == (404 if path == "/metrics" else 200), path
        assert {"400", "401"} <= acts["get"]["responses"].keys()
    assert described["paths"]["/metrics"]["get"]["responses"]["200"]["content"].keys() == {"text/plain"}
    [rows] = [each for each in described["paths"] if each == "/tables/gold.sales"]
    names = {parameter["name"] for parameter in described["paths"][rows]["get"]["parameters"]}
    assert {"from", "to", "sort", "cursor", "order_id"} <= names


def test_with_a_key_every_request_needs_one_that_holds(client, shop):
    path = client.known.api_keys
    key = keys.create(path, "dashboard", NOW)
    old = keys.create(path, "old", NOW, NOW)

    assert key not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    refused = client.get("/tables/kpi.daily")
    assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, 'Bearer realm="ecom_assets"')
    assert client.get("/tables/kpi.daily", Authorization=f"Bearer {key}").status == 200
    assert client.get("/tables/kpi.daily", Authorization=f"Bearer {old}").status == 401
    assert client.get("/tables/kpi.daily", Authorization=f"Bearer {key[:-1]}").status == 401
    assert client.get(f"/tables/kpi.daily?key={key}").status == 401
    assert client.get("/healthz").status == 200

    keys.revoke(path, keys.keys(path)[0].id, NOW)
    assert client.get("/tables/kpi.daily", Authorization=f"Bearer {key}").status == 401


def test_other_names_of_this_machine_are_refused(client, shop):
    assert client.get("/healthz", Host="evil.example").status == 400


def test_the_commands_make_keys_and_refuse_to_serve_everybody(tmp_path, monkeypatch):
    monkeypatch.setenv("ECOM_DATA", str(tmp_path))
    everybody = CliRunner().invoke(main, ["api", "--host", "0.0.0.0"])
    made = CliRunner().invoke(main, ["api-key", "create", "shop", "--days", "3"])
    listed = CliRunner().invoke(main, ["api-key", "list"])

    assert everybody.exit_code == 1
    assert "make a key first" in everybody.output
    assert made.output.strip()[: keys.SHOWN] in listed.output
    assert made.output.strip() not in listed.output
    revoked = CliRunner().invoke(main, ["api-key", "revoke", listed.output.split()[0]])
    assert "is revoked" in revoked.output
    assert "revoked" in CliRunner().invoke(main, ["api-key", "list"]).output


@pytest.mark.slow
def test_readers_of_changing_snapshots_see_one_at_a_time(client, shop):
    """Each snapshot has a total that its rows add up to: a page of two snapshots would not."""
    is_over = threading.Event()

    def read() -> int:
        count = 0
        while not is_over.is_set() or not count:
            rows = all_pages(client, "/tables/gold.sales?limit=4")
            to_date = client.get("/tables/gold.to_date?sort=-day&limit=1").json
            assert len({row["order_id"] for row in rows}) == len(rows)
            assert to_date["rows"]
            count += 1
        return count

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(4)]
        for number in range(3):
            shop.land_orders(2, order(100 + number, 2), file=f"{number}.csv")
            republish(shop, client)
        is_over.set()
        assert all(reader.result() for reader in readers)
    assert len(all_pages(client, "/tables/gold.sales")) == 12
