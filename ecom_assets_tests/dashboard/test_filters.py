"""The state of a page in its address."""

import datetime as dt

import pytest

from ecom_assets.dashboard.declared import Dimension
from ecom_assets.dashboard.filters import Compared, Filters, read
from ecom_assets.days import Window

PUBLISHED = Window(dt.date(2024, 1, 1), dt.date(2024, 3, 31))


@pytest.mark.parametrize(
    "filters",
    [
        Filters(),
        Filters("marketing", 90, None, Compared.YEAR, ((Dimension.CHANNEL, ("web", "app")),)),
        Filters(own=Window(dt.date(2024, 2, 1), dt.date(2024, 2, 3)), chosen=((Dimension.COUNTRY, ("a&b=c",)),)),
    ],
)
def test_an_address_gives_back_what_was_written_into_it(filters: Filters) -> None:
    assert read(filters.parameters()) == (filters, [])


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"page": ["todya"]}, "did you mean 'today'?"),
        ({"chanel": ["web"]}, "did you mean 'channel'?"),
        ({"compare": ["week"]}, "Nothing is compared by 'week'"),
        ({"days": ["-3"]}, "days is '-3'"),
        ({"from": ["2024-02-30"], "to": ["2024-03-01"]}, "from and to are days"),
        ({"from": ["2024-03-02"], "to": ["2024-03-01"]}, "from and to are days"),
        ({"from": ["2024-03-02"]}, "from and to are days"),
    ],
)
def test_what_is_wrong_in_an_address_is_said_and_left_out(parameters: dict[str, list[str]], said: str) -> None:
    filters, [wrong] = read(parameters)

    assert filters == Filters()
    assert said in wrong


def test_a_range_ends_with_what_is_published_and_never_begins_before_it() -> None:
    assert Filters(days=7).window(PUBLISHED) == Window(dt.date(2024, 3, 25), dt.date(2024, 3, 31))
    assert Filters(days=365).window(PUBLISHED) == PUBLISHED
    assert Filters(days=0).window(PUBLISHED) == PUBLISHED


def test_a_year_before_are_the_same_weekdays() -> None:
    window = Filters(days=7).window(PUBLISHED)

    before = Compared.YEAR.before(window)

    assert Compared.PERIOD.before(window) == Window(dt.date(2024, 3, 18), dt.date(2024, 3, 24))
    assert (before.first.weekday(), len(before)) == (window.first.weekday(), 7)
    assert before.first.year == 2023
