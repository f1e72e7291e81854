"""The pages in Streamlit: filters and address, tiles, figures, tables and files."""

import datetime as dt
import time
from collections.abc import Sequence
from typing import Any

import streamlit as st

from ecom_assets import settings
from ecom_assets.dashboard import markup
from ecom_assets.dashboard.answers import Answer, Published, nothing
from ecom_assets.dashboard.declared import Chart, Dimension, Page
from ecom_assets.dashboard.definitions import definitions
from ecom_assets.dashboard.figures import figure
from ecom_assets.dashboard.filters import ALL_DAYS, RANGES, Compared, Filters, read
from ecom_assets.dashboard.pages import PAGES
from ecom_assets.dashboard.reading import FAILURES, Reader, reader
from ecom_assets.dashboard.texts import csv_of
from ecom_assets.days import Window
from ecom_assets.serving.snapshots import FOLLOWED_SECONDS, SnapshotGone

_OWN = "own"
_COLUMNS = 2
_FAST_CLICKS, _FAST_SECONDS = 20, 3.0
_EARLIEST, _LATEST = dt.date(1970, 1, 1), dt.date(2999, 12, 31)


def show() -> None:
    """Shows the page that the address asks for."""
    st.set_page_config("Dashboard", layout="wide", initial_sidebar_state="collapsed")
    st.html(markup.STYLE)
    source = reader(settings.load().snapshot)
    snapshot, why = source.newest()
    try:
        about = source.published(snapshot) if snapshot else None
    except FAILURES as error:
        snapshot, about, why = None, None, f"The snapshot cannot be read; ecom run --stale publishes it again. {error}"
    except SnapshotGone:
        st.rerun()
    filters, wrong = _filters(about)
    for text in wrong:
        st.warning(text)
    page = PAGES[filters.page]
    st.html(f'<h1 class="page">{page.title}</h1><p class="stamp">{_range(about, filters)}</p>')
    _follow(source, snapshot)
    _page(source, snapshot, why, about, page, filters)


def _range(about: Published | None, filters: Filters) -> str:
    if about is None or about.days is None:
        return markup.stamp(about)
    window = filters.window(about.days)
    return f"{window}, compared with {filters.compared.before(window)}. {markup.stamp(about)}"


@st.fragment(run_every=FOLLOWED_SECONDS)
def _follow(source: Reader, shown: str | None) -> None:
    """Shows a new snapshot as soon as it is published."""
    if source.newest()[0] != shown:
        st.rerun()


def _filters(about: Published | None) -> tuple[Filters, list[str]]:
    """Shows the filters, as the address has them at first, and writes them into the address."""
    state, given = st.session_state, {str(name): st.query_params.get_all(name) for name in st.query_params}
    if _is_from_outside(given):
        asked, state["wrong"] = read(given)
        _fill(asked)
    first = st.columns([2, 1, 1])
    with first[0]:
        page = st.segmented_control(
            "Page", list(PAGES), format_func=lambda name: PAGES[name].title, key="page", required=True
        )
    with first[1]:
        days = str(st.selectbox("Days", [*map(str, RANGES), _OWN], format_func=_range_name, key="days"))
    with first[2]:
        compared = st.selectbox("Compare with", list(Compared), format_func=lambda each: each.label, key="compared")
    own = _own_range(about) if days == _OWN else None
    chosen = []
    for dimension, column in zip(Dimension, st.columns(len(Dimension)), strict=True):
        known = list(about.options[dimension]) if about else []
        options = list(dict.fromkeys([*known, *state.get(dimension.value, [])]))
        with column:
            values = st.multiselect(dimension.label, options, key=dimension.value, placeholder="All")
        chosen.append((dimension, tuple(values)))
    filters = Filters(
        page or next(iter(PAGES)),
        int(days) if days != _OWN else Filters().days,
        own,
        compared or Compared.PERIOD,
        tuple((dimension, values) for dimension, values in chosen if values),
    )
    written = filters.parameters()
    if written != state["addresses"][-1]:
        state["addresses"].append(written)
        state["written_at"] = time.monotonic()
    if written != given:
        st.query_params.from_dict(written)
    return filters, state["wrong"]


def _is_from_outside(given: dict[str, list[str]]) -> bool:
    """Returns whether the address was not written by this session, or is one to which the user went back.

    A click soon after another one brings the address from before both.
    """
    state: Any = st.session_state
    known = state.setdefault("addresses", [])
    if (
        known
        and given in known[-_FAST_CLICKS:]
        and (given == known[-1] or time.monotonic() - state["written_at"] < _FAST_SECONDS)
    ):
        return False
    known.append(given)
    state["written_at"] = time.monotonic()
    return True


def _fill(asked: Filters) -> None:
    """Sets the controls to what the address asks for."""
    state: Any = st.session_state
    state["page"], state["compared"] = asked.page, asked.compared
    state["days"] = _OWN if asked.own else str(asked.days)
    if asked.own:
        state["from"], state["to"] = asked.own.first, asked.own.last
    for dimension in Dimension:
        state[dimension.value] = list(asked.of(dimension))


def _own_range(about: Published | None) -> Window | None:
    """Shows the first and the last day of a range, and returns it."""
    default = (
        Filters().window(about.days) if about and about.days else Window(dt.date(2024, 1, 1), dt.date(2024, 1, 31))
    )
    st.session_state.setdefault("from", default.first)
    st.session_state.setdefault("to", default.last)
    left, right, _ = st.columns(3)
    first = left.date_input("From", min_value=_EARLIEST, max_value=_LATEST, key="from")
    last = right.date_input("To", min_value=_EARLIEST, max_value=_LATEST, key="to")
    if last < first:
        st.warning("The first day is after the last one; they are exchanged.")
    return Window(min(first, last), max(first, last))


def _range_name(days: str) -> str:
    if days == _OWN:
        return "From … to …"
    return "All days" if days == str(ALL_DAYS) else f"Last {days} days"


def _page(
    source: Reader, snapshot: str | None, why: str, about: Published | None, page: Page, filters: Filters
) -> None:
    def answered(chart: Chart) -> Answer:
        return source.answer(snapshot, chart, filters) if snapshot else nothing(chart, why)

    try:
        if page.tiles:
            _tiles([answered(chart) for chart in page.tiles], about, filters)
        for start in range(0, len(page.charts), _COLUMNS):
            for chart, column in zip(page.charts[start : start + _COLUMNS], st.columns(_COLUMNS), strict=False):
                with column, st.container(border=True, key=f"chart_{chart.name}", height="stretch"):
                    _chart(answered(chart), about)
    except SnapshotGone:
        st.rerun()


@st.fragment
def _tiles(answers: Sequence[Answer], about: Published | None, filters: Filters) -> None:
    if st.session_state.get("table_key_figures"):
        st.html(markup.tiles_table(answers))
    else:
        st.html(markup.tiles(answers, about, {each.chart.name: definitions(each.chart) for each in answers}))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.toggle("Table", key="table_key_figures")
        _file("key_figures", answers)


@st.fragment
def _chart(answer: Answer, about: Published | None) -> None:
    name = answer.chart.name
    st.html(markup.head(answer))
    if answer.rows and not answer.lacks:
        if st.session_state.get(f"table_{name}"):
            st.html(markup.rows_table(answer))
        else:
            st.vega_lite_chart(figure(answer), width="stretch", theme=None, key=f"figure_{name}")
        st.html(markup.legend(answer) or "<span></span>")
        with st.container(horizontal=True, vertical_alignment="center"):
            st.toggle("Table", key=f"table_{name}")
            _file(name, [answer])
    st.html(markup.foot(answer, about, definitions(answer.chart)))


def _file(name: str, answers: Sequence[Answer]) -> None:
    window = next((answer.window for answer in answers if answer.window), None)
    if window:
        st.download_button(
            "CSV",
            csv_of(answers),
            f"{name}-{window.first}-{window.last}.csv",
            "text/csv",
            key=f"csv_{name}",
            on_click="ignore",
        )
