"""The warehouse in Dagster: an I/O manager over one DuckDB file.

One connection per run, opened when first needed and closed at the end of the run. Runs of several
processes wait for each other. Nobody else opens the file: readers read the snapshot.
"""

import datetime as dt
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import dagster as dg
import duckdb
from pydantic import PrivateAttr

from ecom_assets import catalog, settings
from ecom_assets.days import State, Window, contiguous
from ecom_assets.declaration import Catalog, Declaration
from ecom_assets.engine.compiling import MISTAKES, compiled
from ecom_assets.engine.duckdb.tables import Query, stored
from ecom_assets.errors import UserError, is_interrupt
from ecom_assets.landing.provenance import ORIGIN, REASONS
from ecom_assets.monitoring import run_log
from ecom_assets.monitoring.run_log import Spent
from ecom_assets.orchestration import metadata, plain, plots
from ecom_assets.orchestration._dagster import REPAIR_TAG, Step, keep_partitions
from ecom_assets.orchestration.alerts import deliver
from ecom_assets.orchestration.assets import (
    MISTAKE,
    STATE,
    asset_key,
    has_expectations,
    op_name,
    table_of,
)
from ecom_assets.orchestration.following import may_end
from ecom_assets.orchestration.interrupts import interruptible
from ecom_assets.publishing import snapshot as publishing
from ecom_assets.sql import quoted
from ecom_assets.warehouse.ledger.causes import Cause, first_causes
from ecom_assets.warehouse.ledger.records import DayResult, recorded_results, states
from ecom_assets.warehouse.ledger.verdicts import CONTRACT, EXPECTATIONS
from ecom_assets.warehouse.opening import open_session
from ecom_assets.warehouse.outcome import held_days
from ecom_assets.warehouse.session import Session

OLD_ROWS = "Readers see its last good rows, marked as old, until the day is good again."
SAMPLE_COLUMNS = 7
"""The most columns of sample rows that fit on the page; of wider rows, one column has all values that are not named."""
OTHER_CHARACTERS = 300
_log = logging.getLogger(__name__)


def window_of(context: dg.AssetExecutionContext | Step) -> Window:
    """Returns the days of a step. Raises DagsterInvariantViolationError if the run has none."""
    keys = context.partition_key_range
    return Window.parse(f"{keys.start}..{keys.end}")


_NOT_PUBLISHED: dict[str, Exception] = {}
"""Runs of this process that could not be published, and why."""


def take_publishing_error(run_id: str) -> Exception | None:
    """Returns, once, why a run could not be published; None if it was."""
    return _NOT_PUBLISHED.pop(run_id, None)


class Warehouse(dg.ConfigurableIOManager):
    """Loads the rows that a window reaches, and stores and judges each day of a window on its own.

    Good days are materialized; a failed or blocked day gets a failed check of its partition and no rows.
    """

    _stack: ExitStack = PrivateAttr(default_factory=ExitStack)
    _session: Session | None = PrivateAttr(default=None)
    _written: dict[str, tuple[list[DayResult], dict[str, Any]]] = PrivateAttr(default_factory=dict)

    def tables(self) -> Catalog:
        """Returns the tables; tests override this."""
        return catalog.tables()

    def session(self, run_id: str) -> Session:
        """Returns the run's session, opened at the first call."""
        if self._session is None:
            self._session = self._stack.enter_context(open_session(settings.load(), self.tables(), run_id))
        return self._session

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Publishes what the run has stored, closes the connection, releases the lock and sends alerts.

        Dagster ends a run as successful whatever is raised here, so the executor checks for the error.
        """
        session, self._session = self._session, None
        self._written.clear()
        with self._stack:
            if session is not None:
                try:
                    _publish(session)
                except (duckdb.Error, OSError) as error:
                    _NOT_PUBLISHED[session.run_id] = error
                    raise
        if session is not None:
            deliver(settings.load())

    def _run(self, step: Step, session: Session, declaration: Declaration, obj: Any) -> tuple[list[DayResult], Spent]:
        """Stores the window of a step, or the stale days in it, and logs it.

        Returns what is to be said of its days, and what they took.
        """
        window, is_repair = window_of(step), REPAIR_TAG in step.tags
        with run_log.spending() as spent, interruptible(session.con):
            if is_repair:
                results = session.repair(declaration.name, window, say_all=not step.may_plan_later)
            else:
                results = session.write(declaration, obj, window)
        _log.log(_loudness(results), _said(declaration.name, results, spent.seconds))
        ran = results
        if is_repair and not step.may_plan_later:
            ran = [*recorded_results(session.con, declaration.name, window, step.run_id).values()]
        run_log.note(settings.load().run_log, step.run_id, declaration.name, ran, spent)
        return results, spent

    def _made_by(self, op: str) -> Declaration | None:
        """Returns the table of an op; None for the op of a plain asset."""
        return next((declaration for declaration in self.tables() if op_name(declaration) == op), None)

    def days(self, context: dg.AssetExecutionContext) -> Query:
        """Returns the days of the run's window, for transforms with a parameter `days`."""
        return self.session(context.run.run_id).days(window_of(context))

    def checked_again(
        self, context: dg.AssetExecutionContext, declaration: Declaration, check: str
    ) -> dg.AssetCheckEvaluation:
        """Returns the evaluation of a check over all days, as they were judged when they were written.

        "Execute" on the page of a check asks for it. Raises Failure if no day has run.
        """
        session = self.session(context.run.run_id)
        results = recorded_results(session.con, declaration.name, session.calendar, None)
        if not results:
            text = f"{declaration.name} has not run on any day: materialize its days first."
            raise dg.Failure(text, allow_retries=False)
        return _over_all_days(declaration, check, results, first_causes(session.con))

    def load_input(self, context: dg.InputContext) -> Any:
        """Returns the rows of an upstream table: those that the window reaches, or those of a plain asset's input."""
        session = self.session(Step(context).run_id)
        declaration, table = self._made_by(context.op_def.name), table_of(context.asset_key)
        if declaration is None:
            return plain.load(session, context)
        if not Step(context).has_days:
            return None
        read = next(read for read in declaration.reads if read.table == table)
        return session.frame(declaration, read, window_of(Step(context)))

    def handle_output(  # type: ignore[override]
        self, context: dg.OutputContext, obj: Any
    ) -> Iterator[dg.DagsterEvent]:
        """Store the window, or the stale days in it; say of each day that ran what became of it.

        The step goes on if no day is good, or if the code of the table is broken, so that the tables that can be made
        without it are. What a plain asset returns is stored as it is.
        """
        step = Step(context)
        session = self.session(step.run_id)
        declaration = self._made_by(context.op_def.name)
        may_end()
        if declaration is None:
            plain.store(session, context, obj)
            return
        window = window_of(step)
        is_repair = REPAIR_TAG in step.tags
        if declaration.name not in self._written:
            mistake, spent = None, Spent()
            try:
                results, spent = self._run(step, session, declaration, obj)
            except MISTAKES as error:
                _log.error("%s", error, exc_info=error)
                mistake, results = error, _not_run(session, declaration, window, str(error))
            self._written[declaration.name] = results, _per_day(spent, len(results))
            is_bad = not all(result.state.is_good for result in results)
            causes = first_causes(session.con) if is_bad else {}
            held = held_days(session, declaration) if is_bad else ()
            for result in results:
                cause, is_held = causes.get((declaration.name, result.day)), result.day in held
                yield from _evaluations(step, declaration, result, mistake, cause, is_held)
        results, per_day = self._written[declaration.name]
        is_quarantine = context.asset_key != asset_key(declaration.name)
        for result in results:
            about = {"dagster/partition_row_count": result.row_count, **per_day}
            if is_quarantine:
                about = _about_quarantined(declaration, result)
            if result.state is not State.STORED:
                about[STATE] = str(result.state)
            step.add_metadata(about, context.asset_key, str(result.day))
            if is_repair and step.may_plan_later and not _holds_rows(result, is_quarantine):
                step.plan(context.asset_key, str(result.day))
        good = [str(result.day) for result in results if _holds_rows(result, is_quarantine)]
        if len(good) < len(window):
            keep_partitions(context, good)
        if not good:
            return
        with _decorating(declaration.name):
            if not declaration.is_bronze and not is_quarantine:
                lineage = compiled(declaration, self.tables()).lineage
                step.add_metadata(metadata.about_lineage(lineage), context.asset_key, good[-1])
            if not declaration.is_bronze and not is_quarantine:
                _add_preview(step, session, declaration, good[-1])
            if declaration.contract.layer.has_plot and (measure := metadata.main_measure(declaration)):
                _add_plot(step, session, declaration, measure, good[-1])
            _add_declared_plots(step, session, declaration, good[-1])


def _holds_rows(result: DayResult, is_quarantine: bool) -> bool:
    """Returns whether an asset has the rows of a day: a quarantine has those because of which the day failed."""
    return result.state.is_good or (is_quarantine and result.state is State.FAILED and result.bad_count > 0)


def _publish(session: Session) -> None:
    """Publishes what is stored, also if what interrupted the last table strikes the first statement here."""
    snapshot = settings.load().snapshot
    try:
        publishing.publish(session, snapshot)
    except duckdb.InterruptException:
        publishing.publish(session, snapshot)


@contextmanager
def _decorating(table: str) -> Iterator[None]:
    """Logs an error of what only decorates an event, such as a plot: it must not end a run."""
    try:
        yield
    except Exception as error:
        if is_interrupt(error):
            raise
        _log.warning("The pages of %s lack a part, which could not be made.", table, exc_info=True)


def _not_run(session: Session, declaration: Declaration, window: Window, why: str) -> list[DayResult]:
    """Returns results, which the ledger does not have, of the days that the code of a table leaves without good rows.

    If none does, that of the newest day, so that the table is seen to be broken.
    """
    known = states(session.con, [declaration.name], window)
    days = [day for day in window if (state := known.get((declaration.name, day))) is None or not state.is_good]
    return [DayResult(day, State.FAILED, note=why) for day in days or [window.last]]


def _loudness(results: list[DayResult]) -> int:
    """Returns the level of the message about a table: low if there is nothing to say but what others say."""
    return logging.DEBUG if all(result.state is State.BLOCKED for result in results) else logging.INFO


def _said(table: str, results: list[DayResult], seconds: float) -> str:
    days = ", ".join(map(str, contiguous(result.day for result in results))) or "nothing is stale"
    rows, bad = sum(result.row_count for result in results), sum(result.bad_count for result in results)
    lost = [result.day for result in results if not result.state.is_good]
    text = f"{table} {days}: {rows:,} rows" + (f", {bad:,} quarantined" if bad else "") + f", {seconds:.1f} s"
    return f"{text}; no good rows on {', '.join(map(str, contiguous(lost)))}" if lost else text


def _per_day(spent: Spent, days: int) -> dict[str, Any]:
    """Returns metadata of each of the days that a table was written on: the mean of what they took."""
    about: dict[str, Any] = {}
    if days and spent.seconds:
        about["seconds per day"] = round(spent.seconds / days, 3)
    if days and spent.bytes_written is not None:
        about["bytes written per day"] = spent.bytes_written // days
    return about


def _add_preview(step: Step, session: Session, declaration: Declaration, on: str) -> None:
    """Adds a few rows of a day to its event."""
    names, table = metadata.preview_columns(declaration), stored(declaration)
    rows = session.con.execute(
        f"select {', '.join(map(quoted, names))} from {table.name} where {table.day} = date '{on}' "
        f"order by all limit {metadata.PREVIEW_ROWS}"
    ).fetchall()
    if rows:
        preview = dg.MetadataValue.md(metadata.preview(names, rows, len(declaration.contract.columns)))
        step.add_metadata({"some rows": preview}, asset_key(declaration.name), on)


def _add_plot(step: Step, session: Session, declaration: Declaration, measure: str, on: str) -> None:
    """Adds a plot of a measure of the table's last days to the event of one day: events should be small."""
    table = stored(declaration)
    values = dict(
        session.con.execute(
            f"select {table.day}, sum({quoted(measure)})::double from {table.name} "
            f"where {table.day} > (select max({table.day}) from {table.name}) - {plots.PLOT_DAYS} "
            f"group by all having count({quoted(measure)}) > 0"
        ).fetchall()
    )
    if values:
        known = states(session.con, [declaration.name], Window.of(values).closed)
        provisional = {day for (_, day), state in known.items() if state is State.PROVISIONAL}
        picture = dg.MetadataValue.md(plots.of_days(measure, values, provisional))
        step.add_metadata({f"{measure} of the last days": picture}, asset_key(declaration.name), on)


def _add_declared_plots(step: Step, session: Session, declaration: Declaration, on: str) -> None:
    """Adds the plots that a table declares to the event of one day."""
    pictures = {}
    for plot in declaration.plots:
        found = session.con.execute(f"select line, x, y from ({plot.query}) where isfinite(y)").fetchall()
        if found:
            pictures[plot.title] = dg.MetadataValue.md(plots.of_lines(plot, found))
    if pictures:
        step.add_metadata(pictures, asset_key(declaration.name), on)


def _over_all_days(
    declaration: Declaration,
    check: str,
    results: Mapping[dt.date, DayResult],
    causes: Mapping[tuple[str, dt.date], Cause],
) -> dg.AssetCheckEvaluation:
    if check == CONTRACT:
        what, severity = "have no good rows", dg.AssetCheckSeverity.ERROR
        found = {
            day: _headline(declaration, result, causes.get((declaration.name, day)))
            for day, result in results.items()
            if not result.state.is_good
        }
    else:
        what, severity = "miss an expectation", dg.AssetCheckSeverity.WARN
        found = {
            day: f"{day}: " + "; ".join(f"{count:,}: {rule}" for rule, count in missed.items())
            for day, result in results.items()
            if (missed := _missed(result))
        }
    newest = [f"- {found[day]}" for day in sorted(found, reverse=True)[: metadata.PREVIEW_ROWS]]
    return dg.AssetCheckEvaluation(
        asset_key=asset_key(declaration.name),
        check_name=check,
        passed=not found,
        metadata={STATE: dg.MetadataValue.text("of all days, as they were judged when they were written")},
        severity=severity,
        description="\n".join([f"{len(found)} of {len(results)} days {what}.\n", *newest]),
        blocking=False,
    )


def _headline(declaration: Declaration, result: DayResult, cause: Cause | None) -> str:
    """Returns day, reason and file of a day without good rows, or with quarantined ones; empty if all rows are good."""
    first = _place(result)
    if result.state is State.BLOCKED and cause and cause.table != declaration.name:
        text = f"is blocked: {cause.table} failed on {cause.day}: {cause.why}"
        return f"{result.day} {text.rstrip('.')}" + (f"; a first row is {cause.sample}" if cause.sample else "")
    if not result.state.is_good:
        first = first or (cause.sample if cause else "")
        how = "is blocked" if result.state is State.BLOCKED else "failed"
        text = f"{result.day} {how}: {result.note.rstrip('.')}"
        return text + (f"; a first row is {first}" if first else "")
    if declaration.from_feed and result.bad_count:
        text = f"{result.day}: {result.bad_count:,} of {result.checked_count:,} rows are quarantined"
        return text + (f"; a first one is {first}" if first else "")
    return f"{result.day}: {result.note}" if result.note else ""


def _place(result: DayResult) -> str:
    """Returns file and record of the first offending row; empty if no row is from a file."""
    row = result.samples[0] if result.samples else {}
    return f"record {row['record']} of {row['arrived_on']}/{row['source_file']}" if row.get("source_file") else ""


def _missed(result: DayResult) -> dict[str, int]:
    """Returns the expectations that rows of a day have missed, with their number."""
    return {**result.warned, **(result.broken if result.state.is_good else {})}


def _evaluations(
    step: Step,
    declaration: Declaration,
    result: DayResult,
    mistake: UserError | None,
    cause: Cause | None,
    is_held: bool,
) -> Iterator[dg.DagsterEvent]:
    """Yields the evaluation of each check of the table on the day, as an event of its partition.

    `is_held` says that the last good rows of the day are kept for readers.
    """

    def evaluation(
        check: str, passed: bool, severity: dg.AssetCheckSeverity, about: dict[str, Any], text: str
    ) -> dg.DagsterEvent:
        return step.evaluated(
            dg.AssetCheckEvaluation(
                asset_key=asset_key(declaration.name),
                check_name=check,
                passed=passed,
                metadata={STATE: dg.MetadataValue.text(str(result.state)), **about},
                severity=severity,
                description=text or None,
                partition=str(result.day),
                blocking=severity is dg.AssetCheckSeverity.ERROR,
            ),
        )

    found: dict[str, Any] = {"bad_rows": dg.MetadataValue.int(result.bad_count)} if result.bad_count else {}
    if mistake:
        found[MISTAKE] = dg.MetadataValue.text(str(mistake))
    if result.broken:
        found["broken"] = dg.MetadataValue.json(dict(result.broken))
    if words := {column: missing.word_count for column, missing in result.missing.items() if missing.word_count}:
        found["words_for_nothing"] = dg.MetadataValue.json(words)
    if result.samples:
        found["sample_rows"] = _sample_table(declaration, result)
    has_quarantined = declaration.from_feed and result.bad_count
    reasons = _counts("Quarantined rows, by reason:", result.broken) if has_quarantined else ""
    kept = OLD_ROWS if is_held and not result.state.is_good else ""
    text = "\n\n".join(filter(None, [_headline(declaration, result, cause), kept, reasons]))
    about = {"rows": dg.MetadataValue.int(result.row_count), **found}
    yield evaluation(CONTRACT, result.state.is_good, dg.AssetCheckSeverity.ERROR, about, text)
    if has_expectations(declaration) and not mistake:
        missed = _missed(result)
        about = {**found, "missed": dg.MetadataValue.json(missed)} if missed else {}
        text = _counts(f"{result.day}: rows, by expectation missed:", missed)
        yield evaluation(EXPECTATIONS, not missed, dg.AssetCheckSeverity.WARN, about, text)


def _about_quarantined(declaration: Declaration, result: DayResult) -> dict[str, Any]:
    """Returns metadata of a day's quarantined rows: their number, reasons and some samples."""
    about: dict[str, Any] = {"dagster/partition_row_count": result.bad_count}
    if result.broken and result.samples:
        about["reasons"] = dg.MetadataValue.md(_counts("Rows, by reason:", result.broken))
        about["sample_rows"] = _sample_table(declaration, result)
    return about


def _counts(head: str, rules: Mapping[str, int]) -> str:
    """Returns rules with the number of rows, as Markdown; empty if there are none."""
    return "\n".join([f"{head}\n", *(f"- {count:,}: {rule}" for rule, count in rules.items())]) if rules else ""


def _sample_table(declaration: Declaration, result: DayResult) -> dg.TableMetadataValue:
    """Returns the sample rows, as wide as the page: reasons, file, key and what the reasons name, then all else."""
    rules, key = " ".join([*result.broken, *result.warned]), declaration.contract.primary_key
    names = [name for name in result.samples[0] if not name.startswith("warned ")]
    first = [REASONS.name, *(column.name for column in ORIGIN), *key]
    first += [name for name in names if re.search(rf"\b{re.escape(name)}\b", rules)]
    shown = [name for name in dict.fromkeys(first) if name in names]
    if len(names) <= SAMPLE_COLUMNS:
        shown = [*shown, *(name for name in names if name not in shown)]
    rest = [name for name in names if name not in shown]
    records = []
    for row in result.samples:
        about = {name: row[name] or "" for name in shown}
        if rest:
            about["other values"] = ", ".join(f"{name} = {row[name]}" for name in rest if row[name])[:OTHER_CHARACTERS]
        records.append(dg.TableRecord(about))
    columns = [*shown, *(["other values"] if rest else [])]
    return dg.MetadataValue.table(records=records, schema=dg.TableSchema([dg.TableColumn(name) for name in columns]))
