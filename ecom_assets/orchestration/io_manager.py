"""The warehouse in Dagster: an I/O manager over one DuckDB file.

One connection per run, opened when first needed and closed at the end of the run. Runs of several
processes wait for each other. Nobody else opens the file: readers read the snapshot.
"""

import logging
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
from ecom_assets.monitoring import run_log
from ecom_assets.orchestration import metadata, plain
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
from ecom_assets.warehouse.ledger.records import DayResult, recorded_results, states
from ecom_assets.warehouse.ledger.verdicts import CONTRACT, EXPECTATIONS
from ecom_assets.warehouse.opening import open_session
from ecom_assets.warehouse.session import Session

_log = logging.getLogger(__name__)


def window_of(context: dg.AssetExecutionContext | Step) -> Window:
    """Returns the days of a step. Raises Failure if the run has none."""
    try:
        keys = context.partition_key_range
    except dg.DagsterInvariantViolationError as error:
        # "Execute" on the page of a check starts such a run.
        no_days = "This run has no days. Checks run when a day is written: materialize the days of the table instead."
        raise dg.Failure(no_days, allow_retries=False) from error
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
    _written: dict[str, list[DayResult]] = PrivateAttr(default_factory=dict)

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

    def _run(self, step: Step, session: Session, declaration: Declaration, obj: Any) -> list[DayResult]:
        """Stores the window of a step, or the stale days in it, and logs it. Returns what is to be said of its days."""
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
        return results

    def _made_by(self, op: str) -> Declaration | None:
        """Returns the table of an op; None for the op of a plain asset."""
        return next((declaration for declaration in self.tables() if op_name(declaration) == op), None)

    def days(self, context: dg.AssetExecutionContext) -> Query:
        """Returns the days of the run's window, for transforms with a parameter `days`."""
        return self.session(context.run.run_id).days(window_of(context))

    def load_input(self, context: dg.InputContext) -> Any:
        """Returns the rows of an upstream table: those that the window reaches, or those of a plain asset's input."""
        session = self.session(Step(context).run_id)
        declaration, table = self._made_by(context.op_def.name), table_of(context.asset_key)
        if declaration is None:
            return plain.load(session, context)
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
            mistake: UserError | None = None
            try:
                results = self._run(step, session, declaration, obj)
            except MISTAKES as error:
                _log.error("%s", error, exc_info=error)
                mistake, results = error, _not_run(session, declaration, window, str(error))
            self._written[declaration.name] = results
            for result in results:
                yield from _evaluations(step, declaration, result, mistake)
        results = self._written[declaration.name]
        is_quarantine = context.asset_key != asset_key(declaration.name)
        for result in results:
            about = _about_quarantined(result) if is_quarantine else {"dagster/partition_row_count": result.row_count}
            step.add_metadata({**about, STATE: str(result.state)}, context.asset_key, str(result.day))
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
            if declaration.contract.layer.has_plot and (measure := metadata.main_measure(declaration)):
                _add_plot(step, session, declaration, measure, good[-1])


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


def _add_plot(step: Step, session: Session, declaration: Declaration, measure: str, on: str) -> None:
    """Adds a plot of a measure of the table's last days to the event of one day: events should be small."""
    table = stored(declaration)
    values = dict(
        session.con.execute(
            f"select {table.day}, sum({quoted(measure)})::double from {table.name} "
            f"where {table.day} > (select max({table.day}) from {table.name}) - {metadata.PLOT_DAYS} "
            f"group by all having count({quoted(measure)}) > 0"
        ).fetchall()
    )
    if values:
        picture = dg.MetadataValue.md(metadata.plot(measure, values))
        step.add_metadata({f"{measure} of the last days": picture}, asset_key(declaration.name), on)


def _evaluations(
    step: Step, declaration: Declaration, result: DayResult, mistake: UserError | None
) -> Iterator[dg.DagsterEvent]:
    """Yields the evaluation of each check of the table on the day, as an event of its partition."""

    def evaluation(
        check: str, passed: bool, severity: dg.AssetCheckSeverity, about: dict[str, Any], text: str
    ) -> dg.DagsterEvent:
        return step.evaluated(
            dg.AssetCheckEvaluation(
                asset_key=asset_key(declaration.name),
                check_name=check,
                passed=passed,
                metadata={
                    "rows": dg.MetadataValue.int(result.row_count),
                    STATE: dg.MetadataValue.text(str(result.state)),
                    **about,
                },
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
        found["sample_rows"] = _sample_table(result)
    has_quarantined = declaration.from_feed and result.bad_count
    reasons = _counts("Quarantined rows, by reason:", result.broken) if has_quarantined else ""
    text = "\n\n".join(filter(None, [result.note, reasons]))
    yield evaluation(CONTRACT, result.state.is_good, dg.AssetCheckSeverity.ERROR, found, text)
    if has_expectations(declaration) and not mistake:
        missed = {**result.warned, **(result.broken if result.state.is_good else {})}
        about = {**found, "missed": dg.MetadataValue.json(missed)} if missed else {}
        text = _counts("Rows, by expectation missed:", missed)
        yield evaluation(EXPECTATIONS, not missed, dg.AssetCheckSeverity.WARN, about, text)


def _about_quarantined(result: DayResult) -> dict[str, Any]:
    """Returns metadata of a day's quarantined rows: their number, reasons and some samples."""
    about: dict[str, Any] = {"dagster/partition_row_count": result.bad_count}
    if result.broken and result.samples:
        about["reasons"] = dg.MetadataValue.md(_counts("Rows, by reason:", result.broken))
        about["sample_rows"] = _sample_table(result)
    return about


def _counts(head: str, rules: Mapping[str, int]) -> str:
    """Returns rules with the number of rows, as Markdown; empty if there are none."""
    return "\n".join([f"{head}\n", *(f"- {count:,}: {rule}" for rule, count in rules.items())]) if rules else ""


def _sample_table(result: DayResult) -> dg.TableMetadataValue:
    """Returns the sample rows, their reasons first."""
    names = [name for name in result.samples[0] if not name.startswith("warned ")]
    names.sort(key=lambda name: name != "reasons")
    return dg.MetadataValue.table(
        records=[dg.TableRecord({name: row[name] or "" for name in names}) for row in result.samples],
        schema=dg.TableSchema([dg.TableColumn(name) for name in names]),
    )
