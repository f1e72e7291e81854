"""What the measures of charts mean: the descriptions of the columns that define them."""

from dataclasses import dataclass
from functools import cache

from ecom_assets import catalog
from ecom_assets.dashboard.declared import Chart
from ecom_assets.serving.published_tables import VIEWS


@dataclass(frozen=True)
class Definition:
    """A measure's name, what it is, and the column whose description says so."""

    name: str
    text: str
    column: str


def definitions(chart: Chart) -> list[Definition]:
    """Returns the definitions of a chart's measures. Raises KeyError for a column that no contract has."""
    described = _descriptions()
    found = []
    for series in (*chart.series, *([chart.total] if chart.total else [])):
        if series.column:
            column = series.column if "." in series.column else f"{chart.table}.{series.column}"
            found.append(Definition(series.name, described[column], column))
    return list(dict.fromkeys(found))


@cache
def _descriptions() -> dict[str, str]:
    contracts = [table.contract for table in catalog.tables()]
    described = {
        f"{each.name}.{column.name}": column.description for each in contracts for column in each.columns.values()
    }
    return described | {f"{view.name}.{column.name}": column.description for view in VIEWS for column in view.columns}
