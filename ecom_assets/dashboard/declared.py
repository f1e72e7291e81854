"""What a chart is declared by: the measures of a table, what they mean, how they are drawn and filtered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from ecom_assets.serving.report import Unit


class Good(StrEnum):
    """Whether it is good that a measure rises."""

    UP = "up"
    DOWN = "down"
    NEITHER = "neither"


class Form(StrEnum):
    """How a chart is drawn. The first column of `by` is its axis."""

    SPARK = "spark"
    """A small line over days, without axes, beside the value."""
    LINES = "lines"
    """A line per series, over days."""
    BARS = "bars"
    """Stacked bars over days."""
    COLUMNS = "columns"
    """Upright bars, in the order of the axis."""
    RANKED = "ranked"
    """Lying bars, the longest first."""
    HEAT = "heat"
    """Coloured cells: the first column of `by` downward, the second one across."""
    CURVES = "curves"
    """A line per value of the first column of `by`, over the second one."""
    BRIDGE = "bridge"
    """From the first series to the last, by what the others add."""
    STEPS = "steps"
    """A bar per series, side by side where names are "a: step" and "b: step"."""
    INTERVAL = "interval"
    """A line of what was expected with a band around it, and points of what came: the series say the lower end of the
    band, what was expected, its upper end, and what came, over days with rows."""
    POINTS = "points"
    """A point per row over days, coloured by the last column of `by`."""

    @property
    def is_daily(self) -> bool:
        """Whether its axis has each day of the range."""
        return self in (Form.SPARK, Form.LINES, Form.BARS)


class Span(StrEnum):
    """Of which days a chart reads rows."""

    RANGE = "range"
    UP_TO = "up to"
    """All days up to the range's last."""
    LAST = "last"
    """The newest day with rows, up to the range's last."""


class Dimension(StrEnum):
    """What charts are filtered by; the value is the parameter in the page's address."""

    CHANNEL = "channel"
    MARKETING_CHANNEL = "marketing_channel"
    CATEGORY = "category"
    COUNTRY = "country"

    @property
    def label(self) -> str:
        """Its name for people."""
        return {"channel": "Sales channel"}.get(self.value, self.value.replace("_", " ").capitalize())


@dataclass(frozen=True)
class Series:
    """A measure: an aggregate of the rows, or one (`of`) divided by another (`per`), never a mean of ratios."""

    name: str
    of: str
    per: str = ""
    unit: Unit = Unit.COUNT
    column: str = ""
    """The column of the chart's table, or of another ("kpi.daily_sales.gross_sales"), whose description defines it."""
    is_zero_without_rows: bool = True
    """Whether it is zero on a good day without rows, and not unknown."""


@dataclass(frozen=True)
class Chart:
    """A question, and what of a table answers it.

    `source` is a query in place of the table; it may name the shop's $time_zone. `day` is the column of the business
    day, `by` are the columns by which rows are grouped. `filters` says by which columns it can be filtered. `total` is
    the measure of the whole range that stands above it; `good` belongs to that. `beside` are further tables it reads.
    """

    name: str
    title: str
    question: str
    form: Form
    table: str
    series: tuple[Series, ...]
    by: tuple[str, ...] = ("day",)
    day: str = "day"
    span: Span = Span.RANGE
    total: Series | None = None
    good: Good = Good.NEITHER
    filters: Mapping[Dimension, str] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    source: str = ""
    beside: tuple[str, ...] = ()
    keys: tuple[int, ...] = ()
    """All values of the axis, where these are known."""
    total_to_date: bool = False
    """Whether the total is that of all days up to the range's last."""
    caveat: str = ""
    """A query for a remark on the range's total, or null; it names $first and $last."""
    from_zero: bool = True
    """Whether its axis begins at zero."""
    empty: str = ""
    """What it means that there are no rows, if that is good to know."""
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    """Names of the columns of `by` for people, where they differ."""

    @property
    def tables(self) -> tuple[str, ...]:
        """All tables that it reads."""
        return (self.table, *self.beside)

    def label(self, column: str) -> str:
        """Returns the name of a column of `by` for people."""
        return self.labels.get(column, column.replace("_", " ").capitalize())


@dataclass(frozen=True)
class Page:
    """A page of the dashboard; `tiles` are small charts beside their values."""

    name: str
    title: str
    charts: tuple[Chart, ...]
    tiles: tuple[Chart, ...] = ()

    @property
    def all(self) -> tuple[Chart, ...]:
        """Tiles and charts, in order."""
        return (*self.tiles, *self.charts)
