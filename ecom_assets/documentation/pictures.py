"""Pictures of boxes and arrows, from left to right, as coordinates for a template that draws them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from statistics import fmean

WIDTH, GAP, LINE, HEAD = 250, 110, 18, 26
"""Widths of a box and of the room between two columns of boxes, and heights of a line and of a head, in pixels."""
SWEEPS = 4


@dataclass(frozen=True)
class Arrow:
    """An arrow from a line of a box, or from its head, to another box; `text` says what it is."""

    source: str
    line: str | None
    target: str
    text: str = ""


@dataclass
class Box:
    """A box with a head and lines, and where it is."""

    name: str
    lines: list[str] = field(default_factory=list)
    x: int = 0
    y: int = 0

    @property
    def height(self) -> int:
        return HEAD + LINE * len(self.lines) + (6 if self.lines else 0)


@dataclass(frozen=True)
class Picture:
    """Boxes, and arrows each with the path that draws it."""

    boxes: Sequence[Box]
    arrows: Sequence[tuple[Arrow, str]]
    width: int
    height: int
    box: int
    """Width of a box."""


def picture(arrows: Sequence[Arrow], box_width: int = WIDTH, gap: int = GAP) -> Picture:
    """Returns a picture of these arrows, each of which points to the right. Raises CycleError if they cannot."""
    boxes: dict[str, Box] = {}
    for arrow in arrows:
        lines = boxes.setdefault(arrow.source, Box(arrow.source)).lines
        if arrow.line and arrow.line not in lines:
            lines.append(arrow.line)
        boxes.setdefault(arrow.target, Box(arrow.target))
    columns = _columns(boxes.values(), arrows)
    tallest = max((_height(column) for column in columns), default=0)
    for n, column in enumerate(columns):
        y = (tallest - _height(column)) // 2
        for box in column:
            box.x, box.y = n * (box_width + gap), y
            y += box.height + LINE
    return Picture(
        list(boxes.values()),
        [(arrow, _path(boxes[arrow.source], arrow.line, boxes[arrow.target], box_width)) for arrow in arrows],
        max(len(columns) * (box_width + gap) - gap, 0),
        tallest,
        box_width,
    )


def _height(column: Sequence[Box]) -> int:
    return sum(box.height + LINE for box in column) - LINE


def _columns(boxes: Iterable[Box], arrows: Sequence[Arrow]) -> list[list[Box]]:
    """Returns the boxes from left to right, in each column near those that they are connected with."""
    before: dict[str, set[str]] = {box.name: set() for box in boxes}
    for arrow in arrows:
        before[arrow.target].add(arrow.source)
    rank: dict[str, int] = {}
    for name in TopologicalSorter(before).static_order():
        rank[name] = max((rank[source] + 1 for source in before[name]), default=0)
    columns: list[list[Box]] = [[] for _ in range(max(rank.values(), default=-1) + 1)]
    for box in sorted(boxes, key=lambda box: box.name):
        columns[rank[box.name]].append(box)
    beside: Mapping[str, list[str]] = {
        name: [*sources, *(arrow.target for arrow in arrows if arrow.source == name)]
        for name, sources in before.items()
    }
    for _ in range(SWEEPS):
        for column in columns:
            place = {box.name: n / len(one) for one in columns for n, box in enumerate(one)}
            column.sort(key=lambda box: fmean(place[name] for name in beside[box.name]))
    return columns


def _path(source: Box, line: str | None, target: Box, box_width: int) -> str:
    y = source.y + (HEAD + LINE * source.lines.index(line) + LINE // 2 if line else HEAD // 2)
    x, end_x, end_y = source.x + box_width, target.x, target.y + HEAD // 2
    bend = (end_x - x) // 2 if end_x - x < 2 * GAP else GAP // 2
    return f"M{x} {y}C{x + bend} {y} {end_x - bend} {end_y} {end_x} {end_y}"
