"""Reading, transforming and writing tables one by one, in windows as large as memory allows."""

import datetime as dt
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from typing import Any

import duckdb

from ecom_assets.days import Window
from ecom_assets.declaration import Declaration
from ecom_assets.engine.compiling import transformed
from ecom_assets.engine.duckdb.tables import as_query, check_shape, columns_of
from ecom_assets.warehouse.bronze import stale_bronze, write_bronze
from ecom_assets.warehouse.ledger import records, staleness
from ecom_assets.warehouse.ledger.records import Cause, DayResult, StaleDay
from ecom_assets.warehouse.outcome import fail
from ecom_assets.warehouse.silver import write_from_feed
from ecom_assets.warehouse.store import Store
from ecom_assets.warehouse.tables import write_table

PART_ROWS = 1_000_000
GAP_ROWS = 20_000
"""Rows of days between two days that are read for nothing rather than writing each of the two by itself."""
ERRORS_OF_VALUES = (duckdb.DataError, duckdb.InvalidInputException)
"""What DuckDB raises for a value: a text that is not a number or date, a sum out of range, broken JSON."""


class Session(Store):
    """Runs and repairs the tables of a warehouse, and finds what is stale."""

    def stale(self, only: Collection[str] | None = None) -> list[StaleDay]:
        """Returns the stale table-days; only the first level downstream of a change.

        All days of a table are stale while its code cannot be compiled.
        """
        found = staleness.stale(self.con, self.catalog, self.codes, self.calendar, only)
        above = [replace(day, cause=Cause.CODE_BROKEN, by=None) if self.mistake(day.table) else day for day in found]
        return sorted([*stale_bronze(self, only), *above])

    def run(self, name: str, window: Window) -> list[DayResult]:
        """Reads, transforms and writes one table over a window, without Dagster."""
        declaration = self.catalog[name]
        inputs = {} if declaration.is_bronze else self.inputs(declaration, window)
        return self.write(declaration, partial(transformed, declaration, inputs, self.catalog), window)

    def repair(self, name: str, window: Window, say_all: bool = False) -> list[DayResult]:
        """Run the days of a window on which a table is stale. Days that have only become final are not computed again.

        Returns what became of them and of days that the same run has blocked; with `say_all`, of all days that have
        run, now or before. Nothing in the window is stale once all tables that a change concerns have been repaired
        in their order.
        """
        stale = [found for found in self.stale(only=[name]) if found.day in window]
        if turned := [found.day for found in stale if found.cause is Cause.AWAITED_DAYS_CHANGED]:
            with self.transaction():
                records.turn(self.con, name, turned, self.run_id, self.now())
        changed = [found.day for found in stale if found.cause is not Cause.AWAITED_DAYS_CHANGED]
        ran: dict[dt.date, DayResult] = {}
        while changed:
            ran |= {result.day: result for result in self.run(name, Window.of(changed))}
            changed = records.turned_days(self.con, name, window)
        known = records.recorded_results(self.con, name, window, None if say_all else self.run_id) | ran
        return [known[day] for day in window if day in known]

    def write(self, declaration: Declaration, transform: Callable[[], Any], window: Window) -> list[DayResult]:
        """Stores a window of days and their ledger entries. Raises ShapeError, BrokenCode, RowsLost.

        `transform` returns the window's rows, as a query or a frame. It is not called for bronze, which is read from
        files, nor for a window that is cut, whose parts are read and transformed one by one.

        A window of many rows is written in parts, a transaction each, so that memory does not grow with it. A window
        that a value makes impossible to compute, a text that is not a number or date or a sum out of range, is halved
        until only the days that need the value fail. An error of a transform itself, as one that computes in memory
        raises it, ends the step.
        """
        if declaration.is_bronze:
            return write_bronze(self, declaration, window)
        parts = self._parts(declaration, window)
        if len(parts) == 1:
            frame = transform()
            try:
                return _write(self, declaration, frame, window)
            except ERRORS_OF_VALUES as error:
                if len(window) == 1:
                    return [fail(self, declaration, window.first, str(error).partition("\n")[0])]
            days, middle = list(window), len(window) // 2
            parts = [Window.of(days[:middle]), Window.of(days[middle:])]
        return [result for part in parts for result in self.run(declaration.name, part)]

    def _parts(self, declaration: Declaration, window: Window) -> list[Window]:
        """Returns the window in parts of at most about PART_ROWS rows of an input, and without holes of many rows.

        No part is shorter than the table's reach, for then it would read more days around it than its own. Inputs
        that are read without end do not count.
        """
        if len(window) == 1:
            return [window]
        bounded = [read for read in declaration.reads if read.parameter and read.reach.length is not None]
        counts = records.most_rows(self.con, [read.table for read in bounded], window)
        shortest = max((read.reach.length or 1 for read in bounded), default=1)
        parts: list[list[dt.date]] = [[]]
        rows = gap = 0
        for day in window.closed:
            if day not in window:
                gap += counts.get(day, 0)
                continue
            is_full = rows + gap + counts.get(day, 0) > PART_ROWS
            if parts[-1] and (gap > GAP_ROWS or (is_full and (day - parts[-1][0]).days >= shortest)):
                parts.append([])
                rows = gap = 0
            parts[-1].append(day)
            rows, gap = rows + gap + counts.get(day, 0), 0
        return list(map(Window.of, parts))


def _write(session: Session, declaration: Declaration, frame: Any, window: Window) -> list[DayResult]:
    """Stores a window in one transaction. Raises ERRORS_OF_VALUES if it cannot be computed because of a value."""
    rows = as_query(session.con, frame)
    if rows is not frame:
        check_shape(declaration.name, rows.relation(), columns_of(declaration))
    if declaration.from_feed:
        return write_from_feed(session, declaration, rows.sql, window)
    return write_table(session, declaration, rows.sql, window)
