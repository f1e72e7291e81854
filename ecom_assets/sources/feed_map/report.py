"""What became of an export's lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ecom_assets.days import Window

EXAMPLES = 3
"""Unreadable lines that are told of a file, and files of which some are told."""


@dataclass(frozen=True)
class FileReport:
    """What became of one source file.

    `without_day` says why its lines tell no arrival day, and is empty where they do: else nothing lands. `lines` counts
    the unreadable ones too; `problems` are what is wrong with the first of those. `unread` names the columns of moments
    that no line writes as the map says.
    """

    name: str
    rows: Mapping[str, int]
    without_day: str
    lines: int
    unreadable: int
    unused: int
    problems: Sequence[str]
    unread: Sequence[str]


@dataclass(frozen=True)
class LandReport:
    """What became of each source file.

    `days` are the first and last arrival day, where there is one; `emptied` counts the files of earlier landings whose
    source has no such lines any more; `skipped` are the files whose arrival day could not be told, and why; `missing`
    which files of the map there are none of; `due_otherwise` the feeds that stay due on other days than the map says.
    """

    feeds: tuple[str, ...]
    files: tuple[FileReport, ...]
    days: Window | None
    emptied: int = 0
    skipped: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    due_otherwise: tuple[str, ...] = ()

    @property
    def lines(self) -> int:
        return sum(file.lines for file in self.files)

    @property
    def unreadable(self) -> int:
        return sum(file.unreadable for file in self.files)

    @property
    def unused(self) -> int:
        """Readable lines that no feed takes."""
        return sum(file.unused for file in self.files)

    @property
    def rows(self) -> Mapping[str, int]:
        """Rows landed per feed, without the unreadable ones."""
        return {feed: sum(file.rows.get(feed, 0) for file in self.files) for feed in self.feeds}

    def __str__(self) -> str:
        said = [f"{self.lines:,} lines in {len(self.files):,} files"]
        said += [f"  {rows:>12,} rows of {feed}" for feed, rows in self.rows.items()]
        said += [f"  {self.unreadable:>12,} lines that cannot be read", f"  {self.unused:>12,} lines no feed takes"]
        broken = [file for file in self.files if file.problems]
        said += [f"    {file.name}, {problem}" for file in broken[:EXAMPLES] for problem in file.problems]
        if len(broken) > EXAMPLES:
            said.append(f"    and lines of {len(broken) - EXAMPLES:,} other files; ecom quarantine lists all, once run")
        odd = [file for file in self.files if file.unread]
        said += [f"  {file.name}: {told}" for file in odd[:EXAMPLES] for told in file.unread]
        if len(odd) > EXAMPLES:
            said.append(f"  and so in {len(odd) - EXAMPLES:,} other files")
        if self.emptied:
            said.append(f"  {self.emptied:>12,} files landed before are now empty: their source has no such lines")
        said += [f"  skipped {told}" for told in self.skipped]
        said += [f"  {told}" for told in self.missing]
        said += [f"  {feed} stays due on the days that feeds.toml says, not the map" for feed in self.due_otherwise]
        return "\n".join(said)
