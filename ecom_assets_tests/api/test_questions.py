"""What a request asks is what SQL answers: pages have each row once, and what is wrong is said."""

from decimal import Decimal

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_assets.api.published import Served
from ecom_assets.api.questions import BadQuestion, Cursors, UnknownCursor, asked
from ecom_assets.contract import Date, Table, column, contract, key, money
from ecom_assets.contract import Decimal as Amount
from ecom_assets.declaration import declare
from ecom_assets_tests.tiny_shop import on, sales


class Sold(Table, primary_key="sale_id", partition_column="sold_on", name="gold.sold"):
    """One row per sale."""

    sale_id: str = key("Number of the sale")
    sold_on: Date = column("Day of the sale")
    place: str = column("Where it was sold", nullable=True)
    pieces: int = column("How many", nullable=True)
    is_gift: bool = column("Whether it was a gift", nullable=True)
    amount: Amount = money("What was paid", nullable=True)


TABLE = Served.table(declare(contract(Sold), sales))
NAMES = tuple(Sold.__annotations__)

_rows = st.lists(
    st.tuples(
        st.integers(0, 2).map(on),
        st.sampled_from([None, "", "a", "b,'"]),
        st.sampled_from([None, 0, -1, 7]),
        st.sampled_from([None, True, False]),
        st.sampled_from([None, Decimal("0.1"), Decimal("-3")]),
    ),
    max_size=9,
)
_sorts = st.lists(st.tuples(st.sampled_from(["", "-"]), st.sampled_from(NAMES)).map("".join), max_size=3, unique=True)


@settings(max_examples=60)
@given(_rows, _sorts, st.integers(1, 4), st.sampled_from([None, on(1)]))
def test_pages_in_any_order_have_each_row_once(rows, sort, limit, first):
    cursors = Cursors()
    with duckdb.connect() as con:
        con.execute(
            "create schema gold; create table gold.sold (sale_id text, sold_on date, place text, "
            "pieces bigint, is_gift boolean, amount decimal(18, 4))"
        )
        for number, row in enumerate(rows):
            con.execute("insert into gold.sold values (?, ?, ?, ?, ?, ?)", [f"s{number}", *row])
        given = [("sort", ",".join(sort))] if sort else []
        given += [("from", str(first))] if first else []
        whole = con.execute(*asked(TABLE, given).sql()).fetchall()
        found, after = [], None
        while True:
            question = asked(TABLE, [*given, ("limit", str(limit))])
            page = con.execute(*question.sql(after, beside=True)).fetchall()
            found += [row[: len(NAMES)] for row in page]
            if not page:
                break
            cursor = cursors.write(question, "s", page[-1][len(NAMES) :])
            _, after = cursors.read(question, cursor)

    assert sorted(found, key=repr) == sorted(whole, key=repr)
    assert found == whole
    assert len(whole) == sum(first is None or row[0] >= first for row in rows)


@pytest.mark.parametrize(
    ("given", "parameter"),
    [
        ([("frm", "2024-01-01")], "frm"),
        ([("from", "2024-1-1")], "from"),
        ([("to", "epoch")], "to"),
        ([("limit", "0")], "limit"),
        ([("limit", "1001")], "limit"),
        ([("limit", "\N{ARABIC-INDIC DIGIT ONE}")], "limit"),
        ([("limit", "5"), ("limit", "6")], "limit"),
        ([("columns", "sale_id,password")], "columns"),
        ([("columns", "*")], "columns"),
        ([("sort", "amount; drop table gold.sold")], "sort"),
        ([("sort", "--amount")], "sort"),
        ([("pieces", "9223372036854775808")], "pieces"),
        ([("pieces", "1_0")], "pieces"),
        ([("is_gift", "yes")], "is_gift"),
        ([("amount", "1")], "amount"),
    ],
)
def test_what_cannot_be_asked_is_named(given, parameter):
    with pytest.raises(BadQuestion) as raised:
        asked(TABLE, given)

    assert raised.value.parameter == parameter


def test_a_text_is_a_value_and_no_sql():
    with duckdb.connect() as con:
        con.execute(
            "create schema gold; create table gold.sold as select 'it''s' as sale_id, date '2024-01-01' as sold_on"
        )
        for text, count in (("it's", 1), ("' or true --", 0), ("it's\0", 0)):
            question = asked(TABLE, [("sale_id", text), ("columns", "sale_id")])
            assert len(con.execute(*question.sql()).fetchall()) == count


def test_a_cursor_holds_for_its_question_and_its_server_alone():
    cursors = Cursors()
    question, other = asked(TABLE, []), asked(TABLE, [("place", "a")])
    cursor = cursors.write(question, "now", [on(0), "s1"])

    assert cursors.read(question, cursor) == ("now", [on(0), "s1"])
    for wrong_question, wrong_cursors, wrong in (
        (other, cursors, cursor),
        (question, Cursors(), cursor),
        (question, cursors, cursor[:-4] + "AAAA"),
        (question, cursors, "A" * 61),
    ):
        with pytest.raises(UnknownCursor):
            wrong_cursors.read(wrong_question, wrong)
    for wrong in ("", "no cursor", f"{cursor}="):
        with pytest.raises(BadQuestion):
            cursors.read(question, wrong)
