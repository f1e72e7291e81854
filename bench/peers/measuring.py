"""What each stack spends in each situation, and how far its tables are those of a full rebuild."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.child import Spent
from bench.peers.comparing import differing
from bench.peers.late import late_changes, late_orders
from bench.peers.records import FEEDS
from bench.peers.stacks import NIGHTLY, Days, Stack, Way
from ecom_assets.days import Window

FULL, DAY, NOTHING = "full build", "one more day", "nothing new"
LATE, CHANGES = "late order and correction", "late customer and product"


@dataclass
class Measured:
    """What a stack spent, by situation and way of running, once per repetition; and how far it was right then."""

    spent: dict[tuple[str, str], list[Spent]] = field(default_factory=dict)
    wrong: dict[tuple[str, str], Mapping[str, int]] = field(default_factory=dict)
    """To the tables that differ from the stack's own full rebuild, with the number of rows."""
    unlike: Mapping[str, int] = field(default_factory=dict)
    """The tables of the full rebuild that differ from those of the first stack."""

    def add(self, situation: str, spent: Spent, way: str = NIGHTLY) -> None:
        self.spent.setdefault((situation, way), []).append(spent)

    def cpu(self, situation: str, way: str = NIGHTLY) -> float:
        """Returns the median of the processor seconds."""
        return median(spent.cpu for spent in self.spent[situation, way])

    def wall(self, situation: str, way: str = NIGHTLY) -> float:
        """Returns the median of the seconds from start to exit."""
        return median(spent.wall for spent in self.spent[situation, way])

    def exact(self, situation: str) -> str | None:
        """Returns the cheapest way after which every table is that of a full rebuild, or None."""
        ways = [way for (of, way), wrong in self.wrong.items() if of == situation and not wrong]
        return min(ways, key=lambda way: self.cpu(situation, way), default=None)


def measure(
    stacks: Sequence[Stack], zone: Path, days: Days, homes: Callable[[str], Path], repeats: int
) -> dict[str, Measured]:
    """Measures the stacks in turns, in homes made by `homes`. Returns what was measured, by name of the stack.

    The zone has the files of the history and of the day after it. In the last repetition, all tables are compared.
    """
    late_zone, changes_zone = homes("late"), homes("changes")
    lates = {LATE: late_orders(zone, days, late_zone), CHANGES: late_changes(zone, days, changes_zone)}
    arrivals = {
        FULL: lambda home: _land(zone, home, days.history),
        DAY: lambda home: _land(zone, home, days.next),
        LATE: lambda home: _land(late_zone, home, days.late),
        CHANGES: lambda home: _land(changes_zone, home, days.changes),
    }
    measured = {stack.name: Measured() for stack in stacks}
    rebuilt: dict[str, Path] = {}
    for turn in range(repeats):
        for stack in stacks:
            found, home = measured[stack.name], homes(stack.name)
            arrivals[FULL](home)
            stack.prepare(home, days)
            found.add(FULL, stack.build(home, days.history))
            arrivals[DAY](home)
            for way, run in undone_but_last(stack.day(days.next), home):
                found.add(DAY, run(home), way)
            found.add(NOTHING, stack.nightly(home, days.next))
            for situation, late in lates.items():
                arrivals[situation](home)
                if turn == repeats - 1:
                    rebuilt[stack.name] = homes(f"{stack.name} rebuilt")
                    for arrived in list(arrivals)[: list(arrivals).index(situation) + 1]:
                        arrivals[arrived](rebuilt[stack.name])
                    stack.prepare(rebuilt[stack.name], days)
                    stack.build(rebuilt[stack.name], late.arrival)
                for way, run in undone_but_last(stack.repairs(late), home):
                    found.add(situation, run(home), way)
                    if turn == repeats - 1:
                        tables = stack.database(home), stack.database(rebuilt[stack.name])
                        found.wrong[situation, way] = differing(*tables)
    ours = stacks[0]
    for stack in stacks:
        tables = ours.database(rebuilt[ours.name]), stack.database(rebuilt[stack.name])
        measured[stack.name].unlike = differing(*tables)
    return measured


def _land(zone: Path, home: Path, days: Window) -> None:
    """Links the files of the arrival days into the landing zone of a home."""
    for feed in FEEDS:
        for folder in sorted((zone / feed).glob("*-*-*")):
            if str(days.first) <= folder.name <= str(days.last):
                target = home / "data" / "landing" / feed / folder.name
                ignored = shutil.ignore_patterns(".*")
                shutil.copytree(folder, target, copy_function=os.link, dirs_exist_ok=True, ignore=ignored)


def undone_but_last(ways: Mapping[str, Way], home: Path) -> Iterator[tuple[str, Way]]:
    """Returns the ways one by one. What the caller does to the home is undone, but for the last."""
    kept = home.with_name(f"{home.name} kept")
    *others, last = ways.items()
    for way in others:
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(home, kept, copy_function=_copied)
        yield way
        shutil.rmtree(home)
        kept.rename(home)
    yield last


def _copied(source: str, target: str) -> None:
    if "/data/landing/" in source:
        os.link(source, target)
    else:
        shutil.copy2(source, target)
