"""Each measurement of the benchmark runs, at a size at which its figures say nothing, and compares as it says."""

import re
import shutil
import time
from pathlib import Path

import duckdb
import pytest

from bench import results
from bench.child import PROJECT, Spent
from bench.parts import Parts
from bench.peers.comparing import NotComparable, differing
from bench.peers.measuring import undone_but_last
from bench.peers.projects import COMPARED
from bench.peers.stacks import REQUIREMENTS, Unavailable, Way, has_environment
from bench.sections import FOLDER, NEED_PEERS, SECTIONS, Bench


@pytest.mark.long
@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_can_be_measured_at_any_size(name: str, tmp_path: Path) -> None:
    work = tmp_path / "work"
    if name in NEED_PEERS:
        if not has_environment(FOLDER):
            pytest.skip(f"dbt-duckdb and SQLMesh are not installed; `python -m bench {name}` installs them.")
        work.mkdir()
        (work / "peers-venv").symlink_to(FOLDER / "peers-venv")

    try:
        section = SECTIONS[name](Bench(work, scale=0.002, repeats=1))
    except Unavailable as reason:
        pytest.skip(str(reason))

    results.save({name: section}, tmp_path)

    assert all(figure.value > 0 for figure in section.figures)
    assert all(figure.is_kept for figure in section.figures if figure.at_least and "tables" in figure.name)
    assert f"## {section.title}" in (tmp_path / "results.md").read_text()


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with all tables that are compared, each of one row."""
    database = tmp_path_factory.mktemp("compared") / "one.duckdb"
    with duckdb.connect(database) as con:
        for table, model in COMPARED.items():
            key = ", ".join(f"'1' as {column}" for column in model.key)
            con.execute(f"create schema if not exists {table.partition('.')[0]}")
            con.execute(f"create table {table} as select {key}, 0.5::double as share, 2.5::decimal(18, 4) as amount")
    return database


def _changed(database: Path, change: str, target: Path) -> Path:
    shutil.copy(database, target)
    with duckdb.connect(target) as con:
        con.execute(change)
    return target


def test_every_table_that_differs_is_found(one: Path, tmp_path: Path) -> None:
    for number, table in enumerate(COMPARED):
        other = _changed(one, f"insert into {table} from {table}", tmp_path / f"{number}.duckdb")

        assert differing(one, other) == {table: 1}


@pytest.mark.parametrize(
    ("change", "rows"),
    [
        ("update gold.fact_sales set amount = 2.5001", 2),
        ("update gold.fact_sales set share = 0.5001", 2),
        ("update gold.fact_sales set share = null", 2),
        ("delete from gold.fact_sales", 1),
        ("update gold.fact_sales set share = 0.5 + 1e-12", 0),
        ("alter table gold.fact_sales alter amount type decimal(38, 6)", 0),
        ("alter table gold.fact_sales add column store varchar", 0),
        ("alter table gold.fact_sales add column arrived_on date", 0),
    ],
)
def test_values_are_compared_and_not_their_types(change: str, rows: int, one: Path, tmp_path: Path) -> None:
    other = _changed(one, change, tmp_path / "other.duckdb")

    assert differing(one, other) == ({"gold.fact_sales": rows} if rows else {})
    assert differing(other, one) == ({"gold.fact_sales": rows} if rows else {})


def test_columns_of_other_names_cannot_be_compared(one: Path, tmp_path: Path) -> None:
    other = _changed(one, "alter table gold.fact_sales rename amount to net_amount", tmp_path / "other.duckdb")

    with pytest.raises(NotComparable, match=r"gold\.fact_sales"):
        differing(one, other)


def test_peers_run_on_the_locked_duckdb() -> None:
    pinned = {
        re.findall(r"^duckdb==(\S+)", file.read_text(), re.MULTILINE)[0]
        for file in (REQUIREMENTS, PROJECT / "requirements.lock")
    }

    assert len(pinned) == 1


def test_what_a_way_does_to_a_home_is_undone_but_for_the_last(tmp_path: Path) -> None:
    home = tmp_path / "home"
    landed = home / "data" / "landing" / "orders.csv"
    landed.parent.mkdir(parents=True)
    landed.write_text("landed")
    rows = home / "rows"
    rows.write_text("before")
    seen = []

    def way(name: str) -> Way:
        def run(home: Path) -> Spent:
            seen.append(rows.read_text())
            rows.write_text(name)
            return Spent()

        return run

    names = []
    for name, run in undone_but_last({"first": way("first"), "second": way("second"), "last": way("last")}, home):
        names.append(name)
        run(home)

    assert names == ["first", "second", "last"]
    assert seen == ["before", "before", "before"]
    assert rows.read_text() == "last"
    assert landed.read_text() == "landed"
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


class _Work:
    def outer(self) -> None:
        _spin()
        self.inner()

    def inner(self) -> None:
        _spin()
        _spin()

    def of_no_part(self) -> None:
        _spin()


def _spin(seconds: float = 0.02) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_parts_do_not_overlap_and_leave_nothing_out() -> None:
    parts, work = Parts("before"), _Work()
    parts.turn_to("rest")
    with (
        parts.of(_Work, "outer", lambda *_: "outer"),
        parts.of(_Work, "inner", lambda *_: "inner"),
        parts.of(_Work, "of_no_part", lambda *_: None),
    ):
        work.outer()
        work.of_no_part()
    parts.stop()

    assert parts.seconds["outer"] == pytest.approx(0.02, abs=0.01)
    assert parts.seconds["inner"] == pytest.approx(0.04, abs=0.01)
    assert parts.seconds["rest"] == pytest.approx(0.02, abs=0.01)
    assert sum(parts.seconds.values()) == pytest.approx(time.process_time(), abs=0.01)
