"""The report of landing an export."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ecom_assets.days import Window
from ecom_assets.sources.feed_map.sources import SourceFile

MANY_KINDS = 10
"""Maximum number of kinds of lines shown that no feed reads."""
EXAMPLES = 3
"""Maximum number of unreadable lines shown per file, and of files shown."""


@dataclass(frozen=True)
class Misses:
    """The lines of a file for which a left join of a feed's statement finds nothing in the table `of`.

    `number` is that of the join in the statement, `lines` counts all lines that it looks up, `sought` is what the first
    of those without a match looks for, None if the join compares nothing, and `record` its place in the file.
    """

    feed: str
    number: int
    of: str
    lines: int
    missed: int
    sought: str | None
    record: int


@dataclass(frozen=True)
class FileReport:
    """The result of one source file.

    `without_day` is the reason why its lines have no arrival day, so that nothing lands, or empty. `lines` includes
    unreadable ones; `problems` are those of the first of them. `unread` says which formats fit some
    values only, `going_on` the columns whose groups go on in it from another file, each with an example,
    `unused_kinds` the kinds of lines that no feed reads, with their number. `is_restated` says that it landed before,
    and that its rows may have changed because of other files. `unused_columns` are those that the map does not name,
    `absent_columns` those that it names and no record of JSON has,
    `misses` the joins that find nothing for some of its lines, `pieces` the kinds of pieces of nested JSON of which no
    feed reads some, with their number and that of all.
    """

    file: SourceFile
    rows: Mapping[str, int]
    without_day: str = ""
    lines: int = 0
    unreadable: int = 0
    unused: int = 0
    problems: Sequence[str] = ()
    unread: Sequence[str] = ()
    going_on: Mapping[str, str] = field(default_factory=dict)
    unused_kinds: Mapping[str, int] = field(default_factory=dict)
    is_restated: bool = False
    unused_columns: Sequence[str] = ()
    absent_columns: Sequence[str] = ()
    misses: Sequence[Misses] = ()
    pieces: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.file.source


@dataclass(frozen=True)
class LandReport:
    """The result of all source files.

    `days` are the first and last arrival day, if any; `emptied` counts the files of earlier landings whose source no
    longer has such lines; `skipped` are the files without an arrival day, and why; `missing` the patterns of the map
    that no file matches; `due_otherwise` the feeds whose own due days differ from the map's; `restated` counts the
    files of earlier landings to whose groups these add.
    """

    feeds: tuple[str, ...]
    files: tuple[FileReport, ...]
    days: Window | None
    emptied: int = 0
    skipped: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    due_otherwise: tuple[str, ...] = ()
    restated: int = 0

    @property
    def lines(self) -> int:
        return sum(file.lines for file in self.files)

    @property
    def unreadable(self) -> int:
        return sum(file.unreadable for file in self.files)

    @property
    def unused(self) -> int:
        """Readable lines that no feed reads."""
        return sum(file.unused for file in self.files)

    @property
    def rows(self) -> Mapping[str, int]:
        """Rows landed per feed, without the unreadable ones."""
        return {feed: sum(file.rows.get(feed, 0) for file in self.files) for feed in self.feeds}

    def __str__(self) -> str:
        text = [f"{self.lines:,} lines in {len(self.files):,} files"]
        text += [f"  {rows:>12,} rows of {feed}" for feed, rows in self.rows.items()]
        text += [
            f"  {self.unreadable:>12,} lines that cannot be read",
            f"  {self.unused:>12,} lines that no feed reads",
        ]
        kinds = Counter[str]()
        for file in self.files:
            kinds.update(file.unused_kinds)
        text += [f"    {number:,} of {kind}" for kind, number in kinds.most_common(MANY_KINDS)]
        if len(kinds) > MANY_KINDS:
            text.append(f"    and lines of {len(kinds) - MANY_KINDS:,} other kinds")
        if unused := dict.fromkeys(name for file in self.files for name in file.unused_columns):
            text.append(f"  columns that the map does not use: {', '.join(unused)}")
        if absent := dict.fromkeys(name for file in self.files for name in file.absent_columns):
            text.append(f"  keys that the map names and no record has: {', '.join(absent)}")
        kinds_of_pieces = dict.fromkeys(kind for file in self.files for kind in file.pieces)
        for kind in kinds_of_pieces:
            counted = [file.pieces[kind] for file in self.files if kind in file.pieces]
            unread, number = (sum(each) for each in zip(*counted, strict=True))
            text.append(f"    {unread:,} of {number:,} {kind} are read by no feed")
        text += self._misses()
        broken = [file for file in self.files if file.problems]
        text += [f"    {file.name}, {problem}" for file in broken[:EXAMPLES] for problem in file.problems]
        if len(broken) > EXAMPLES:
            text.append(
                f"    and lines of {len(broken) - EXAMPLES:,} other files; ecom quarantine lists all after a run"
            )
        odd = [file for file in self.files if file.unread]
        text += [f"  {file.name}: {unread}" for file in odd[:EXAMPLES] for unread in file.unread]
        if len(odd) > EXAMPLES:
            text.append(f"  and the same in {len(odd) - EXAMPLES:,} other files")
        for columns, example in {key: value for file in self.files for key, value in file.going_on.items()}.items():
            text.append(
                f"  groups of equal {columns} go on in another file, such as {example}: their lines add up "
                '(if each file has its groups whole, say group = "whole" in the map)'
            )
        if self.restated:
            text.append(f"  {self.restated:>12,} files landed earlier were looked at again: these add to their groups")
        if self.emptied:
            text.append(
                f"  {self.emptied:>12,} files landed earlier are now empty: their source no longer has such lines"
            )
        text += [f"  skipped {file}" for file in self.skipped]
        text += [f"  {pattern}" for pattern in self.missing]
        text += [
            f"  {feed} stays due on the days in feeds.toml, which differ from the map" for feed in self.due_otherwise
        ]
        return "\n".join(text)

    def _misses(self) -> Iterator[str]:
        """Yields what each join does not find, over all files."""
        joins: dict[tuple[str, int], list[tuple[str, Misses]]] = {}
        for file in self.files:
            for each in file.misses:
                joins.setdefault((each.feed, each.number), []).append((file.name, each))
        for (feed, _), found in joins.items():
            lines, missed = (sum(getattr(each, name) for _, each in found) for name in ("lines", "missed"))
            if missed:
                name, first = next((name, each) for name, each in found if each.missed)
                sought = "" if first.sought is None else f"{first.sought!r}, "
                yield (
                    f"  {missed:>12,} of {lines:,} lines of {feed} find nothing in {first.of}; first {sought}"
                    f"record {first.record} of {name}"
                )
