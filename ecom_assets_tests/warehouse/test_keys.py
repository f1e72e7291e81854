"""Tables that read others by key: a changed row makes the days stale on which its key occurs, and no other."""

import dataclasses
import datetime as dt
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import narwhals as nw
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecom_assets.contract import Date, Table, column, contract, key, rule
from ecom_assets.days import Window, contiguous, ever, history, revised, same_day, since, trailing
from ecom_assets.declaration import Catalog, Declaration, declare
from ecom_assets.expressions.dates import days_between
from ecom_assets.landing.zone import Zone
from ecom_assets.warehouse.ledger.records import Cause, StaleDay
from ecom_assets.warehouse.proof import contents, settle, verify
from ecom_assets.warehouse.session import Session
from ecom_assets_tests.examples import examples
from ecom_assets_tests.tiny_shop import days, on
from ecom_assets_tests.warehouses import run_all, session_over, small_shop, upstream_of, window

DAYS = 4
BAD = 100
"""A value that fails its day."""
Rows = tuple[tuple[str, int], ...]


class Named(Table, primary_key=("customer", "value"), partition_column="day", name="gold.named"):
    """One row per customer and value."""

    customer: str = key("The customer")
    day: Date = column("The day")
    value: int = key("A value")

    @rule
    def is_good(cls) -> nw.Expr:
        """A value is below a hundred."""
        return nw.col("value") < BAD


class Profiles(Named, name="gold.profiles"):
    """One row per customer and value."""


class Visits(Named, name="gold.visits"):
    """One row per customer and value."""


class Calls(Named, name="gold.calls"):
    """One row per customer and value."""


class Sums(Table, primary_key=("customer", "day"), partition_column="day", name="kpi.sums"):
    """One row per customer and day."""

    customer: str = key("The customer")
    day: Date = key("The day")
    profiles: int = column("Number of profiles up to the day")
    value: int = column("Sum of the profiles' values")


def _drawn(days: nw.LazyFrame) -> nw.LazyFrame:
    """Rows are given to the write; this is never called with any days."""
    return days.select("day", customer=nw.lit("A"), value=nw.lit(0, nw.Int64))


def summed(visits: nw.LazyFrame, profiles: nw.LazyFrame, before: int = 10, after: int = 0) -> nw.LazyFrame:
    c = nw.col
    visited = visits.select("day", "customer").unique()
    met = visited.join(profiles.select("customer", "value", on="day"), on="customer")
    sums = met.filter(days_between(c("on"), c("day")).is_between(-after, before)).group_by("day", "customer")
    return sums.agg(c("value").count().cast(nw.Int64).alias("profiles"), c("value").sum().cast(nw.Int64))


def of_visits(gold_visits: nw.LazyFrame, gold_profiles: nw.LazyFrame) -> nw.LazyFrame:
    return summed(gold_visits, gold_profiles)


def of_any_day(gold_visits: nw.LazyFrame, gold_profiles: nw.LazyFrame) -> nw.LazyFrame:
    return summed(gold_visits, gold_profiles, after=10)


def of_last_days(gold_visits: nw.LazyFrame, gold_profiles: nw.LazyFrame) -> nw.LazyFrame:
    return summed(gold_visits, gold_profiles, 1)


def of_calls(gold_visits: nw.LazyFrame, gold_calls: nw.LazyFrame, gold_profiles: nw.LazyFrame) -> nw.LazyFrame:
    both = nw.concat([gold_visits.select("day", "customer"), gold_calls.select("day", "customer")])
    return summed(both, gold_profiles)


def of_profiles(gold_profiles: nw.LazyFrame, days: nw.LazyFrame) -> nw.LazyFrame:
    return summed(gold_profiles, gold_profiles).join(days, on="day", how="semi")


def of_days(gold_visits: nw.LazyFrame, gold_profiles: nw.LazyFrame) -> nw.LazyFrame:
    return summed(gold_visits, gold_profiles.with_columns(value=nw.lit(1, nw.Int64)))


def sums(name: str, transform: object, **reads: object) -> Declaration:
    promise = dataclasses.replace(contract(Sums), name=f"kpi.{name}")
    return declare(promise, transform, reads)  # type: ignore[arg-type]


by = history.by("customer")
DRAWN = [declare(contract(model), _drawn) for model in (Profiles, Visits, Calls)]
READERS = [
    sums("of_visits", of_visits, gold_profiles=by),
    sums("revised", of_visits, gold_profiles=revised(None, 0).by("customer")),
    sums("of_any_day", of_any_day, gold_profiles=ever.by("customer")),
    sums("of_last_days", of_last_days, gold_profiles=trailing(2).by("customer")),
    sums("of_calls", of_calls, gold_profiles=by, gold_calls=dataclasses.replace(same_day, needed=False)),
    sums("of_profiles", of_profiles, gold_profiles=by),
    sums("of_days", of_days, gold_profiles=history.days_of("customer")),
    sums("of_old_visits", of_visits, gold_profiles=history.by("customer", of="gold.visits"), gold_visits=history),
]
TABLES = Catalog([*DRAWN, *READERS])
OTHER_CODE = Catalog(
    [*DRAWN, *(sums(d.name.partition(".")[2], of_visits, gold_profiles=history) for d in READERS[:2]), *READERS[2:]]
)
"""Two of the tables read all rows."""


@dataclasses.dataclass(frozen=True)
class Write:
    """Days of a drawn table are written with rows; with `other_code`, by code that does not read by key."""

    table: str
    first: int
    rows: tuple[Rows, ...]
    other_code: bool = False


@dataclasses.dataclass(frozen=True)
class Run:
    """A table runs over a window, or, if none is named, all that is stale."""

    table: str = ""
    first: int = 0
    last: int = DAYS - 1
    other_code: bool = False


Step = Write | Run
Wrote = dict[tuple[str, int], Rows]


class Played:
    """A warehouse of such tables."""

    def __init__(self) -> None:
        self.con = duckdb.connect()
        self.wrote: Wrote = {}
        self.begin(TABLES)

    def begin(self, catalog: Catalog) -> None:
        """A session knows the tables that were stored when it began."""
        self.session = Session(self.con, catalog, Zone(Path("nowhere")), Window(on(0), dt.date.max))

    def close(self) -> None:
        self.con.close()

    def take(self, *steps: Step) -> None:
        for step in steps:
            catalog = OTHER_CODE if step.other_code else TABLES
            if catalog is not self.session.catalog:
                self.begin(catalog)
            match step:
                case Write(table, first, rows):
                    write(self.session, table, first, rows)
                    self.wrote |= {(table, first + n): of_day for n, of_day in enumerate(rows)}
                case Run(table, first, last):
                    if table:
                        self.session.run(table, days(first, last))
                    else:
                        settle(self.session)

    def stale(self) -> list[tuple[str, int]]:
        return [(found.table, (found.day - on(0)).days) for found in self.session.stale()]


def write(session: Session, table: str, first: int, rows: tuple[Rows, ...]) -> None:
    listed = [(on(first + n), *row) for n, of_day in enumerate(rows) for row in of_day]
    schema = {"day": pl.Date, "customer": pl.String, "value": pl.Int64}
    frame = pl.DataFrame(listed, schema=schema, orient="row")
    session.write(session.catalog[table], lambda: frame, days(first, first + len(rows) - 1))


@pytest.fixture
def played() -> Iterator[Played]:
    with closing(Played()) as played:
        yield played


def rows_of(session: Session, table: str) -> list[tuple[object, ...]]:
    if not session.stored_types(table):
        return []
    return session.con.execute(f"from {table} order by all").fetchall()


def ends_as_a_clean_run(played: Played) -> None:
    played.begin(TABLES)
    settle(played.session)
    standing = contents(played.session)
    with closing(Played()) as clean:
        for drawn in DRAWN:
            for part in contiguous(on(day) for table, day in played.wrote if table == drawn.name):
                rows = tuple(played.wrote[drawn.name, (day - on(0)).days] for day in part)
                write(clean.session, drawn.name, (part.first - on(0)).days, rows)
        for reader in READERS:
            for part in contiguous(dt.date.fromisoformat(day) for table, day in standing if table == reader.name):
                clean.session.run(reader.name, part)
        settle(clean.session)
        assert standing == contents(clean.session)
        for declaration in READERS:
            assert rows_of(played.session, declaration.name) == rows_of(clean.session, declaration.name)


_rows = st.lists(
    st.tuples(st.sampled_from(["A", "B"]), st.sampled_from([1, 1, 2, 2, BAD])), max_size=2, unique=True
).map(tuple)


_other_code = st.sampled_from([False] * 7 + [True])


@st.composite
def _windows(draw: st.DrawFn) -> tuple[int, int]:
    first = draw(st.integers(0, DAYS - 1))
    return first, draw(st.sampled_from([first, first, *range(first, DAYS)]))


@st.composite
def _writes(draw: st.DrawFn) -> Write:
    tables = ["gold.profiles", "gold.profiles", "gold.visits", "gold.visits", "gold.calls"]
    first, last = draw(_windows())
    rows = draw(st.tuples(*[_rows] * (last - first + 1)))
    return Write(draw(st.sampled_from(tables)), first, rows, draw(_other_code))


@st.composite
def _runs(draw: st.DrawFn) -> Run:
    tables = ["", "", "", *(declaration.name for declaration in READERS)]
    return Run(draw(st.sampled_from(tables)), *draw(_windows()), draw(_other_code))


_all_days = st.tuples(*[_rows] * DAYS)
_built = st.tuples(
    *(st.builds(Write, st.just(declaration.name), st.just(0), _all_days) for declaration in DRAWN), st.just(Run())
)
_later = st.lists(st.one_of(_writes(), _writes(), _runs()), min_size=1, max_size=8)
_steps = st.builds(lambda built, later: [*built, *later], st.one_of(_built, _built, _built, st.just(())), _later)
QUICK, LONG = examples(60), 3_000


def check(steps: list[Step]) -> None:
    with closing(Played()) as played:
        played.take(*steps)
        ends_as_a_clean_run(played)


@pytest.mark.slow
@settings(max_examples=QUICK, suppress_health_check=list(HealthCheck), deadline=None)
@given(_steps)
def test_a_few_writes_in_any_order_end_as_a_clean_run(steps: list[Step]):
    check(steps)


@pytest.mark.long
@settings(max_examples=LONG, suppress_health_check=list(HealthCheck), deadline=None)
@given(_steps)
def test_many_writes_in_any_order_end_as_a_clean_run(steps: list[Step]):
    check(steps)


A, B, NOBODY = (("A", 1),), (("B", 1),), ()
OF_VISITS = "kpi.of_visits"


def visited(played: Played) -> None:
    """A, B and A visit on three days after a day without visits; both have a profile of the first day."""
    played.take(
        Write("gold.profiles", 0, ((*A, *B), NOBODY, NOBODY, NOBODY)),
        Write("gold.visits", 0, (NOBODY, A, B, A)),
        Write("gold.calls", 0, (NOBODY,) * 4),
        Run(),
    )
    assert played.stale() == []


def stale_days(played: Played, table: str = OF_VISITS) -> list[int]:
    return [day for found, day in played.stale() if found == table]


def test_a_changed_row_makes_the_days_stale_on_which_its_key_occurs(played):
    visited(played)

    played.take(Write("gold.profiles", 0, ((("A", 2), *B),)))

    assert (
        stale_days(played) == stale_days(played, "kpi.of_old_visits") == stale_days(played, "kpi.of_any_day") == [1, 3]
    )
    assert stale_days(played, "kpi.of_last_days") == [1]
    assert stale_days(played, "kpi.of_profiles") == [0]
    [found] = [found for found in played.session.stale() if found.table == OF_VISITS and found.day == on(1)]
    assert found == StaleDay(OF_VISITS, on(1), Cause.KEY_CHANGED, by="gold.profiles")
    assert found.why == "a row of a key that occurs on the day changed in gold.profiles"
    ends_as_a_clean_run(played)


def test_a_row_of_a_later_day_makes_days_stale_of_a_table_that_reads_all_days(played):
    visited(played)

    played.take(Write("gold.profiles", 3, ((("A", 2),),)))

    assert stale_days(played, "kpi.of_any_day") == [1, 3]
    assert stale_days(played) == [3]
    ends_as_a_clean_run(played)


def test_of_all_days_those_after_the_day_are_not_awaited(played):
    played.take(Write("gold.profiles", 0, (A, A)), Write("gold.visits", 0, (A, A)), Run())

    def states() -> list[tuple[str]]:
        query = "select state from ledger.days where table_name = 'kpi.of_any_day' order by day"
        return played.con.execute(query).fetchall()

    assert states() == [("stored",), ("stored",)]
    played.begin(TABLES)
    played.session.calendar = Window(on(0) - dt.timedelta(days=1), dt.date.max)
    assert {found.table for found in played.session.stale()} >= {"kpi.of_any_day"}


def test_a_changed_row_makes_no_day_stale_of_a_table_that_reads_days_alone(played):
    visited(played)

    played.take(Write("gold.profiles", 0, ((("A", 2), *B),)))
    assert stale_days(played, "kpi.of_days") == []
    played.take(Write("gold.profiles", 0, (B,)))
    assert stale_days(played, "kpi.of_days") == [1, 3]
    ends_as_a_clean_run(played)


def test_of_days_alone_a_table_sees_key_and_day_once(played):
    played.take(Write("gold.profiles", 0, ((("A", 1), ("A", 2)),)), Write("gold.visits", 0, (A,)))
    declaration = TABLES["kpi.of_days"]
    [_, profiles] = declaration.reads

    assert played.session.frame(declaration, profiles, days(0)).relation().fetchall() == [("A", on(0))]


def test_a_row_of_a_key_that_never_occurs_makes_no_day_stale(played):
    visited(played)

    played.take(Write("gold.profiles", 0, ((*A, *B, ("C", 1)),)))

    assert stale_days(played) == []


def test_a_row_that_is_written_again_as_it_was_makes_no_day_stale(played):
    visited(played)

    played.take(Write("gold.profiles", 0, ((*B, *A), NOBODY, NOBODY)))

    assert stale_days(played) == []


def test_rows_that_go_because_their_day_fails_make_the_days_of_their_keys_stale(played):
    visited(played)

    played.take(Write("gold.profiles", 0, ((*A, ("B", BAD)),)))

    assert stale_days(played) == [0, 1, 2, 3]
    causes = [found.cause for found in played.session.stale() if found.table == OF_VISITS]
    assert set(causes) == {Cause.KEY_CHANGED, Cause.AWAITED_DAYS_CHANGED}  # with one of the keys, and without
    ends_as_a_clean_run(played)
    played.take(Write("gold.profiles", 0, ((*A, *B),)))
    assert stale_days(played) == [0, 1, 2, 3]
    ends_as_a_clean_run(played)


def test_a_late_row_of_a_day_that_is_not_awaited_makes_the_days_of_its_key_stale(played):
    played.take(Write("gold.visits", 0, (NOBODY, A, B, A)), Write("gold.profiles", 1, (B, NOBODY, NOBODY)), Run())
    revised_days = "kpi.revised"
    played.take(Run(revised_days, 0, DAYS - 1))

    played.take(Write("gold.profiles", 0, (A,)))

    assert stale_days(played, revised_days) == [1, 3]
    ends_as_a_clean_run(played)


def test_a_change_of_a_key_that_is_gone_for_a_while_is_not_forgotten(played):
    visited(played)

    played.take(
        Write("gold.visits", 1, (NOBODY,)), Write("gold.profiles", 0, ((("A", 2), *B),)), Write("gold.visits", 1, (A,))
    )

    assert stale_days(played) == [1, 3]
    ends_as_a_clean_run(played)


def test_a_change_of_a_key_that_a_failed_day_had_is_not_forgotten(played):
    visited(played)
    played.take(Write("gold.calls", 1, (B,)), Run())

    played.take(
        Write("gold.calls", 1, ((("B", BAD),),)),
        Write("gold.profiles", 0, ((*A, ("B", 2)),)),
        Write("gold.calls", 1, (B,)),
    )

    assert 1 in stale_days(played, "kpi.of_calls")
    ends_as_a_clean_run(played)


def test_days_of_code_that_is_replaced_for_a_while_are_stale_if_rows_changed_meanwhile(played):
    visited(played)

    played.take(Write("gold.profiles", 0, ((("A", 2), *B),), other_code=True))
    played.begin(TABLES)

    assert set(stale_days(played)) >= {1, 3}
    ends_as_a_clean_run(played)


def test_a_table_reads_the_rows_of_the_keys_of_its_days_only(played):
    visited(played)
    declaration = TABLES[OF_VISITS]
    [_, profiles] = declaration.reads

    def keys(first: int, last: int) -> list[str]:
        rows = played.session.frame(declaration, profiles, days(first, last)).relation().fetchall()
        return sorted({customer for customer, *_ in rows})

    assert [keys(0, 0), keys(1, 1), keys(2, 2), keys(1, 2)] == [[], ["A"], ["B"], ["A", "B"]]


@pytest.mark.parametrize("reach", [same_day, since, dataclasses.replace(same_day, needed=False)])
def test_days_after_and_the_day_alone_are_not_read_by_key(reach):
    with pytest.raises(ValueError, match="cannot be read by customer: only days up to the day, or all days, can"):
        reach.by("customer")


def test_a_key_that_is_no_column_of_the_input_is_refused():
    with pytest.raises(TypeError, match=r"kpi.wrong cannot read gold.profiles by shop: not a column of gold.profiles"):
        Catalog([*DRAWN, sums("wrong", of_visits, gold_profiles=history.by("shop"))])


def test_keys_of_a_table_that_is_not_read_are_refused():
    with pytest.raises(TypeError, match=r"kpi.wrong does not read gold.calls, which is to have its keys"):
        Catalog([*DRAWN, sums("wrong", of_visits, gold_profiles=history.by("customer", of="gold.calls"))])


def test_a_key_is_part_of_the_name_of_a_reach():
    assert history.by("customer").name == "history by customer"
    assert history.days_of("customer").name == "history of days of customer"
    assert trailing(2).by("customer", of="gold.calls").name == "trailing(2) by customer of gold.calls"


SHOP_DAYS = 8
SALES, METRICS, VERSIONS = "gold.fact_sales", "gold.agg_customer_metrics", "gold.dim_customer_versions"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A small shop up to its sales and the sums of its customers."""
    zone = small_shop(tmp_path_factory.mktemp("landing"), SHOP_DAYS)
    session = session_over(zone, tables=upstream_of(METRICS))
    run_all(session, window(SHOP_DAYS))
    settle(session)
    yield session
    session.con.close()


def run_again(session: Session) -> set[tuple[str, dt.date]]:
    """The table-days that a repair runs."""
    ran = set()
    while stale := session.stale():
        first = min((found.table for found in stale), key=session.catalog.names.index)
        for found in stale:
            if found.table == first:
                session.run(first, Window(found.day, found.day))
                ran.add((first, found.day))
    return ran


def days_of(session: Session, table: str, day: str, customer: str) -> set[dt.date]:
    query = f"select distinct {day} from {table} where customer_id = '{customer}'"
    return {on_day for (on_day,) in session.con.execute(query).fetchall()}


def regular(session: Session, n: int) -> tuple[str, set[dt.date]]:
    """A customer who bought on several days but not on all, and these days."""
    [(customer,)] = session.con.execute(f"""
        select customer_id from gold.agg_customer_days group by customer_id
        having count(*) between 2 and {SHOP_DAYS - 3} and min(orders) > 0
        order by count(*) desc, customer_id limit 1 offset {n}""").fetchall()
    return customer, days_of(session, "gold.agg_customer_days", "day", customer)


@pytest.mark.slow
def test_a_late_change_of_a_customer_runs_the_days_again_on_which_the_customer_bought(shop):
    customer, bought = regular(shop, 0)
    changed = f"customer_id,changed_at,name\n{customer},{min(bought)}T00:00:01Z,Late\n"
    shop.zone.write("customers", window(SHOP_DAYS).last, "late.csv", changed.encode())

    ran = run_again(shop)

    ordered = days_of(shop, "silver.orders", "ordered_on", customer)
    brought_back = days_of(shop, "silver.returns", "returned_on", customer)
    since = {day for day in ordered if day >= min(bought)}
    assert {day for table, day in ran if table == SALES} == since
    assert {day for table, day in ran if table == "gold.fact_returns"} == {d for d in brought_back if d >= min(bought)}
    assert len(since) < SHOP_DAYS
    assert verify(shop) is None


@pytest.mark.slow
def test_a_late_change_of_an_order_runs_the_sums_of_its_customer_again(shop):
    customer, bought = regular(shop, 1)
    columns = shop.catalog["bronze.orders"].feed_contract.columns
    voided = {"updated_at": "2024-12-31T00:00:00Z", "status": "cancelled", "cancel_reason": "void"}
    row = ", ".join(f"'{voided[name]}' as {name}" if name in voided else name for name in columns)
    of_the_customer = f"customer_id = '{customer}' and ordered_on = date '{min(bought)}'"
    rows = shop.con.sql(f"""
        select distinct on (order_id) {row} from bronze.orders
        where order_id in (select order_id from silver.orders where {of_the_customer})""").pl()
    shop.zone.write("orders", window(SHOP_DAYS).last, "late.csv", rows.write_csv().encode())

    ran = run_again(shop)

    assert {day for table, day in ran if table == METRICS} == bought
    assert verify(shop) is None
