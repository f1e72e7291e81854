"""The proof can fail: with one line of the core changed, a random history ends otherwise than it should."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

import ecom_assets
from ecom_assets.warehouse.proof import contents, settle
from ecom_assets_tests.histories import REMEMBERED, History, broken_law, histories, replay

PACKAGE = Path(ecom_assets.__file__).parent
EXAMPLES = 30


@dataclass(frozen=True)
class Mutant:
    """One change of the core's text, and the table whose histories are to find it."""

    name: str
    file: str
    old: str
    new: str
    goal: str = "gold.fact_payments"


BREAKS_THE_LAW = [
    Mutant("sessions read no next day", "days.py", "before=before, after=after)", "before=before)", "silver.sessions"),
    Mutant(
        "history is a day long",
        "days.py",
        '"history", before=None',
        '"history", before=0',
        "gold.dim_customer_versions",
    ),
    Mutant(
        "equal values of two columns cancel out",
        "engine/duckdb/hashing.py",
        "hash(hash({literal(name)}, {value}))",
        "hash({literal(name)}, {value})",
        "gold.agg_daily_sales",
    ),
    Mutant(
        "versions on other days are not read", "engine/duckdb/parsing.py", "if declaration.keys_can_move:", "if False:"
    ),
    Mutant(
        "fingerprints forget the content",
        "warehouse/ledger.py",
        "hash(table_name, day, read_day, row_count, content)",
        "hash(table_name, day, read_day, row_count)",
    ),
    Mutant(
        "a day's inputs are looked for on the day alone",
        "warehouse/ledger.py",
        "Window(window.first - before * ONE_DAY, window.last + after * ONE_DAY)",
        "window",
        "silver.sessions",
    ),
    Mutant(
        "nobody is told of references",
        "warehouse/keys.py",
        '    rows = " union all ".join(f"select',
        '    return\n    rows = " union all ".join(f"select',
    ),
    Mutant(
        "nobody is told of references that went", "warehouse/keys.py", "        if some_gone:\n", "        if False:\n"
    ),
    Mutant(
        "references are compared as they were sent",
        "warehouse/keys.py",
        "value, name = stripped(quoted(column.name)),",
        "value, name = quoted(column.name),",
        "silver.orders",
    ),
    Mutant(
        "the other days of a row are not told of references",
        "warehouse/keys.py",
        "union select m.read_on from ledger.moves m semi join touched using (key_hash)",
        "union select m.read_on from ledger.moves m semi join (from touched where false) using (key_hash)",
    ),
    Mutant(
        "days are not told of moved keys",
        "warehouse/keys.py",
        "where key_hash in (select key_hash from ({changed}))",
        "where false",
    ),
    Mutant("moves are not kept", "warehouse/keys.py", "having min(read_on) <> max(read_on)", "having false"),
    Mutant(
        "old slices stay",
        "warehouse/ledger.py",
        'for part in ("days", "slices", "findings", "pokes")',
        'for part in ("days", "findings", "pokes")',
    ),
    Mutant(
        "old states stay",
        "warehouse/ledger.py",
        'for part in ("days", "slices", "findings", "pokes")',
        'for part in ("slices", "findings", "pokes")',
    ),
    Mutant("changed code is not seen", "warehouse/ledger.py", "or d.code <> c.hash or", "or"),
    Mutant("pokes are not seen", "warehouse/ledger.py", " or p.because is not null", ""),
    Mutant(
        "a feed's time zone is no code",
        "warehouse/store.py",
        "settings += self.parse_query(declaration, first)",
        "pass",
    ),
    Mutant(
        "replaced rows stay",
        "warehouse/bronze.py",
        'con.execute(f"delete from {table} where {ours} and (arrived_on, source_file) in ({present})")',
        "pass",
    ),
    Mutant(
        "lines do not follow an order that leaves their day",
        "warehouse/keys.py",
        '_poke(store, other, f"a row of {declaration.name} came or went", [touched])',
        "pass",
        "silver.order_items",
    ),
    Mutant(
        "quarantined rows stay",
        "warehouse/silver.py",
        "con.execute(f\"delete from {quoted(declaration.quarantine)} where {between('read_on', window)}\")",
        "pass",
    ),
    Mutant(
        "superseded rows stay",
        "warehouse/silver.py",
        "con.execute(f\"delete from {quoted(declaration.superseded)} where {between('read_on', window)}\")",
        "pass",
    ),
    Mutant(
        "a crash leaves half of a write",
        "warehouse/store.py",
        'self.con.execute("rollback")',
        'self.con.execute("commit")',
    ),
    Mutant(
        "bronze is read by arrival",
        "warehouse/bronze.py",
        "Slice(read_on, count, content)",
        "Slice(arrived_on, count, content)",
    ),
    Mutant(
        "days that ran before their inputs are forgotten",
        "warehouse/ledger.py",
        "union\n        select table_name, day from ledger.days where table_name in",
        "union\n        select table_name, day from ledger.days where false and table_name in",
        "gold.fact_returns",
    ),
    Mutant("quarantine loses rows", "warehouse/silver.py", "where s.reasons is not null and", "where false and"),
]
"""Found by a history alone: it ends otherwise than a clean run of the same mutant, or in an error."""

WRONG_IN_EVERY_RUN = [
    Mutant("the earliest version wins", "warehouse/silver.py", "desc nulls last, ", "asc nulls last, "),
    Mutant("bad rows win too", "warehouse/silver.py", "min(place) filter (reasons is null)", "min(place)"),
    Mutant(
        "what waits never loses",
        "warehouse/silver.py",
        "where reasons is null or waits_for is not null",
        "where reasons is null",
        "silver.order_items",
    ),
    Mutant(
        "nothing is provisional",
        "warehouse/outcome.py",
        "return State.PROVISIONAL if",
        "return State.STORED if",
        "gold.dim_customer_versions",
    ),
    Mutant(
        "of equal versions the first to come wins",
        "warehouse/silver.py",
        "{version}arrived_on desc,",
        "{version}arrived_on,",
    ),
    Mutant("any share of bad rows passes", "warehouse/silver.py", "left / of > tolerated", "left / of > 1"),
]
"""The mutant's clean run is wrong in the same way: found by comparison with a clean run of the sound code."""

SURVIVORS = {
    "fingerprints forget the state": "They tell which days are there; whether these are final is compared beside them.",
    "held rows are not kept": "Held rows are for the snapshot only; test_writing finds it.",
    "what is made of a bad day is not blocked at once": "It is blocked when it runs next; test_writing finds it.",
    "the gate is open for failed inputs": "A failed day has no rows, so only states differ; test_writing finds it.",
    "repeated files are handed on to be read": "Reading leaves them out as well.",
    "rows are not counted": "Counting only finds out transforms that lose rows, and ours keep all; test_writing does.",
}
"""Changes that no history can show, and what finds them."""


@cache
def _histories(goal: str) -> list[History]:
    found: list[History] = []

    @seed(3)
    @settings(max_examples=EXAMPLES, phases=[Phase.generate], database=None, suppress_health_check=list(HealthCheck))
    @given(histories([goal], steps=12))
    def collect(history: History) -> None:
        found.append(history)

    collect()
    return [*(history for history in REMEMBERED.values() if history.goal == goal), *found]


def ends(goal: str) -> list[dict[str, str]]:
    """The content of the warehouse after each history of a goal."""
    found = []
    for history in _histories(goal):
        with tempfile.TemporaryDirectory() as folder, replay(history, Path(folder)) as session:
            settle(session)
            found.append({f"{table} {day}": content for (table, day), content in contents(session).items()})
    return found


def judge(goal: str, sound: str) -> None:
    """Run in a process with a mutant: leaves with 1 at the first history that is not as it should be."""
    expected = json.loads(Path(sound).read_text()) if sound else None
    if expected is not None:
        sys.exit(ends(goal) != expected)
    for history in _histories(goal):
        with tempfile.TemporaryDirectory() as folder, replay(history, Path(folder)) as session:
            if broken_law(session, by_row=True):
                sys.exit(1)


def is_found(mutant: Mutant, folder: Path, sound: str = "") -> bool:
    """Whether a process with the mutant finds a history that is not as it should be."""
    text = (PACKAGE / mutant.file).read_text()
    shutil.copytree(PACKAGE, folder / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / PACKAGE.name / mutant.file).write_text(text.replace(mutant.old, mutant.new))
    code = f"from ecom_assets_tests.test_mutants import judge; judge({mutant.goal!r}, {sound!r})"
    path = os.pathsep.join([str(folder), str(PACKAGE.parent)])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-W", "ignore", "-c", code]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize("mutant", [*BREAKS_THE_LAW, *WRONG_IN_EVERY_RUN], ids=lambda mutant: mutant.name)
def test_the_line_that_a_mutant_changes_stands_in_one_place(mutant: Mutant):
    assert (PACKAGE / mutant.file).read_text().count(mutant.old) == 1


@pytest.mark.long
@pytest.mark.parametrize("mutant", BREAKS_THE_LAW, ids=lambda mutant: mutant.name)
def test_a_history_finds_a_mutant(mutant: Mutant, tmp_path: Path):
    assert is_found(mutant, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("mutant", WRONG_IN_EVERY_RUN, ids=lambda mutant: mutant.name)
def test_a_clean_run_of_the_sound_code_finds_a_mutant(mutant: Mutant, tmp_path: Path):
    sound = tmp_path / "sound.json"
    sound.write_text(json.dumps(ends(mutant.goal)))

    assert is_found(mutant, tmp_path, str(sound))


@pytest.mark.long
def test_the_sound_code_is_not_found(tmp_path: Path):
    assert not is_found(Mutant("none", "days.py", "ONE_DAY", "ONE_DAY"), tmp_path)
