"""Tables of pages."""

from collections.abc import Iterator, Sequence


def table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yields the lines of a Markdown table, whose first column is text and the others numbers, and an empty line."""
    for cells in (heads, ["---", *["--:"] * (len(heads) - 1)], *lines):
        yield f"| {' | '.join(cells)} |"
    yield ""
