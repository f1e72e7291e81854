"""The tables that are exported: the star schema and the measures, as readers of the snapshot see them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ecom_assets.contract import Layer
from ecom_assets.declaration import Declaration
from ecom_assets.engine.duckdb.tables import SQL_TYPES
from ecom_assets.serving.published_tables import DAILY_QUALITY, RESTATEMENTS, VIEWS, PublishedView
from ecom_assets.sql import quoted

LAYERS = (Layer.GOLD, Layer.KPI)


@dataclass(frozen=True)
class ExportedColumn:
    """A column, its SQL type and its description."""

    name: str
    sql_type: str
    may_be_null: bool
    personal: bool
    description: str


@dataclass(frozen=True)
class ExportedTable:
    """A table or view of the snapshot.

    `key` are columns that tell its rows apart, the day first if there is one: rows are exported in their order. `day`
    is the column with the day of a row; of rows that no day made, such as inferred customers, it is null. `days` names
    the table whose days in the ledger are those of the rows; None for views of the ledger itself.
    """

    name: str
    description: str
    columns: tuple[ExportedColumn, ...]
    key: tuple[str, ...]
    day: str
    days: str | None

    @property
    def is_view(self) -> bool:
        """Whether its rows are computed when they are read, so that the ledger has no content hash of them."""
        return self.days != self.name

    @property
    def query(self) -> str:
        """Returns SQL for all rows, in order."""
        columns = ", ".join(quoted(column.name) for column in self.columns)
        return f"select {columns} from {quoted(self.name)} order by {', '.join(map(quoted, self.key))}"


def exported(tables: Iterable[Declaration]) -> list[ExportedTable]:
    """Returns the tables of gold and kpi by name; versions of a dimension as the view that adds their end."""
    extended = {view.extends: view for view in VIEWS if view.extends}
    found = [
        _extended(table, extended[table.name]) if table.name in extended else table_of(table)
        for table in tables
        if table.contract.layer in LAYERS
    ]
    for view in (DAILY_QUALITY, RESTATEMENTS):
        found.append(ExportedTable(view.name, view.row, _columns(view), view.key, view.key[0], None))
    return sorted(found, key=lambda table: table.name)


def table_of(declaration: Declaration) -> ExportedTable:
    """Returns the table of a declaration, whether it is exported or not."""
    promise = declaration.contract
    columns = tuple(
        ExportedColumn(c.name, SQL_TYPES[c.kind], c.may_be_null, c.personal, c.description)
        for c in promise.columns.values()
    )
    name, day = declaration.name, promise.partition_column
    return ExportedTable(name, promise.description, columns, promise.key_by_day, day, name)


def _extended(versions: Declaration, view: PublishedView) -> ExportedTable:
    table = table_of(versions)
    columns = tuple(replace(column, may_be_null=column.name not in view.key) for column in table.columns)
    return ExportedTable(view.name, view.row, (*columns, *_columns(view)), view.key, table.day, versions.name)


def _columns(view: PublishedView) -> tuple[ExportedColumn, ...]:
    return tuple(
        ExportedColumn(c.name, c.sql_type, c.name not in view.key, c.personal, c.description) for c in view.columns
    )
