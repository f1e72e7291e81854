"""Writes of clients: there for good once they are answered, read at once, and then rows like all others."""

import datetime as dt
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ecom_assets import catalog
from ecom_assets.api import keys, resources
from ecom_assets.api.inbox import Inbox
from ecom_assets.api.published import served
from ecom_assets.days import Window
from ecom_assets.engine.duckdb.parsing import complaints_of
from ecom_assets.landing.feed_settings import FeedSettings
from ecom_assets.landing.zone import WRITTEN_PREFIX, Zone
from ecom_assets.settings import Settings
from ecom_assets_tests.api.serving import republish, serving
from ecom_assets_tests.tiny_shop import START, on, tables

NOW = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
THREADS = 40
"""In which the server answers."""
REAL = {
    resource.name: resource
    for resource in resources.resources(catalog.tables(), served(catalog.tables()), Zone(Path("without settings")))
}


@pytest.fixture(autouse=True)
def orders_are_in_sales(monkeypatch):
    monkeypatch.setitem(resources._RESOURCES, "orders", ("orders", ("gold.sales",), ()))


def new(number: str, amount: str = "5", customer: str | None = "c1", day: int = 2) -> dict:
    return {"order_id": number, "customer_id": customer, "ordered_at": f"{on(day)}T12:00:00Z", "amount": amount}


def files(client) -> list[str]:
    return sorted(path.name for path in client.known.landing.rglob(f"{WRITTEN_PREFIX}*"))


def test_what_is_written_is_read_at_once_and_published_later(client, shop):
    written = client.send("POST", "/orders", new("77", "12.5"))
    at, token = written.headers["Location"], written.headers["Sync-Token"]

    assert (written.status, written.json) == (201, {"state": "pending", "locations": ["/orders/77"]})
    assert (client.get(at).json["state"], client.get(at).json["row"]["amount"]) == ("pending", "12.5")
    assert client.get(at, Sync_Token=token).status == 200
    late = client.get("/tables/gold.sales", Sync_Token=token)
    assert (late.status, late.headers["Retry-After"]) == (503, "5")
    assert client.get("/tables/gold.sales").headers["X-Pending"] == "1"

    republish(shop, client)

    found = client.get("/tables/gold.sales?order_id=77", Sync_Token=token)
    assert (found.status, found.headers["X-Pending"]) == (200, None)
    assert found.json["rows"] == [{"order_id": "77", "ordered_on": str(on(2)), "amount": "12.5000"}]
    assert client.get(at).json["state"] == "accepted"
    assert client.get(at).json["published"] == {"gold.sales": found.json["rows"]}


def test_columns_of_the_shops_own_are_written_too(tmp_path):
    known = Settings(tmp_path, start=on(0), end=on(5))
    known.landing.mkdir()
    (known.landing / "feeds.toml").write_text('[orders.extra]\ntier = "text"\nweight = "decimal"\n')
    with serving(known) as client:
        row = new("88") | {"tier": "gold", "weight": "1.5"}
        wrong = client.send("POST", "/orders", row | {"weight": "heavy"})

        assert (wrong.status, "weight is not an amount" in wrong.json["detail"]) == (422, True)
        assert client.send("POST", "/orders", row).status == 201
        assert client.get("/orders/88").json["row"]["tier"] == "gold"
        [file] = known.landing.rglob(f"{WRITTEN_PREFIX}*")
        assert json.loads(file.read_text())["weight"] == "1.5"


def test_a_token_waits_for_publication(client, shop):
    token = client.send("POST", "/orders", new("77")).headers["Sync-Token"]
    etag = client.get("/tables/gold.sales").headers["ETag"]

    assert client.get("/tables/gold.sales", Sync_Token=token, Prefer="wait=0", If_None_Match=etag).status == 503
    republish(shop, client)
    assert client.get("/tables/gold.sales", Sync_Token=token, Prefer="wait=5", If_None_Match=etag).status == 200
    assert client.get("/tables/gold.sales", Sync_Token="0" * 26).status == 404
    assert client.get("/tables/gold.sales", Sync_Token="").status == 404


@pytest.mark.slow
def test_many_that_wait_for_publication_leave_threads_for_others(client, shop):
    token = client.send("POST", "/orders", new("77")).headers["Sync-Token"]
    with ThreadPoolExecutor(THREADS + 5) as clients:
        ask = partial(client.get, "/tables/gold.sales", Sync_Token=token, Prefer="wait=15")
        waiting = [clients.submit(ask) for _ in range(THREADS + 5)]
        assert client.get("/healthz").status == 200
        assert client.get("/tables/gold.sales").status == 200
        assert not any(one.done() for one in waiting)
        republish(shop, client)
        assert {one.result().status for one in waiting} == {200}


def test_a_row_that_is_quarantined_says_why_at_its_address(client, shop):
    client.send("POST", "/orders", new("78", customer="nobody"))
    republish(shop, client)

    found = client.get("/orders/78").json

    assert found["state"] == "quarantined"
    assert found["reasons"] == ["customer_id is in no row of silver.customers"]


def test_a_row_of_a_day_that_failed_is_pending_and_says_why(client, shop):
    shop.land_orders(4, *(f"{number},c1,{on(4)}T12:00:00Z,2024-04-01T00:00:00Z,many" for number in "abc"))
    client.send("POST", "/orders", new("79", day=4))
    republish(shop, client)

    found = client.get("/orders/79").json

    assert found["state"] == "pending"
    assert f"silver.orders of {on(4)}" in found["reasons"][0]


def test_the_last_write_counts_whatever_the_clock_says(client, shop):
    assert client.send("PUT", "/orders/80", new("80", "1")).status == 201
    for amount in ("2", "1", "3", "1"):
        assert client.send("PUT", "/orders/80", new("80", amount)).status == 200
    assert client.get("/orders/80").json["row"]["amount"] == "1"

    republish(shop, client)

    assert client.get("/orders/80").json["published"]["gold.sales"][0]["amount"] == "1.0000"


def test_the_clock_of_writes_never_goes_back(tmp_path):
    zone = Zone(tmp_path / "landing")
    known = resources.resources(tables(), {}, zone)
    [orders] = [resource for resource in known if resource.name == "orders"]
    clock = [dt.datetime(2024, 3, 4, 12, tzinfo=dt.UTC), dt.datetime(2024, 3, 4, 11, tzinfo=dt.UTC)]
    rows = []
    for now in clock:
        inbox = Inbox(zone, tmp_path / "lock", known, Window(START, dt.date.max), "UTC", lambda now=now: now)
        inbox.open()
        written, _ = inbox.write(orders, [new("1")], None, "")
        rows.append((written.token, dt.datetime.fromisoformat(inbox.row(orders, written, ("1",))[1]["updated_at"])))
        inbox.close()

    (first, earlier), (second, later) = rows
    assert first < second
    assert earlier < later


def test_what_is_deleted_is_gone_until_it_is_written_again(client, shop):
    shop.land_orders(1, f"91,c1,{on(1)}T12:00:00Z,{on(1)}T12:00:00Z,11", file="more.csv")
    republish(shop, client)
    assert client.send("DELETE", "/orders/91", None).status == 204
    assert client.get("/orders/91").status == 404
    assert client.send("DELETE", "/orders/91", None).status == 404

    republish(shop, client)
    assert client.get("/orders/91").status == 404
    assert client.get("/tables/gold.sales?order_id=91").json["rows"] == []

    assert client.send("POST", "/orders", new("91", "4", day=1)).status == 201
    republish(shop, client)
    assert client.get("/orders/91").json["published"]["gold.sales"][0]["amount"] == "4.0000"


def test_what_is_there_is_not_created_again(client, shop):
    client.send("POST", "/orders", new("81"))

    for number in ("81", "11"):
        found = client.send("POST", "/orders", {"rows": [new("82"), new(number)]})
        assert (found.status, f"/orders/{number}" in found.json["detail"]) == (409, True)
    assert len(files(client)) == 1


def test_a_request_that_is_sent_again_writes_nothing(client, shop):
    first = client.send("POST", "/orders", new("83"), Idempotency_Key="k-1")
    again = client.send("POST", "/orders", new("83"), Idempotency_Key="k-1")
    other = client.send("POST", "/orders", new("84"), Idempotency_Key="k-1")

    assert (again.status, again.headers["Sync-Token"]) == (201, first.headers["Sync-Token"])
    assert other.status == 409
    assert client.send("DELETE", "/orders/83", None, Idempotency_Key="k-2").status == 204
    assert client.send("DELETE", "/orders/83", None, Idempotency_Key="k-2").status == 204
    assert len(files(client)) == 2


def test_a_server_that_starts_again_knows_what_was_written(tmp_path, client, shop):
    written = client.send("POST", "/orders", {"rows": [new("85"), new("86")]}, Idempotency_Key="k-3")
    with serving(client.known) as second:
        refused = second.send("POST", "/orders", new("87"))
        assert (refused.status, "Another process" in refused.json["detail"]) == (503, True)
        assert second.get("/orders/86").json["row"]["order_id"] == "86"
        assert second.get("/tables/gold.sales", Sync_Token=written.headers["Sync-Token"]).status == 503
    assert client.send("POST", "/orders", new("87")).status == 201


def test_a_server_that_ends_lets_another_one_write(tmp_path):
    for number in ("c1", "c2"):
        with serving(Settings(tmp_path, start=on(0), end=on(5))) as one:
            row = {"customer_id": number, "joined_at": f"{on(1)}T10:00:00Z"}
            assert one.send("POST", "/customers", row).status == 201


def test_before_anything_is_published_what_was_written_is_read(client):
    assert (
        client.send("POST", "/customers", {"customer_id": "c9", "joined_at": f"{on(1)}T10:00:00+02:00"}).status == 201
    )

    assert client.get("/customers/c9").json["row"] == {"customer_id": "c9", "joined_at": f"{on(1)}T08:00:00Z"}
    assert client.get("/customers/c8").status == 404


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{", 400, "not JSON"),
        (b'{"amount": NaN}', 400, "NaN is no number"),
        (b"\xff", 400, "not JSON"),
        ([], 422, "A row is an object"),
        ({"rows": []}, 422, "1 to 500 rows"),
        ({"rows": [new(str(n)) for n in range(501)]}, 422, "1 to 500 rows"),
        ({"rows": [new("1"), new("1")]}, 409, "/orders/1 comes twice"),
        (new("1") | {"amout": "1"}, 422, "did you mean 'amount'"),
        (new("1") | {"is_deleted": True}, 422, "DELETE says that"),
        (new("1", "1.23456"), 422, "4 decimals"),
        (new("1", "-1"), 422, "at least 0"),
        (new("1") | {"amount": 1.5}, 422, "amount as text"),
        (new("1") | {"ordered_at": "2024-03-01T12:00:00"}, 422, "offset"),
        (new("1") | {"ordered_at": None}, 422, "ordered_at is present"),
        (new(" 1"), 422, "order_id"),
        (new("none"), 422, "order_id is present"),
        (new("\ud800"), 422, "order_id"),
        (new("1") | {"customer_id": "x" * 1_000_000}, 413, "1000000 bytes"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(client, shop, body, status, said):
    found = client.send("POST", "/orders", body)

    assert (found.status, found.headers["Content-Type"]) == (status, "application/problem+json")
    assert said in found.json["detail"]
    assert files(client) == []


def test_a_row_goes_to_its_own_address_as_json(client, shop):
    assert client.send("PUT", "/orders/88", new("89")).status == 409
    assert client.send("PATCH", "/orders/88", new("88")).headers["Allow"] == "DELETE, GET, PUT"
    assert client.send("POST", "/orders", new("88"), Content_Type="text/plain").status == 415
    assert client.send("POST", "/orders", new("88"), Idempotency_Key="two words").status == 400
    assert files(client) == []


def test_a_row_alone_never_replaces_a_group_that_files_hold_whole(client, shop):
    shop.session.zone.save_settings("orders", FeedSettings(complete=("order_id",)))

    found = client.send("POST", "/orders", new("90"))

    assert (found.status, "would replace all others" in found.json["detail"]) == (409, True)
    assert files(client) == []


def test_a_key_opens_what_its_scopes_say(client, shop):
    made = {scope: keys.create(client.known.api_keys, scope, NOW, scopes=[scope]) for scope in keys.SCOPES}

    def statuses(scope: str) -> list[int]:
        authorization = f"Bearer {made[scope]}"
        return [
            client.get("/tables/kpi.daily", Authorization=authorization).status,
            client.send("POST", "/orders", new(scope), Authorization=authorization).status,
            client.send("POST", "/sql", b"select 1", Authorization=authorization).status,
        ]

    assert statuses("read") == [200, 403, 403]
    assert statuses("write") == [403, 201, 403]
    assert statuses("sql") == [403, 403, 200]


def test_numbers_of_a_store_have_the_store_before_them():
    items = REAL["items"]
    row = {"order_id": "1001", "line_number": 2, "store": "fr"}

    assert items.id_of(row) == ("fr:1001", "2")
    assert items.address(("fr:10/1", "2")) == "/items/fr%3A10%2F1/2"
    assert items.numbers(("fr:1001", "2"), "fr") == {"order_id": "1001", "line_number": 2}
    assert items.id_of(items.retraction(("fr:1001", "2"), NOW)) == ("fr:1001", "2")


def test_new_rows_need_what_the_feed_says():
    assert REAL["products"].required == ["product_id", "price"]
    assert [wrong.detail for wrong in REAL["products"].wrong([{"product_id": "p"}])] == [
        "Broken: A product has a price, unless it is deleted."
    ]


TEXTS = st.one_of(
    st.text(),
    st.from_regex(r"\A[-+]?\d{0,12}(\.\d{0,6})?\Z"),
    st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"),
    st.dates().map(str),
    st.sampled_from(["EUR", "paid", "none", "true", "9999-12-31T23:59:59+14:00", "1000-01-01T00:00:00-12:00"]),
)
VALUES = st.lists(st.one_of(TEXTS, st.integers(), st.booleans(), st.floats()), min_size=50, max_size=100)


@settings(max_examples=4, phases=[Phase.generate])  # each example is hundreds
@given(VALUES)
def test_what_the_api_accepts_the_platform_can_read(values):
    for resource in REAL.values():
        for column in resource.columns:
            of_column = tuple(rule for rule in resource.feed.rules if rule.column == column.name)
            only = replace(resource, feed=replace(resource.feed, rules=of_column))
            rows = [{column.name: value} for value in values]
            for _ in ("types", "rules"):
                wrong = {each.row for each in only.wrong(rows)}
                rows = [row for n, row in enumerate(rows) if n not in wrong]
            landed = [only.as_landed(row, NOW)[column.name] for row in rows]
            texts = [value if isinstance(value, str) else json.dumps(value) for value in landed]
            assert complaints_of(texts, column, resource.feed, "UTC") == {}
