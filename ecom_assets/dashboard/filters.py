"""What a page is asked for, as in its address: page, range, comparison, and values of dimensions."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ecom_assets.dashboard.declared import Dimension
from ecom_assets.dashboard.pages import PAGES
from ecom_assets.days import Window
from ecom_assets.errors import suggestion
from ecom_assets.serving.report import PERIOD_DAYS, earlier, last_days


class Compared(StrEnum):
    """With which days a range is compared; the value is the parameter in the address."""

    PERIOD = "period"
    """As many days just before."""
    YEAR = "year"
    """The same weekdays a year before."""

    @property
    def label(self) -> str:
        """Its name for people."""
        return {"period": "Previous period", "year": "Previous year"}[self.value]

    def before(self, window: Window) -> Window:
        """Returns the days with which a range is compared."""
        year_before, period_before = earlier(window)
        return year_before if self is Compared.YEAR else period_before


ALL_DAYS = 0
"""In place of a number of days: all that are published."""
RANGES = (7, 30, 90, 365, ALL_DAYS)
"""Numbers of days up to the newest that can be chosen by name."""
_PARAMETERS = ("page", "days", "from", "to", "compare", *(dimension.value for dimension in Dimension))


@dataclass(frozen=True)
class Filters:
    """A page's state. The range is `own`, or else so many `days` up to the newest."""

    page: str = next(iter(PAGES))
    days: int = PERIOD_DAYS
    own: Window | None = None
    compared: Compared = Compared.PERIOD
    chosen: tuple[tuple[Dimension, tuple[str, ...]], ...] = ()

    def window(self, published: Window) -> Window:
        """Returns the days asked for; a number of days never goes back beyond the first one."""
        if self.own:
            return self.own
        window = last_days(published.last, self.days or published.span)
        return Window(max(window.first, published.first), window.last)

    def of(self, dimension: Dimension) -> tuple[str, ...]:
        """Returns the values chosen of a dimension; none stands for all."""
        return dict(self.chosen).get(dimension, ())

    def parameters(self) -> dict[str, list[str]]:
        """Returns the parameters of the page's address."""
        range_ = {"from": [str(self.own.first)], "to": [str(self.own.last)]} if self.own else {"days": [str(self.days)]}
        chosen = {dimension.value: list(values) for dimension, values in self.chosen if values}
        return {"page": [self.page], **range_, "compare": [self.compared.value], **chosen}


def read(parameters: Mapping[str, Sequence[str]]) -> tuple[Filters, list[str]]:
    """Returns the state that an address describes, and what of it is wrong and was left out."""
    wrong = [
        f"The address has an unknown parameter {name!r}{suggestion(name, _PARAMETERS)}"
        for name in parameters
        if name not in _PARAMETERS
    ]
    default = Filters()

    def one(name: str, otherwise: str) -> str:
        return parameters.get(name, [otherwise])[-1]

    page = one("page", default.page)
    if page not in PAGES:
        wrong.append(f"There is no page {page!r}{suggestion(page, PAGES)}")
        page = default.page
    compared = one("compare", default.compared)
    if compared not in list(Compared):
        wrong.append(f"Nothing is compared by {compared!r}{suggestion(compared, list(Compared))}")
        compared = default.compared
    days = one("days", str(default.days))
    if days not in map(str, RANGES):
        wrong.append(f"days is {days!r}; it is one of {', '.join(map(str, RANGES))}, of which 0 stands for all.")
        days = str(default.days)
    own = None
    if "from" in parameters or "to" in parameters:
        try:
            own = Window(dt.date.fromisoformat(one("from", "")), dt.date.fromisoformat(one("to", "")))
        except ValueError:
            wrong.append("from and to are days like 2024-01-31, from not after to; the range is the default one.")
    chosen = tuple(
        (dimension, tuple(dict.fromkeys(parameters[dimension]))) for dimension in Dimension if parameters.get(dimension)
    )
    return Filters(page, int(days), own, Compared(compared), chosen), wrong
