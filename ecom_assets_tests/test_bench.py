"""Each measurement of the benchmark runs, at a size at which its figures say nothing."""

from pathlib import Path

import pytest

from bench import results
from bench.sections import SECTIONS, Bench


@pytest.mark.long
@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_can_be_measured_at_any_size(name: str, tmp_path: Path) -> None:
    section = SECTIONS[name](Bench(tmp_path / "work", scale=0.002, repeats=1))

    results.save({name: section}, tmp_path)

    assert all(figure.value > 0 for figure in section.figures)
    assert f"## {section.title}" in (tmp_path / "results.md").read_text()
