"""Pictures on Dagster's pages show what the rows say."""

import base64
import datetime as dt
import xml.etree.ElementTree as ET

import duckdb
import pytest

from ecom_assets import catalog
from ecom_assets.declaration import Declaration, Plot
from ecom_assets.engine.duckdb.tables import columns_of
from ecom_assets.orchestration import plots

DAY = dt.date(2024, 1, 1)


def paths(picture: str) -> list[ET.Element]:
    """What is drawn in a picture, without texts."""
    root = ET.fromstring(base64.b64decode(picture.partition("base64,")[2].partition(")")[0]))
    return list(root.iter("{http://www.w3.org/2000/svg}path"))


def drawn(values: dict[dt.date, float], provisional: set[dt.date] | None = None) -> list[str]:
    """The paths of a picture: the line of zero, that of final days, and the dashed one."""
    return [path.attrib["d"] for path in paths(plots.of_days("orders", values, provisional or set()))]


def after(numbers: dict[int, float]) -> dict[dt.date, float]:
    return {DAY + dt.timedelta(days=n): value for n, value in numbers.items()}


def test_a_picture_shows_days_where_they_lie_and_values_by_height_and_is_broken_where_days_are_missing() -> None:
    assert drawn(after({0: 0.0, 1: 5.0, 3: 7.5, 4: 10.0})) == ["M60,110H480", "M60,110L165,60M375,35L480,10", ""]
    assert drawn(after({0: 0.0, 31: 5.0, 60: 10.0}))[1].count("M") == 1, "months are of several lengths"


def test_a_picture_is_dashed_to_and_from_days_that_are_not_final() -> None:
    values = after(dict.fromkeys(range(5), 1.0))
    provisional = {*after({2: 0, 4: 0})}

    _, final, dashed = drawn(values, provisional)

    assert final == "M60,10L165,10M375,10h0"
    assert dashed == "M165,10L270,10L375,10M375,10L480,10"
    assert "; not final: 2024-01-03, 2024-01-05" in plots.of_days("orders", values, provisional)


@pytest.mark.parametrize("value", [0.0, 7.0, -3.0])
def test_one_day_is_a_picture_too(value: float) -> None:
    assert drawn({DAY: value})[1].endswith("h0")


def test_a_picture_is_small() -> None:
    weeks = {DAY + dt.timedelta(days=n): 1_000_000.0 + n for n in range(plots.PLOT_DAYS)}

    assert len(plots.of_days("orders", weeks)) < 2_000


def test_a_picture_is_told_in_words() -> None:
    said = plots.of_days("orders", {DAY: 12_345.0, DAY + dt.timedelta(days=1): 9.0})

    assert said.endswith("orders, 2024-01-01 to 2024-01-02: last 9, maximum 12,345")


def test_lines_share_their_axes_and_an_interval_is_dashed() -> None:
    shown = Plot("forecast", "week", "units", "", dashed=("low & high",))

    picture = plots.of_lines(shown, [("sold", 2, 100.0), ("low & high", 1, 0.0), ("sold", 1, 50.0)])

    _, interval, sold = paths(picture)
    assert (interval.attrib["d"], "stroke-dasharray" in interval.attrib) == ("M60,210h0", True)
    assert (sold.attrib["d"], "stroke-dasharray" in sold.attrib) == ("M60,110L480,10", False)
    assert picture.endswith("forecast: units by week")


def test_lines_are_drawn_over_days_too() -> None:
    picture = plots.of_lines(Plot("error", "day", "RMSE", ""), [("a", day, 1.0) for day in after({0: 0, 28: 0, 56: 0})])

    assert paths(picture)[1].attrib["d"] == "M60,10L270,10L480,10"


def test_lines_that_are_flat_at_zero_are_a_picture_too() -> None:
    assert paths(plots.of_lines(Plot("gain", "x", "y", ""), [("a", 1.0, 0.0)]))[1].attrib["d"] == "M60,210h0"


PLOTTED = [declaration for declaration in catalog.tables() if declaration.plots]


def test_each_table_of_models_and_scores_has_a_plot() -> None:
    names = [name for name in catalog.tables().names if name.endswith(("_models", "_scores"))]

    assert sorted(declaration.name for declaration in PLOTTED) == sorted(names)


@pytest.mark.parametrize("declaration", PLOTTED, ids=lambda declaration: declaration.name)
def test_a_plot_of_no_rows_is_none(declaration: Declaration) -> None:
    con = duckdb.connect()
    con.execute(f"create schema {declaration.contract.layer}")
    columns = ", ".join(f'"{name}" {kind}' for name, kind in columns_of(declaration).items())
    con.execute(f"create table {declaration.name} ({columns})")

    for plot in declaration.plots:
        assert con.execute(f"select line, x, y from ({plot.query}) where isfinite(y)").fetchall() == []
