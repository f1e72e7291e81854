"""Pieces of nested JSON that no feed reads, and keys that records lack."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_assets.landing.zone import Zone
from ecom_assets.sources.feed_map import FeedMapError
from ecom_assets_tests.examples import examples
from ecom_assets_tests.sources.landing import land_text, rows

HEAD = """\
[source]
arrival_day = { file_name = "*-{day}.json" }

[sources.orders]
files = "orders-*.json"

[sources.others]
files = "others-*.json"
"""
RETURNS = """
select l->>'id' as return_id, o.id as order_id, '2024-03-01' as returned_at, '2024-03-01' as updated_at,
    'web' as channel, 0 as amount, 0 as shipping, 0 as tax
from orders o, unnest(items(o.refunds)) as t(refund){more}
"""
LINES = ", unnest(items(refund->'lines')) as u(l)"


def mapped(**feeds: str) -> str:
    return HEAD + "".join(f'\n[feed.{name}]\nsql = """{sql}"""\n' for name, sql in feeds.items())


def told(tmp_path: Path, text: str, records: list[Any]) -> list[str]:
    zone = Zone(tmp_path / "landing")
    report = land_text(tmp_path, zone, text, **{"orders-2024-03-01.json": json.dumps(records)})
    return [line.strip() for line in str(report).splitlines() if "are read by no feed" in line]


ORDER = {
    "id": 1,
    "refunds": [
        {"lines": [{"id": 1, "kind": "a"}, {"id": 2, "kind": "b"}], "transactions": [{"id": 8}]},
        {"lines": [], "transactions": [{"id": 9}, {"id": 10}]},
    ],
    "notes": [{"text": "x"}],
    "tags": ["new"],
}


@pytest.mark.parametrize(
    ("sql", "unread"),
    [
        (
            RETURNS.format(more=LINES),
            ["1 of 2 orders.refunds are read by no feed", "3 of 3 orders.refunds[].transactions are read by no feed"],
        ),
        (
            RETURNS.format(more=f"{LINES} where (l->>'kind') = 'a'"),
            [
                "1 of 2 orders.refunds are read by no feed",
                "1 of 2 orders.refunds[].lines are read by no feed",
                "3 of 3 orders.refunds[].transactions are read by no feed",
            ],
        ),
        (
            RETURNS.format(more=" where (refund->'transactions') is not null").replace(
                "l->>'id'", "refund->'lines'->>0"
            ),
            [],
        ),
    ],
)
def test_pieces_that_no_feed_reads_are_counted_by_kind(tmp_path: Path, sql: str, unread: list[str]) -> None:
    assert told(tmp_path, mapped(returns=sql), [ORDER]) == unread


def test_a_piece_that_another_feed_reads_is_read(tmp_path: Path) -> None:
    payments = """
        select p->>'id' as payment_id, o.id as order_id, '2024-03-01' as paid_at, '2024-03-01' as updated_at,
            'card' as method, 'refunded' as status, 1 as amount, 0 as fee
        from orders o, unnest(items(o.refunds)) as t(refund), unnest(items(refund->'transactions')) as u(p)
    """
    feeds = {"returns": RETURNS.format(more=f"{LINES} where (l->>'kind') = 'a'"), "payments": payments}

    assert told(tmp_path, mapped(**feeds), [ORDER]) == ["1 of 2 orders.refunds[].lines are read by no feed"]


PIECES = st.lists(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc")), max_size=3), max_size=4)


@pytest.mark.slow
@settings(max_examples=examples(15), deadline=None)
@given(orders=st.lists(PIECES, min_size=1, max_size=3), kinds=st.sets(st.sampled_from("abc")))
def test_each_piece_is_read_or_counted(orders: list[list[list[tuple[int, str]]]], kinds: set[str]) -> None:
    """Pieces that are alike within a record are read together."""
    records = [
        {"id": number, "refunds": [{"lines": [{"id": n, "kind": kind} for n, kind in lines]} for lines in refunds]}
        for number, refunds in enumerate(orders)
    ]
    wanted = ", ".join(f"'{kind}'" for kind in sorted(kinds)) or "''"
    text = mapped(returns=RETURNS.format(more=f"{LINES} where (l->>'kind') in ({wanted})"))
    lines = [kind for refunds in orders for refund in refunds for _, kind in refund]
    refunds = [any(kind in kinds for _, kind in refund) for refunds in orders for refund in refunds]
    expected = [
        (refunds.count(False), len(refunds), "orders.refunds"),
        (sum(kind not in kinds for kind in lines), len(lines), "orders.refunds[].lines"),
    ]
    with TemporaryDirectory() as folder:
        found = told(Path(folder), text, records)
    assert found == [f"{unread} of {of} {kind} are read by no feed" for unread, of, kind in expected if unread]


def test_a_key_that_another_source_has_may_be_missing(tmp_path: Path) -> None:
    sql = RETURNS.format(more="").replace("from orders o", "from orders o left join others x on x.id = o.id")
    sql = sql.replace("l->>'id'", "coalesce(o.closed_at, 'none')")
    files = {
        "orders-2024-03-01.json": '[{"id": 1, "refunds": [{"id": 2}]}]',
        "others-2024-03-01.json": '[{"id": 1, "closed_at": "x"}]',
    }
    zone = Zone(tmp_path / "landing")
    land_text(tmp_path, zone, mapped(returns=sql), **files)

    assert rows(zone, "returns", "return_id") == [("none",)]
    files["orders-2024-03-01.json"] = '[{"id": 1, "closedat": "y", "refunds": [{"id": 2}]}]'
    with pytest.raises(FeedMapError, match="did you mean 'closedat'"):
        land_text(tmp_path, zone, mapped(returns=sql), **files)


def test_a_key_that_no_record_has_is_null_in_words_beside_sql(tmp_path: Path) -> None:
    words = """
        [feed.customers]
        source = "orders"
        columns = { customer_id = "id", changed_at = "at", name = "name" }
        """
    text = mapped(returns=RETURNS.format(more="").replace("l->>'id'", "refund->>'id'")) + words
    zone = Zone(tmp_path / "landing")
    files = {"orders-2024-03-01.json": '[{"id": 1, "at": "2024-03-01", "refunds": [{"id": 2}]}]'}
    land_text(tmp_path, zone, text, **files)

    assert rows(zone, "customers", "customer_id", "name") == [("1", None)]
    files["orders-2024-03-01.json"] = '[{"id": 1, "at": "2024-03-01", "nome": "x", "refunds": [{"id": 2}]}]'
    with pytest.raises(FeedMapError, match="did you mean 'nome'"):
        land_text(tmp_path, zone, text, **files)
