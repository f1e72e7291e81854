"""Windows and reaches."""

import datetime as dt
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecom_assets.days import ONE_DAY, Reach, Window, around, contiguous, history, same_day, since, trailing

YEAR = Window.parse("2024-01-01..2024-12-31")
_days = st.dates(dt.date(2023, 12, 1), dt.date(2024, 1, 31))


def march(first: int, last: int) -> Window:
    return Window(dt.date(2024, 3, first), dt.date(2024, 3, last))


def test_a_window_holds_both_its_ends():
    window = march(1, 3)

    assert list(window) == [dt.date(2024, 3, day) for day in (1, 2, 3)]
    assert len(window) == 3
    assert (window.first in window, window.last in window, window.last + ONE_DAY in window) == (True, True, False)


@given(st.sets(st.dates(dt.date(2024, 1, 1), dt.date(2024, 3, 1)), min_size=1))
def test_a_window_of_days_holds_these_days_alone(days):
    window = Window.of(days)

    assert list(window) == sorted(days)
    assert len(window) == len(days)
    assert [day for day in window.closed if day in window] == sorted(days)
    assert str(window) == ", ".join(map(str, contiguous(days)))


def test_a_window_does_not_end_before_it_begins():
    with pytest.raises(ValueError, match=r"2024-03-02\.\.2024-03-01 ends before it starts"):
        march(2, 1)


@pytest.mark.parametrize("text", ["2024-03-01", "2024-02-28..2024-03-01"])
def test_a_window_reads_what_it_says(text):
    assert str(Window.parse(text)) == text


@pytest.mark.parametrize("text", ["", "today", "2024-02-30", "2024-03-02..2024-03-01", "2024-03-01.."])
def test_what_is_no_window_is_refused_with_an_example(text):
    if text == "2024-03-01..":
        assert len(Window.parse(text)) == 1
    else:
        with pytest.raises(ValueError, match=r"Write 2024-01-01|not 2024-03-02"):
            Window.parse(text)


@given(st.lists(_days))
def test_contiguous_ranges_contain_each_day_once_and_never_touch(days):
    found = contiguous(days)

    assert [day for window in found for day in window] == sorted(set(days))
    assert all(later.first - earlier.last > ONE_DAY for earlier, later in itertools.pairwise(found))


@pytest.mark.parametrize(
    ("reach", "read"),
    [
        (same_day, march(10, 12)),
        (trailing(3), march(8, 12)),
        (around(1, 2), march(9, 14)),
        (history, Window(YEAR.first, dt.date(2024, 3, 12))),
        (since, Window(dt.date(2024, 3, 10), YEAR.last)),
    ],
)
def test_a_window_reads_what_its_days_reach(reach, read):
    assert reach.window(march(10, 12), YEAR) == read


def test_nothing_is_read_beyond_the_calendar():
    assert around(100, 400).window(march(1, 2), YEAR) == YEAR


@given(st.integers(0, 40), st.integers(0, 40), _days, st.integers(0, 20))
def test_a_window_reaches_as_far_as_its_days_together(before, after, first, length):
    reach, calendar = Reach("any", before, after), Window(dt.date(2024, 1, 1), dt.date(2024, 1, 20))
    window = Window(first, first + dt.timedelta(days=length))
    reached = {day for one in window for day in reach.window(Window(one, one), calendar)}

    assert set(reach.window(window, calendar)) >= reached
    if window.first in calendar and window.last in calendar:
        assert set(reach.window(window, calendar)) == reached
