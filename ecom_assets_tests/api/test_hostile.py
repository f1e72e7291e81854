"""What is sent to do harm: it reads no file, changes nothing, ends in time, and the next request works."""

import urllib.parse

import pytest

from ecom_assets.api import sql
from ecom_assets.settings import Settings
from ecom_assets_tests.api.serving import serving
from ecom_assets_tests.tiny_shop import on

REFUSED = [
    "from read_csv('/etc/passwd')",
    "from read_text('/etc/passwd')",
    "from read_blob('/proc/self/environ')",
    "from glob('/*')",
    "from '/etc/passwd'",
    "from read_json_auto('/etc/hosts')",
    "from parquet_metadata('/tmp/x.parquet')",
    "from sniff_csv('/etc/passwd')",
    "from read_csv('https://example.org/x.csv')",
    "copy (select 1) to '/tmp/written.csv'",
    "copy gold.sales from '/etc/passwd'",
    "export database '/tmp/exported'",
    "import database '/tmp/exported'",
    "attach '/tmp/other.duckdb' as other",
    "attach ':memory:' as other",
    "detach snapshot",
    "use memory",
    "install httpfs",
    "load httpfs",
    "set enable_external_access = true",
    "set memory_limit = '100GB'",
    "reset lock_configuration",
    "call pragma_version()",
    "create table taken as select 1",
    "create secret s (type s3, key_id 'x', secret 'y')",
    "insert into gold.sales select * from gold.sales",
    "update gold.sales set amount = 0",
    "delete from gold.sales",
    "drop table gold.sales",
    "checkpoint snapshot",
    "prepare p as select 1",
    "explain analyze select 1",
    "select 1; select 2",
    "select 1; drop table gold.sales",
    "",
    "--",
    "not even SQL",
]
TOO_LONG = [
    "select count(*) from range(100000000) a, range(100000000) b where hash(a.range + b.range) % 7 = 8",
    "with recursive r(n) as (select 1 union all select n + 1 from r) select max(n) from r",
    "select length(repeat('x', 4000000000)), length(repeat('y', 4000000000))",
    "select list_sum(list_transform(range(300000000), x -> hash(x) % 7))",
]
PARAMETERS = [
    {name: value}
    for value in ("' or '1'='1", '"; drop table gold.sales; --', "\0", "../../etc/passwd", "9" * 400, "\u202e", "%s")
    for name in ("order_id", "from", "columns", "sort", "limit", "cursor", "format")
]


@pytest.mark.slow
def test_sql_reads_the_snapshot_and_nothing_else(client, shop, monkeypatch):
    monkeypatch.setattr(sql, "MAX_SECONDS", 2.0)

    for query in REFUSED:
        found = client.send("POST", "/sql", query.encode())
        assert (found.status, found.headers["Content-Type"]) == (400, "application/problem+json"), query
        assert str(client.known.data) not in found.json["detail"]
    for query in TOO_LONG:
        assert client.send("POST", "/sql", query.encode()).status in (400, 408), query

    found = client.send(
        "POST", "/sql", b"select ordered_on, sum(amount) as amount from gold.sales group by 1 order by 1"
    )
    assert found.json["rows"][0] == [str(on(0)), "21.0000"]
    assert [column["type"] for column in found.json["columns"]] == ["DATE", "DECIMAL(38,4)"]
    assert client.get("/tables/gold.sales").status == 200


def test_sql_says_if_there_are_more_rows_and_is_off_by_default(client, shop):
    with serving(Settings(client.known.data)) as closed:
        assert closed.send("POST", "/sql", b"select 1").status == 404

    found = client.send("POST", "/sql", b"select range, 'x', [1.5::decimal(9,2)], {'a': null} from range(1001)").json
    assert (len(found["rows"]), found["truncated"]) == (1000, True)
    assert found["rows"][0] == [0, "x", ["1.50"], {"a": None}]


def test_a_hostile_parameter_is_a_value_or_refused(client, shop):
    before = client.get("/tables/gold.sales").json["rows"]

    for named in PARAMETERS:
        found = client.get(f"/tables/gold.sales?{urllib.parse.urlencode(named)}")
        assert found.status in (200, 400, 404), named
        assert found.status != 200 or found.json["rows"] == [], named

    assert client.get("/tables/gold.sales").json["rows"] == before
