"""The measurements: one more day, a year, a day after a long history, peers, the synthetic shop."""

import dataclasses
import datetime as dt
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench import asking, browsing, building, child, daily, plain, profiling, selling, streaming, ticking
from bench.landed import landing_zone, share
from bench.peers.section import compared
from bench.peers.stacks import Unavailable
from bench.results import Figure, Section
from bench.sizes import DEMO, LARGE, SMALL, YEAR, Size, window
from ecom_assets import catalog
from ecom_assets.days import ONE_DAY, Window

FOLDER = Path(tempfile.gettempdir()) / "ecom-bench"
"""The working folder, if no other is named."""
LAST = dt.date(2025, 5, 31)
"""Histories end on this day; the days measured follow."""


@dataclass(frozen=True)
class Bench:
    """The working folder, scale and repetitions of measurements."""

    folder: Path
    scale: float = 1.0
    repeats: int = 3

    def home(self, name: str) -> Path:
        """Returns an empty folder with the project's Dagster settings."""
        home = self.folder / name
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        shutil.copy(child.PROJECT / "dagster.yaml", home)
        return home

    def size(self, days: int, shop: Any) -> Size:
        return Size(days, shop).scaled(self.scale)


def one_day(bench: Bench) -> Section:
    """Measures one more day of the demo's shop."""
    size = bench.size(30, DEMO)
    home = _with_history(bench, "one_day", size)
    settings = home / "data" / "settings.toml"
    stock, ours = bench.home("no_ops"), bench.home("no_ops_on_our_event_log")
    (stock / "dagster.yaml").unlink()
    for no_op in (stock, ours):
        shutil.copy(settings, _data(no_op))
    runs: dict[Path, list[dict[str, Any]]] = {home: [], stock: [], ours: []}
    for day in _days_after(LAST, bench.repeats):
        for place, work in ((home, daily.platform), (stock, daily.no_ops), (ours, daily.no_ops)):
            runs[place].append(child.call(work, place, days=day))
    real, nothing, on_our_log = (measured[1:] for measured in runs.values())
    parts = {name: median(run["parts"][name] for run in real) for name in real[0]["parts"]}
    parts["tables"] = median(sum(run["tables"].values()) for run in real)
    parts["Dagster"] = _wall(real) - sum(parts.values())
    return Section(
        "One more day",
        f"After {size}: one day, all tables, one Dagster process each, on SQLite",
        "The platform's run of a day (files already landed, snapshot published) compared with a run of as "
        "many no-op assets, on Dagster's default event log. The last rows compare both on the platform's own "
        "event log, which makes events cheaper. `compile` is compiling SQL after a change of code, `tables` "
        "is reading, transforming, judging and writing, `Dagster` the rest.",
        [
            Figure("platform / no-ops", _wall(real) / _wall(nothing), at_most=3),
            Figure("platform / no-ops, processor time", _cpu(real) / _cpu(nothing)),
            Figure("platform / no-ops on our event log", _wall(real) / _wall(on_our_log)),
            Figure("platform", _wall(real), "s"),
            Figure("no-ops", _wall(nothing), "s"),
            Figure("no-ops on our event log", _wall(on_our_log), "s"),
        ],
        parts,
    )


def year(bench: Bench) -> Section:
    """Measures a year in one window, compared with DuckDB alone; and Dagster's own events of it."""
    size = bench.size(365, YEAR)
    days = window(LAST, size.days)
    zone = landing_zone(bench.folder, size, days)
    core, alone = [], []
    for _ in range(bench.repeats):
        home = bench.home("year")
        share(zone, home)
        core.append(child.call(building.bronze_to_kpi, home, days=str(days)))
        alone.append(child.call(plain.bronze_to_kpi, home, days=str(days)))
    events = child.call(daily.events_only, _at(bench.home("events"), days.first), days=str(days))
    table_days = size.days * sum(1 + declaration.from_feed for declaration in catalog.tables())
    rows, states = core[0]["rows"], core[0]["states"]
    steps: dict[str, list[float]] = {}
    for run in core:
        for table, step, seconds in run["steps"]:
            steps.setdefault(f"{table} {step}", []).append(seconds)
    return Section(
        "A year in one window",
        f"{size}, bronze to kpi: {rows['silver.orders']:,} orders, {rows['silver.order_items']:,} items, "
        f"{rows['silver.events']:,} events; {', '.join(f'{n:,} table-days {state}' for state, n in states.items())}",
        "The core without Dagster, compared with the same queries by DuckDB alone in a database file. The "
        f"core has a DuckDB memory limit of {building.MEMORY_LIMIT}, DuckDB alone {plain.MEMORY_LIMIT}, since "
        f"it fails with less. {' '.join(str(plain.__doc__).split())} Dagster's own time is that of all events "
        "of such a run on SQLite, for the platform's assets without their work, per table and day (including "
        "quarantine tables).",
        [
            Figure("core / DuckDB alone", _wall(core) / _wall(alone), at_most=1.5),
            Figure("core / DuckDB alone, processor time", _cpu(core) / _cpu(alone)),
            Figure("core", _wall(core), "s"),
            Figure("DuckDB alone", _wall(alone), "s"),
            Figure("core, memory at most", max(run["peak_mb"] for run in core), "MB", at_most=4_000),
            Figure("DuckDB alone, memory at most", max(run["peak_mb"] for run in alone), "MB"),
            Figure("Dagster per table-day", events["wall"] / table_days * 1_000, "ms", at_most=25),
            Figure("Dagster in all", events["wall"], "s"),
        ],
        {step: median(seconds) for step, seconds in steps.items()},
    )


def history(bench: Bench) -> Section:
    """Measures one more day of a large shop after a long history, and after a short one that ends on the same day."""
    long, short = bench.size(1_000, LARGE), bench.size(30, LARGE)
    homes = {size.days: _with_history(bench, f"history_{size.days}", size) for size in (long, short)}
    runs: dict[int, list[dict[str, Any]]] = {days: [] for days in homes}
    for day in _days_after(LAST, bench.repeats):
        for days, home in homes.items():
            runs[days].append(child.call(daily.platform, home, days=day))
    after_long, after_short = runs[long.days][1:], runs[short.days][1:]
    growth = {
        table: median(run["tables"][table] for run in after_long) - median(run["tables"][table] for run in after_short)
        for table in after_long[0]["tables"]
    } | {
        part: median(run["parts"][part] for run in after_long) - median(run["parts"][part] for run in after_short)
        for part in after_long[0]["parts"]
    }
    return Section(
        "A day after a long history",
        f"After {long} compared with {short.days}, both ending on the same day",
        "The platform's run of a day, as above. The parts show by how much each grew.",
        [
            Figure("after long / after short", _wall(after_long) / _wall(after_short), at_most=1.3),
            Figure("after long / after short, processor time", _cpu(after_long) / _cpu(after_short)),
            Figure("after long", _wall(after_long), "s"),
            Figure("after short", _wall(after_short), "s"),
            Figure("after long, memory at most", max(run["peak_mb"] for run in after_long), "MB"),
        ],
        growth,
    )


def history_of_a_small_shop(bench: Bench) -> Section:
    """Measures `ecom run` over the whole history of a small shop, from landed files to the snapshot."""
    size = bench.size(1_100, SMALL)
    days = window(LAST, size.days)
    zone = landing_zone(bench.folder, size, days)
    runs = []
    for _ in range(bench.repeats):
        home = bench.home("history_of_a_small_shop")
        share(zone, home)
        runs.append(child.call(daily.from_nothing, home, days=str(days)))
    table_days = runs[0]["table_days"]
    parts = {name: median(run["parts"][name] for run in runs) for name in runs[0]["parts"]}
    return Section(
        "The history of a small shop",
        f"{size} in one `ecom run`, all tables, {table_days:,} table-days",
        "One process, from landed files to the snapshot, on SQLite; processor time, imports included. `planning` is "
        "all until the first table is written, `landing` reading files into bronze, `tables` the other tables, "
        "`events` storing Dagster's events after planning, `publishing` the snapshot, `rest` what else Dagster does.",
        [
            Figure("in all", sum(parts.values()), "s"),
            Figure("per thousand table-days", sum(parts.values()) / table_days * 1_000, "s"),
            *(
                Figure(f"{name} per thousand table-days", seconds / table_days * 1_000, "s")
                for name, seconds in parts.items()
            ),
            Figure("planning", parts[daily.PLANNING], "s", at_most=5),
            Figure("in all, wall clock", _wall(runs), "s"),
            Figure("memory at most", max(run["peak_mb"] for run in runs), "MB", at_most=1_000),
            Figure("Dagster's store per table-day", median(run["store"] for run in runs) / table_days / 1_024, "KB", 1),
            Figure("Dagster's store", median(run["store"] for run in runs) / 1e6, "MB"),
            Figure("warehouse", median(run["warehouse"] for run in runs) / 1e6, "MB"),
        ],
        parts,
    )


def shop(bench: Bench) -> Section:
    """Measures rows of the synthetic shop per second of one core."""
    visits = dataclasses.replace(DEMO, orders_per_day=1_000 * bench.scale, events_per_order=300, conversion=0.001)
    sales = dataclasses.replace(DEMO, orders_per_day=20_000 * bench.scale, events_per_order=0.01)
    rates = {}
    for feed, scale in (("events", visits), ("order_items", sales)):
        runs = [
            child.call(selling.arrivals, bench.home("shop"), cores=1, scale=dataclasses.asdict(scale), days=5)
            for _ in range(bench.repeats)
        ]
        rates[feed] = median(run["rows"][feed] / run["cpu"] for run in runs)
    return Section(
        "The synthetic shop",
        f"Consecutive days of {300_000 * bench.scale:,.0f} events, and of {20_000 * bench.scale:,.0f} orders",
        "Rows per second of one core, before files are written: a day of events, and a day of all other "
        "feeds, whose time for orders, payments, returns and customers is attributed to the items. Events "
        "have 15 typed columns.",
        [
            Figure("events", rates["events"], "/s", at_least=1e6),
            Figure("order items", rates["order_items"], "/s", at_least=2e5),
        ],
    )


def ticks(bench: Bench) -> Section:
    """Measures ticks of sensors and schedules after the demo, and with many landed files."""
    demo = _with_history(bench, "ticks", bench.size(60, DEMO))
    many = bench.home("ticks_of_many_files")
    days = window(LAST, max(round(1_100 * bench.scale**0.5), 2))
    made = child.call(ticking.many_files, many, files=round(100_000 * bench.scale), days=str(days))
    of_demo = child.call(ticking.ticks, demo, repeats=bench.repeats)["cpu"]
    of_many = child.call(ticking.ticks, many, repeats=bench.repeats)["cpu"]
    return Section(
        "Ticks of sensors and schedules",
        f"After 60 days of the demo, and with {made['files']:,} landed files and {made['table_days']:,} table-days",
        "Processor time of a tick in a process that has ticked before, as Dagster's code server has, while files and "
        "ledger do not change. Of many files, the ledger is one that has read them; the tables themselves are missing. "
        "The first tick after a change lists all files, which takes some seconds with so many. `show_ledger` has "
        "days to report in each tick, since Dagster's storage is new; otherwise it has nothing to do.",
        [
            *(Figure(f"{name}, demo", seconds, "s", at_most=0.3) for name, seconds in of_demo.items()),
            *(Figure(f"{name}, many files", seconds, "s", at_most=0.5) for name, seconds in of_many.items()),
        ],
    )


def api(bench: Bench) -> Section:
    """Measures answers of the HTTP API, of the demo's shop with ten times its orders."""
    size = _ten_times_the_demo(bench)
    home = _with_history(bench, "api", size)
    found = child.call(asking.answers, home, requests=max(round(800 * bench.scale), 2 * asking.CLIENTS))
    most = {"the report": 50, "first page of a table": 50, "by number": 20, "not changed": 5}
    csv = found["csv"]
    return Section(
        "Answers of the API",
        f"{size}; {asking.CLIENTS} clients at once on the same two cores",
        f"The 95th percentile of each kind of request once warm, clients included, and {csv['rows']:,} rows as CSV.",
        [
            *(Figure(f"{name}, p95", ms, "ms", at_most=most[name]) for name, ms in found["ms"].items()),
            Figure("first byte of the CSV", csv["first_byte"], "ms", at_most=200),
            Figure("memory for the CSV", csv["grown"], "MB", at_most=64),
        ],
    )


def dashboard(bench: Bench) -> Section:
    """Measures pages of the dashboard, of the demo's shop with ten times its orders. Raises Unavailable."""
    if (browser := browsing.chromium()) is None:
        raise Unavailable("there is no Chromium; apt-get install chromium")
    size = _ten_times_the_demo(bench)
    home = _with_history(bench, "dashboard", size)
    found = child.call(browsing.pages, home, browser=browser, repeats=bench.repeats)
    return Section(
        "Pages of the dashboard",
        f"{size}; Chromium on the same two cores",
        f"Until all figures of the first page are drawn; {browsing.SESSIONS} sessions at once are programs that ask as "
        "browsers do, until all is sent: as many browsers on the same cores would measure themselves. "
        "A filter is one more sales channel, until its total is there.",
        [
            Figure("first page, cold", found["cold"], "s", at_most=3),
            Figure("first page, warm", found["warm"], "s", at_most=1),
            Figure("a filter", found["filter"], "s", at_most=0.5),
            Figure("ten sessions, p95", found["sessions"], "s", at_most=2),
            Figure("memory of the server at most", found["memory"], "MB", at_most=600),
        ],
    )


def profile(bench: Bench) -> Section:
    """Measures `ecom profile` over all published tables of the demo's shop with ten times its orders."""
    size = _ten_times_the_demo(bench)
    home = _with_history(bench, "profile", size)
    runs = [child.call(profiling.profiles, home) for _ in range(bench.repeats)]
    return Section(
        "Profiles",
        f"{size}; {runs[0]['tables']} tables, {runs[0]['rows']:,} rows, {runs[0]['columns']:,} columns",
        "From the snapshot to the pages, in a process of its own; each but the first compares with one before.",
        [
            Figure("in all", _wall(runs), "s", at_most=60),
            Figure("memory at most", max(run["peak_mb"] for run in runs), "MB", at_most=500),
            Figure("largest page", max(run["largest_kb"] for run in runs), "KB", at_most=1_000),
        ],
    )


def peers(bench: Bench) -> Section:
    """Measures this platform, dbt-duckdb and SQLMesh on the demo's shop. Raises Unavailable."""
    return _with_peers(bench, bench.size(60, DEMO), full_at_most=1.2, repair_at_most=1.0)


def peers_of_a_large_shop(bench: Bench) -> Section:
    """Measures this platform, dbt-duckdb and SQLMesh on a million orders a year. Raises Unavailable."""
    shop = dataclasses.replace(YEAR, marketplace_share=DEMO.marketplace_share)
    return _with_peers(bench, bench.size(90, shop), full_at_most=1.0, repair_at_most=0.5)


def _with_peers(bench: Bench, size: Size, *, full_at_most: float, repair_at_most: float) -> Section:
    return compared(
        bench.folder,
        lambda name: bench.home(f"peers/{name}"),
        size,
        window(LAST, size.days),
        bench.repeats,
        full_at_most=full_at_most,
        repair_at_most=repair_at_most,
    )


def stream(bench: Bench) -> Section:
    """Measures the consumer of streams: the way of a warning, and how many events land."""
    records, seconds = max(int(60_000 * bench.scale), 400), max(60 * bench.scale, 1)
    ms = streaming.warnings(bench.home("stream_warnings"), records)
    landed = streaming.landed(bench.home("stream_landed"), seconds, _EVENTS_PRODUCED)
    return Section(
        "Streams",
        f"{records:,} orders at {streaming.RATE:,} a second, one in {streaming.EACH_TELLS} warned of; then "
        f"{_EVENTS_PRODUCED:,} events a second for {seconds:.0f} s. Broker, producer, consumer and receiver on one "
        "machine",
        "A warning's way is from producing the order, by broker, rules, store of alerts and channels, to the answer of "
        "the receiver. Events count once they are read and written; files land every five seconds. A broker on the "
        "same cores takes its part of them.",
        [
            Figure("warning, p50", ms["p50"], "ms", at_most=20),
            Figure("warning, p95", ms["p95"], "ms", at_most=100),
            Figure("warning, p99", ms["p99"], "ms", at_most=300),
            Figure("share of warnings that arrived", ms["told"], at_least=1),
            Figure("events landed", landed["per_second"], "/s", at_least=_EVENTS_PER_SECOND),
            Figure("processor time of the consumer per event", landed["microseconds"], "µs"),
            Figure("memory of the consumer", landed["megabytes"], "MB", at_most=200),
        ],
    )


SECTIONS: Mapping[str, Callable[[Bench], Section]] = {
    "one_day": one_day,
    "year": year,
    "history": history,
    "history_of_a_small_shop": history_of_a_small_shop,
    "shop": shop,
    "ticks": ticks,
    "api": api,
    "dashboard": dashboard,
    "stream": stream,
    "profile": profile,
    "peers": peers,
    "peers_of_a_large_shop": peers_of_a_large_shop,
}
_EVENTS_PER_SECOND, _EVENTS_PRODUCED = 50_000, 55_000
NEED_PEERS = ("peers", "peers_of_a_large_shop")
"""Sections that install dbt-duckdb and SQLMesh, from a package index."""


def _ten_times_the_demo(bench: Bench) -> Size:
    """Returns the demo's sixty days with ten times its orders and customers."""
    names = ("orders_per_day", "customers_at_start", "customers_per_day")
    return bench.size(60, dataclasses.replace(DEMO, **{name: 10 * getattr(DEMO, name) for name in names}))


def _with_history(bench: Bench, name: str, size: Size) -> Path:
    """Returns a home whose warehouse has a shop's days up to the last one, with the files of the next ones landed."""
    home = bench.home(name)
    days = window(LAST, size.days)
    zone = landing_zone(bench.folder, size, Window(days.first, LAST + (bench.repeats + 1) * ONE_DAY))
    share(zone, home)
    child.call(building.history, home, days=str(days), window_days=50)
    return home


def _at(home: Path, start: dt.date) -> Path:
    """Returns a home whose calendar starts on a day."""
    (_data(home) / "settings.toml").write_text(f"start = {start}\n")
    return home


def _data(home: Path) -> Path:
    (home / "data").mkdir(exist_ok=True)
    return home / "data"


def _days_after(day: dt.date, repeats: int) -> Iterable[str]:
    """Returns one day more than repeats: the first one warms up Dagster's storage and does not count."""
    return [str(day + (n + 1) * ONE_DAY) for n in range(repeats + 1)]


def _wall(runs: Iterable[Mapping[str, Any]]) -> float:
    return float(median(run["wall"] for run in runs))


def _cpu(runs: Iterable[Mapping[str, Any]]) -> float:
    return float(median(run["cpu"] for run in runs))
