"""Figures with their targets, for people and for machines."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import child

FOLDER = Path(__file__).parent
LIBRARIES = ("dagster", "duckdb", "polars", "narwhals", "numpy", "pyarrow")
SHOWN_PARTS = 12
_RATIOS = "Medians; ratios are within one run, of wall-clock times unless said otherwise."


@dataclass(frozen=True)
class Figure:
    """One number: what was measured, in which unit, and its target, if any."""

    name: str
    value: float
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None

    @property
    def is_kept(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.at_most is not None:
            return self.value <= self.at_most
        return None if self.at_least is None else self.value >= self.at_least


@dataclass(frozen=True)
class Section:
    """The figures of one measurement, their meaning, and the slowest parts."""

    title: str
    size: str
    meaning: str
    figures: Sequence[Figure]
    parts: Mapping[str, float] = field(default_factory=dict)
    """Seconds of the parts."""


def machine() -> dict[str, str]:
    """Returns the machine and the versions that the figures depend on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "system": f"{platform.system()} on {platform.machine()}",
        "cores": f"{child.CORES} used of {os.cpu_count()}",
        "memory": f"{memory:.0f} GB",
        "python": platform.python_version(),
        **{library: version(library) for library in LIBRARIES},
    }


def save(sections: Mapping[str, Section], folder: Path) -> None:
    """Writes results.json and results.md; sections that were not measured this time are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "results.json"
    known: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    known |= {name: {"machine": machine(), **asdict(section)} for name, section in sections.items()}
    file.write_text(json.dumps(known, indent=2) + "\n")
    (folder / "results.md").write_text(_page(known))


def section_text(section: Section) -> str:
    """Returns the figures of a section as a Markdown table, with the slowest parts."""
    lines = [f"## {section.title}", "", f"{section.size}. {section.meaning}", "", "| figure | value | target | |"]
    lines.append("| --- | ---: | ---: | --- |")
    for figure in section.figures:
        verdict = {True: "kept", False: "missed", None: ""}[figure.is_kept]
        bound = f"≤ {_number(figure.at_most)}" if figure.at_most is not None else ""
        bound = f"≥ {_number(figure.at_least)}" if figure.at_least is not None else bound
        lines.append(f"| {figure.name} | {_number(figure.value)} {figure.unit}".rstrip() + f" | {bound} | {verdict} |")
    if section.parts:
        longest = sorted(section.parts.items(), key=lambda part: -part[1])[:SHOWN_PARTS]
        lines += ["", "Seconds: " + ", ".join(f"{name} {_number(seconds)}" for name, seconds in longest) + "."]
    return "\n".join([*lines, ""])


def _page(known: Mapping[str, Any]) -> str:
    about = [", ".join(f"{name} {value}" for name, value in entry["machine"].items()) for entry in known.values()]
    is_one_machine = len(set(about)) == 1
    lines = ["# Benchmark results", "", _RATIOS, ""]
    if is_one_machine:
        lines += [f"{about[0]}.", ""]
    for text, entry in zip(about, known.values(), strict=True):
        figures = [Figure(**figure) for figure in entry["figures"]]
        section = Section(entry["title"], entry["size"], entry["meaning"], figures, entry["parts"])
        lines += [section_text(section)] if is_one_machine else [section_text(section), f"{text}.", ""]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
