"""Lines of fixed width are cut where the layout says, within the same limits as all that is read."""

import gzip
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ecom_assets.landing.reading import RECORD_LIMIT
from ecom_assets.sources.fixed_width import Layout, write_parquet

LAYOUT = Layout({"id": (1, 3), "name": (4, 8)})


def written(folder: Path, content: bytes, encoding: str = "utf-8", name: str = "a.txt") -> list[dict[str, str]]:
    """The records of a file, each without what is null."""
    (folder / name).write_bytes(content)
    write_parquet(folder / name, folder / "a.parquet", LAYOUT, encoding)
    rows = pq.read_table(folder / "a.parquet").to_pylist()
    return [{column: value for column, value in row.items() if value is not None} for row in rows]


@pytest.mark.parametrize("encoding", ["utf-8", "UTF-8", "utf-16"])
def test_a_byte_order_mark_moves_nothing(tmp_path: Path, encoding: str) -> None:
    content = "\ufeff  1Zoë  \n  2Anne \n".encode("utf-16-le" if encoding == "utf-16" else "utf-8")

    assert written(tmp_path, content, encoding) == [{"id": "1", "name": "Zoë"}, {"id": "2", "name": "Anne"}]


def test_a_line_without_end_is_set_aside_at_the_limit_of_a_record(tmp_path: Path) -> None:
    [first, endless, last] = written(tmp_path, b"  1Anne \n" + b"x" * (3 * RECORD_LIMIT) + b"\n  2Ben  \n")

    assert (first["name"], last["name"]) == ("Anne", "Ben")
    assert endless["_problem"].startswith(f"line 2: longer than {RECORD_LIMIT} bytes")
    assert len(endless["_raw"]) < 10_100


def test_a_gzip_bomb_is_read_to_the_limit_of_unpacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecom_assets.landing.reading.lines.UNPACKED_LIMIT", 1 << 16)

    *read, last = written(tmp_path, gzip.compress(b"  1Anne \n" * (1 << 17)), name="a.txt.gz")

    assert 1 << 12 < len(read) < 1 << 17
    assert "more than 250 times its size" in last["_problem"]


def test_a_byte_that_the_encoding_does_not_have_costs_its_line_only(tmp_path: Path) -> None:
    [first, wrong, last] = written(tmp_path, b"  1Zo\xeb  \n  2Zo\x81  \n  3Ben  \n", "cp1252")

    assert (first["name"], last["name"]) == ("Zoë", "Ben")
    assert wrong["_problem"].startswith("line 2: contains bytes that are not cp1252 text")
