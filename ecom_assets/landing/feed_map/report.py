"""What became of an export's lines."""

from collections.abc import Mapping
from dataclasses import dataclass

from ecom_assets.days import Window


@dataclass(frozen=True)
class FileReport:
    """What became of one source file. `lines` counts the unreadable ones too; without an arrival day nothing lands."""

    name: str
    has_arrival_day: bool
    lines: int
    unreadable: int
    unused: int
    rows: Mapping[str, int]


@dataclass(frozen=True)
class LandReport:
    """What became of each source file.

    `days` are the first and last arrival day, where there is one; `emptied` counts the files of earlier landings whose
    source has no such lines any more; `skipped` are the files whose arrival day could not be told; `due_otherwise` the
    feeds that stay due on other days than the map says.
    """

    feeds: tuple[str, ...]
    files: tuple[FileReport, ...]
    days: Window | None
    emptied: int = 0
    skipped: tuple[str, ...] = ()
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
        if self.emptied:
            said.append(f"  {self.emptied:>12,} files landed before are now empty: their source has no such lines")
        said += [f"  skipped, for it tells no arrival day: {name}" for name in self.skipped]
        said += [f"  {feed} stays due on the days that feeds.toml says, not the map" for feed in self.due_otherwise]
        return "\n".join(said)
