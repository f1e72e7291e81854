"""Texts of any kind come out of CSV as they are."""

import csv
import io

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from ecom_assets.api import formats

_texts = st.one_of(st.none(), st.sampled_from(['"', '"a', "a,b", "\r", ""]), st.text('a,"\n\r\\;é\u2028 ', max_size=4))


@given(st.lists(st.tuples(_texts, st.lists(_texts, max_size=2)), min_size=1, max_size=5))
def test_lines_of_csv_are_read_as_they_were_written(rows):
    with duckdb.connect() as con:
        con.execute('create table notes (place int, note text, "all, of them" text[])')
        con.executemany("insert into notes values (?, ?, ?)", [[n, *row] for n, row in enumerate(rows)])
        lists = [text for (text,) in con.execute('select "all, of them"::varchar from notes order by place').fetchall()]

        written = b"".join(formats.csv(con, [("from notes order by place", [])], ["place", "note", "all, of them"]))

    header, *read = csv.reader(io.StringIO(written.decode(), newline=""))
    assert header == ["place", "note", "all, of them"]
    assert read == [[str(n), note or "", kept] for n, ((note, _), kept) in enumerate(zip(rows, lists, strict=True))]
    assert written.count(b',"",') >= sum(note == "" for note, _ in rows)
