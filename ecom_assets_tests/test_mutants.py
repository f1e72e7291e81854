"""The proof can fail: with one definition of the core changed, a random history ends otherwise than it should."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

import ecom_assets
from ecom_assets.warehouse.proof import contents, settle
from ecom_assets_tests.histories.remembered import REMEMBERED
from ecom_assets_tests.histories.replaying import broken_law, replay
from ecom_assets_tests.histories.steps import History
from ecom_assets_tests.histories.strategies import histories

PACKAGE = Path(ecom_assets.__file__).parent
EXAMPLES = 150
FOUND = 3
"""The exit code of a process whose mutant was found. Python's own are others, as where a module cannot be imported."""


@dataclass(frozen=True)
class Mutant:
    """One change of a definition of the core, and the table whose histories have to find it.

    `definition` names a function, a method as `Class.method`, or a module's constant, whichever file it is in. `old` is
    part of its source, and is replaced by `new`; line breaks, indentation and spaces make no difference.
    `test` is the test that finds it, where others of the same file would take long before it.
    """

    name: str
    definition: str
    old: str
    new: str
    goal: str = "gold.fact_payments"
    test: str = ""

    def changes(self) -> list[tuple[Path, str]]:
        """Returns each file in which the definition contains `old`, with its changed source: one, if all is well."""
        return [
            (file, source[: match.start()] + self.new + source[match.end() :])
            for file, source, start, end in _definitions(self.definition)
            for match in _pattern(self.old).finditer(source, start, end)
        ]


def _pattern(text: str) -> re.Pattern[str]:
    """Returns what finds a text in any layout: space between words only, and a comma before a bracket that closes."""
    tokens = re.findall(r"\w+|[^\w\s]", text)
    pattern = r"\b" if _is_word(tokens[0]) else ""
    pattern += re.escape(tokens[0])
    for before, token in pairwise(tokens):
        pattern += r"\s*,?" if token in ")]}" and before != "," else ""
        pattern += r"\s+" if _is_word(before) and _is_word(token) else r"\s*"
        pattern += re.escape(token)
    return re.compile(pattern + (r"\b" if _is_word(tokens[-1]) else ""))


def _is_word(token: str) -> bool:
    return re.fullmatch(r"\w+", token) is not None


@cache
def _definitions(name: str) -> list[tuple[Path, str, int, int]]:
    """Returns each file with a definition of that name, its source, and where in it the definition starts and ends."""
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        source = file.read_text()
        lines = source.splitlines(keepends=True)
        for node in _nodes(ast.parse(source), name.split(".")) if name.rpartition(".")[2] in source else ():
            first, last = node.lineno - 1, node.end_lineno
            found.append((file, source, sum(map(len, lines[:first])), sum(map(len, lines[:last]))))
    return found


def _nodes(parent: ast.Module | ast.ClassDef, path: list[str]) -> Iterator[ast.stmt]:
    """Yields the statements that define a name, looked for in the classes before it on the path."""
    name, *rest = path
    for node in parent.body:
        match node:
            case ast.ClassDef() if node.name == name and rest:
                yield from _nodes(node, rest)
            case ast.FunctionDef() | ast.ClassDef() if node.name == name and not rest:
                yield node
            case ast.Assign(targets=[ast.Name(id=target)]) | ast.AnnAssign(target=ast.Name(id=target)):
                if target == name and not rest:
                    yield node


BREAKS_THE_LAW = [
    Mutant("sessions read no next day", "around", "after=after", "after=0", "silver.sessions"),
    Mutant("history is a day long", "history", "before=None", "before=0", "gold.dim_customer_versions"),
    Mutant(
        "equal values of two columns cancel out",
        "row_hash",
        "hash(hash({literal(name)}, {value}))",
        "hash({literal(name)}, {value})",
        "gold.agg_daily_sales",
    ),
    Mutant("versions on other days are not read", "parse_query", "if rivals:", "if False:"),
    Mutant("fingerprints forget the content", "_content", "row_count, content) >>", "row_count) >>"),
    Mutant(
        "a day's inputs are looked for on the day alone",
        "_expected_of_one",
        "Window(window.first - before * ONE_DAY, window.last + after * ONE_DAY)",
        "window",
        "silver.sessions",
    ),
    Mutant(
        "nobody is told of references",
        "invalidate",
        "with touched as ({rows})",
        "with touched as (from ({rows}) where false)",
    ),
    Mutant("nobody is told of references that went", "watched_keys", "if some_gone:", "if False:"),
    Mutant(
        "nobody is told of rates",
        "watched_rates",
        'if store.count("select count(*) from changed_rates"):',
        "if False:",
        "gold.fact_payments",
    ),
    Mutant(
        "what refers to an order is not told of its currency",
        "watched_currencies",
        'if store.count("select count(*) from changed_currencies"):',
        "if False:",
        "gold.fact_payments",
    ),
    Mutant(
        "references are compared as they were sent",
        "watched_keys",
        "text_of(column)",
        "quoted(column.name)",
        "silver.orders",
    ),
    Mutant(
        "the other days of a row are not told of references",
        "invalidate",
        "semi join touched using",
        "semi join (from touched where false) using",
    ),
    Mutant(
        "days are not told of moved keys",
        "watched_moves",
        "where key_hash in (select key_hash from ({changed}))",
        "where false",
    ),
    Mutant("moves are not kept", "watched_moves", "having min(read_on) <> max(read_on)", "having false"),
    Mutant("old slices stay", "write_entries", '"slices",', ""),
    Mutant("old states stay", "write_entries", '("days",', "("),
    Mutant("changed code is not seen", "stale", "or d.code <> c.hash", ""),
    Mutant("invalidations are not seen", "stale", "or i.cause is not null", ""),
    Mutant("a feed's time zone is no code", "Store._code", "settings += self.parse_query(declaration, first)", "pass"),
    Mutant("replaced rows stay", "write_bronze", "(arrived_on, source_file) in ({present})", "false"),
    Mutant(
        "lines do not follow an order that leaves their day",
        "watched_keys",
        "invalidate(con, other, Cause.REFERENCE_CHANGED, declaration, [touched])",
        "pass",
        "silver.order_items",
    ),
    Mutant(
        "quarantined rows stay",
        "_place_rows",
        "(table, quarantine(declaration), superseded(declaration))",
        "(table, superseded(declaration))",
    ),
    Mutant(
        "superseded rows stay",
        "_place_rows",
        "(table, quarantine(declaration), superseded(declaration))",
        "(table, quarantine(declaration))",
    ),
    Mutant("a crash leaves half of a write", "transaction", '"rollback"', '"commit"'),
    Mutant("bronze is read by arrival", "_bronze_slices", "Slice(read_on,", "Slice(arrived_on,"),
    Mutant(
        "days that ran before their inputs are forgotten",
        "stale",
        "union select table_name, day from ledger.days where",
        "union select table_name, day from ledger.days where false and",
        "gold.fact_returns",
    ),
    Mutant(
        "nobody is told of orders from before the calendar",
        "watched_keys",
        "if declaration.from_feed:",
        "if False:",
    ),
    Mutant(
        "nobody is told that a feed of members arrives",
        "watched_arrival",
        "if has_arrived(store, silver) == before:",
        "if True:",
        "silver.orders",
    ),
    Mutant(
        "days of a merged number are not told",
        "watched_merges",
        "invalidate(con, other, Cause.NUMBER_MERGED, declaration, [rows])",
        "pass",
        "silver.orders",
    ),
    Mutant(
        "rows that wait for a survivor are not told",
        "_named_by",
        "if found else keys",
        "if False else keys",
        "silver.orders",
    ),
    Mutant("quarantine loses rows", "_place_rows", "where s.reasons is not null and", "where false and"),
]
"""Found by a history alone: it ends otherwise than a clean run of the same mutant, or in an error."""

WRONG_IN_EVERY_RUN = [
    Mutant("the earliest version wins", "_rank", "desc nulls last", "asc nulls last"),
    Mutant("bad rows win too", "_stage_superseded", "min(place) filter (reasons is null)", "min(place)"),
    Mutant(
        "what waits never loses",
        "_COMPETES",
        "reasons is null or waits_for is not null",
        "reasons is null",
        "silver.order_items",
    ),
    Mutant(
        "retractions are stored",
        "_stage_superseded",
        "or place = winning_place and retracts",
        "",
        "silver.order_items",
    ),
    Mutant(
        "what retracts waits",
        "_stage",
        "reasons is null and not retracts and {value} is not null and {matched}",
        "reasons is null and {value} is not null and {matched}",
        "silver.order_items",
    ),
    Mutant(
        "rows that left their group stay",
        "_stage_left_out",
        "where place > winning_place",
        "where false and place > winning_place",
        "silver.order_items",
    ),
    Mutant("nothing is provisional", "good_state", "State.PROVISIONAL", "State.STORED", "gold.dim_customer_versions"),
    Mutant("of equal versions the first to come wins", "_rank", "arrived_on desc", "arrived_on"),
    Mutant("any share of bad rows passes", "Limits.are_exceeded", "> self.max_bad_share", "> 1"),
]
"""The mutant's clean run is wrong in the same way: found by comparison with a clean run of the sound code."""

FOUND_BY_TESTS_OF_WRITING = [
    Mutant("last good rows are not kept", "keep_last_good", "insert into {last_good}", "from {last_good} limit 0; --"),
    Mutant("what is made of a bad day is not blocked at once", "conclude", "in store.catalog:", "in ():"),
    Mutant("the gate is open for failed inputs", "gate", "(State.FAILED, State.BLOCKED, None)", "(None,)"),
    Mutant(
        "rows are not counted",
        "_check_conservation",
        "if not accepted:",
        "if True:",
        test="test_a_transform_that_loses_or_doubles_rows_is_found_out",
    ),
]
"""Found by no history: readers alone see the first, other code ends the same way after the next two, and none of our
transforms loses rows."""

FOUND_BY_TESTS_OF_KEYS = [
    Mutant(
        "nobody is told of changed rows",
        "watched_rows",
        'if store.count("select count(*) from changed_rows"):',
        "if False:",
    ),
    Mutant(
        "keys that are gone for a while are forgotten",
        "invalidate_days_with_other_keys",
        "if not taking:",
        "if True:",
        test="test_a_change_of_a_key_that_is_gone_for_a_while_is_not_forgotten",
    ),
    Mutant("what is read by key is shown", "_reads", "str(int(reach.key is None))", '"1"'),
    Mutant(
        "nobody is told of other code",
        "keep_keyed_reads",
        "for read in [read for read in known if read.input == name]:",
        "for read in ():",
        test="test_days_of_code_that_is_replaced_for_a_while_are_stale_if_rows_changed_meanwhile",
    ),
    Mutant(
        "rows of all keys are read",
        "read_query",
        "if read.reach.key is None:",
        "if True:",
        test="test_a_table_reads_the_rows_of_the_keys_of_its_days_only",
    ),
]
"""Found by tests that say which days are stale; with the third and the last nothing ends wrong."""

FOUND_BY_TESTS_OF_BAD_DAYS = [
    Mutant("nobody is told that a day failed", "invalidate_by_turned_days", "if not turned:", "if True:"),
    Mutant("corrections on bad days count", "_let_corrected_rows_count", "if not bad:", "if True:"),
    Mutant(
        "a repair leaves the days that it turns",
        "Session.repair",
        "changed = records.turned_days(self.con, name, window)",
        "changed = []",
    ),
]
"""Found by no history of the sound code's shop, which seldom moves a row to a bad day."""


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
    """Run in a process with a mutant: leaves with FOUND at the first history that is not as it should be."""
    expected = json.loads(Path(sound).read_text()) if sound else None
    try:
        if expected is not None:
            sys.exit(FOUND if ends(goal) != expected else 0)
        for history in _histories(goal):
            with tempfile.TemporaryDirectory() as folder, replay(history, Path(folder)) as session:
                if broken_law(session, by_row=True):
                    sys.exit(FOUND)
    except Exception:
        sys.exit(FOUND)


def run_with(mutant: Mutant, folder: Path, *arguments: str) -> int:
    """Returns the exit code of Python with these arguments, in a process that imports the mutated package."""
    [(file, changed)] = mutant.changes()
    shutil.copytree(PACKAGE, folder / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / file.relative_to(PACKAGE.parent)).write_text(changed)
    path = os.pathsep.join([str(folder), str(PACKAGE.parent)])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-W", "ignore", *arguments]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, check=False).returncode


def is_found(mutant: Mutant, folder: Path, sound: str = "") -> bool:
    """Whether a process with the mutant finds a history that is not as it should be."""
    code = f"from ecom_assets_tests.test_mutants import judge; judge({mutant.goal!r}, {sound!r})"
    left_with = run_with(mutant, folder, "-c", code)
    assert left_with in (0, FOUND)
    return left_with == FOUND


@pytest.mark.parametrize(
    "mutant",
    [
        *BREAKS_THE_LAW,
        *WRONG_IN_EVERY_RUN,
        *FOUND_BY_TESTS_OF_WRITING,
        *FOUND_BY_TESTS_OF_KEYS,
        *FOUND_BY_TESTS_OF_BAD_DAYS,
    ],
    ids=lambda mutant: mutant.name,
)
def test_a_mutant_changes_one_place_into_other_code(mutant: Mutant):
    changes = mutant.changes()

    assert len(changes) == 1, f"{mutant.old!r} is found {len(changes)} times in definitions of {mutant.definition}"
    [(file, changed)] = changes
    assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(file.read_text()))


def test_a_mutant_is_found_in_any_layout():
    old = 'found(first, "a  b")[0] or no'

    assert _pattern(old).search('found(\n    first,\n    "a b",\n)[0]\nor no')
    assert not _pattern(old).search('found(first, "ab")[0] or no')
    assert not _pattern(old).search('found(first, "a b")[0] or nobody')


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
@pytest.mark.parametrize("mutant", FOUND_BY_TESTS_OF_WRITING, ids=lambda mutant: mutant.name)
def test_the_tests_of_writing_find_a_mutant(mutant: Mutant, tmp_path: Path):
    assert quick_tests("test_writing.py", mutant, tmp_path) == pytest.ExitCode.TESTS_FAILED


@pytest.mark.long
@pytest.mark.parametrize("mutant", FOUND_BY_TESTS_OF_KEYS, ids=lambda mutant: mutant.name)
def test_the_tests_of_keys_find_a_mutant(mutant: Mutant, tmp_path: Path):
    assert quick_tests("test_keys.py", mutant, tmp_path) == pytest.ExitCode.TESTS_FAILED


@pytest.mark.long
@pytest.mark.parametrize("mutant", FOUND_BY_TESTS_OF_BAD_DAYS, ids=lambda mutant: mutant.name)
def test_the_tests_of_bad_days_find_a_mutant(mutant: Mutant, tmp_path: Path):
    assert quick_tests("test_bad_days.py", mutant, tmp_path) == pytest.ExitCode.TESTS_FAILED


def quick_tests(file: str, mutant: Mutant, folder: Path) -> int:
    """Returns the exit code of the quick tests of a file, or of the one that the mutant names, with the mutant."""
    tests = Path(__file__).parent / "warehouse" / (f"{file}::{mutant.test}" if mutant.test else file)
    quick = ["-q", "-x", "-p", "no:cacheprovider", "-o", "pythonpath=", "-m", "not slow and not long"]
    return run_with(mutant, folder, "-m", "pytest", *quick, str(tests))


@pytest.mark.long
def test_the_sound_code_is_not_found(tmp_path: Path):
    assert not is_found(Mutant("none", "ONE_DAY", "days=1", "days=1"), tmp_path)
