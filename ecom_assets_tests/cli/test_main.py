"""The command line, as its users meet it."""

import datetime as dt
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import dagster as dg
import duckdb
import narwhals as nw
import polars as pl
import pytest
from click.testing import CliRunner, Result
from dagster._core.test_utils import create_run_for_test

from ecom_assets import catalog, settings
from ecom_assets.cli.main import main
from ecom_assets.cli.terminal import TERMINAL, shown
from ecom_assets.days import ONE_DAY, Window
from ecom_assets.declaration import Catalog
from ecom_assets.orchestration.about_runs import LOCATION, PROCESS_TAG
from ecom_assets.orchestration.home import in_dagster_home
from ecom_assets.orchestration.quality_assets import QUALITY
from ecom_assets.shop.scale import Scale
from ecom_assets.shop.shop import Shop
from ecom_assets.sources.synthetic import save_shop
from ecom_assets.warehouse import proof
from ecom_assets.warehouse.opening import open_session
from ecom_assets_tests.warehouses import publishable

DAYS = Window(settings.DEFAULT_START, Window.parse("2024-01-02").first)
TINY = Scale(orders_per_day=3, customers_at_start=10, customers_per_day=1, products_at_start=5, products_per_day=1)
MAP = """\
[source]
files = "*.csv"
arrival_day = { file_name = "{day}.csv" }

[feed.customers]
[feed.customers.columns]
customer_id = "number"
changed_at = "at"
"""
EVENTS_MAP = f"""{MAP}
[feed.events]
[feed.events.columns]
event_id = "number"
occurred_at = "at"
event = {{ constant = "Page Viewed" }}
"""
MAX_SECONDS = 600
OF_TABLES = {"dagster", "narwhals", "numpy", "pandas", "pandera", "polars", "pyarrow"}
"""Libraries that take long to load, which only those commands load that need them."""

Ecom = Callable[..., Result]
Process = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder and a Dagster home of the test's own."""
    project = (settings.PROJECT / "dagster.yaml").read_text()
    (tmp_path / "dagster.yaml").write_text(project.replace("data/dagster", f"{tmp_path}/dagster"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("ECOM_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def ecom(data: Path) -> Ecom:
    """Runs a command in this process."""

    def run(*words: str) -> Result:
        result = CliRunner().invoke(main, words)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        return result

    return run


@pytest.fixture
def process(data: Path) -> Process:
    """Starts a command as a process of its own."""

    def start(*words: str) -> "subprocess.Popen[str]":
        program, *rest = words
        return subprocess.Popen(
            [Path(sys.executable).with_name(program), *rest],
            env={**os.environ, "PYTHONPATH": str(settings.PROJECT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture
def tiny_shop(data: Path) -> Shop:
    """A small shop that opened on the first day of the default calendar."""
    settings.save(settings.load())
    shop = Shop(DAYS.first, preset=TINY)
    save_shop(settings.load().landing, shop)
    return shop


def error(result: Result) -> str:
    """The one line that a command ends with when it refuses."""
    assert result.exit_code in (1, 2)
    assert "Traceback" not in result.output
    return result.stderr.strip().splitlines()[-1]


def table_days() -> dict[tuple[str, str], str]:
    with open_session(settings.load(), catalog.tables()) as session:
        return proof.contents(session)


def loaded(*words: str) -> set[str]:
    """The modules that a process has loaded once a command has ended well."""
    code = (
        "import sys; from ecom_assets.cli.main import main; main(sys.argv[1:], standalone_mode=False); "
        "print('loaded:', *sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code, *words], check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return set(ended.stdout.rpartition("\nloaded:")[2].split())


def done(process: "subprocess.Popen[str]") -> None:
    out, err = process.communicate(timeout=MAX_SECONDS)
    assert process.returncode == 0, out + err


@pytest.mark.slow
def test_landed_days_run_are_reported_and_proven(ecom: Ecom, tiny_shop: Shop, data: Path) -> None:
    landed = ecom("shop", str(DAYS))
    assert landed.exit_code == 0
    assert "bronze.orders" in ecom("stale").stdout

    run = ecom("run", str(DAYS))

    assert run.exit_code == 0, run.stderr
    lines = run.stderr.splitlines()
    assert any(line.startswith(f"bronze.orders {DAYS}: ") for line in lines)
    assert not [line for line in lines if len(line) > 120 or "INFO" in line]
    assert {table.partition(".")[0] for table, _ in table_days()} == {
        "bronze",
        "silver",
        "gold",
        "kpi",
        "features",
        "predictions",
    }
    assert ecom("stale").stdout == "Nothing is stale.\n"
    assert ecom("bad").stdout == "Every day has good rows.\n"
    assert "Net sales" in ecom("report").stdout
    assert "Every table-day equals" in ecom("verify").stdout

    sql = data / "sales.sql"
    sql.write_text("from kpi.daily_sales")
    for words in (["report"], ["bad"], ["quarantine"], ["query", str(sql)]):
        assert not loaded(*words) & OF_TABLES, words
    assert "dagster" not in loaded("run", "--stale")
    with open_session(settings.load(), catalog.tables()) as session:
        session.con.execute("update ledger.slices set content = content + 1 where table_name = 'kpi.daily_sales'")
    assert error(ecom("verify")).startswith("`ecom stale` lists what still has to run")


@pytest.mark.slow
def test_what_a_run_logs_is_shown_once_and_kept_in_its_log(ecom: Ecom, tiny_shop: Shop) -> None:
    ecom("shop", "2024-01-01")

    shown = ecom("run", "2024-01-01", "--select", "bronze/customers").stderr.splitlines()

    [line] = [line for line in shown if line.startswith("bronze.customers 2024-01-01: ")]
    with in_dagster_home() as instance:
        [run] = instance.get_runs()
        logged = [entry.user_message for entry in instance.all_logs(run.run_id) if entry.dagster_event is None]
    assert logged.count(line) == 1


@pytest.mark.slow
def test_less_or_more_is_shown_as_asked_for(ecom: Ecom, tiny_shop: Shop) -> None:
    ecom("shop", "2024-01-01")
    words = ["run", "2024-01-01", "--select", "bronze/customers"]

    assert ecom("--quiet", *words).stderr == ""
    lines = ecom("--verbose", *words).stderr.splitlines()

    assert (
        len([line for line in lines if " INFO    ecom_assets.orchestration.io_manager: bronze.customers " in line]) == 1
    )
    assert any(" DEBUG   ecom_assets.warehouse.opening: Opened " in line for line in lines)
    assert len(ecom(*words).stderr.splitlines()) == 1


def test_messages_of_other_assets_are_shown_without_dagsters_events(capsys: pytest.CaptureFixture[str]) -> None:
    for event in (None, object()):
        meta = {"orig_message": "a message of a user's asset", "dagster_event": event}
        TERMINAL.handle(logging.makeLogRecord({"dagster_meta": meta, "msg": "run - step - a message"}))

    assert capsys.readouterr().err == "a message of a user's asset\n"


def test_a_traceback_is_shown_only_with_more_detail(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("ecom_assets.a_module")
    for level in (logging.INFO, logging.DEBUG):
        with shown(level):
            try:
                raise ArithmeticError("the cause")
            except ArithmeticError:
                log.warning("a message", exc_info=True)

    first, *rest = capsys.readouterr().err.splitlines()
    assert first == "a message"
    assert rest[0].endswith("WARNING ecom_assets.a_module: a message")
    assert rest[-1] == "ArithmeticError: the cause"


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"]])
def test_help_loads_no_library_of_the_tables(words: list[str]) -> None:
    assert not loaded(*words) & (OF_TABLES | {"duckdb", "tomlkit"})


@pytest.mark.slow
def test_runs_of_a_selection_leave_the_rest(ecom: Ecom, tiny_shop: Shop) -> None:
    ecom("shop", str(DAYS))

    assert ecom("run", "2024-01-02", "--select", "bronze/orders").exit_code == 0

    assert list(table_days()) == [("bronze.orders", "2024-01-02")]


@pytest.mark.slow
def test_rows_set_aside_are_counted_and_shown_with_their_place(ecom: Ecom, data: Path) -> None:
    settings.save(settings.load())
    day = data / "landing" / "customers" / str(DAYS.first)
    day.mkdir(parents=True)
    (day / "customers.csv").write_text("customer_id,changed_at\nC1,2024-01-01 10:00\n,2024-01-01 11:00\n")
    (data / "landing" / "feeds.toml").write_text("[customers]\nmin_bad_rows = 1\n")
    ran = ecom("run", str(DAYS.first), "--select", "bronze/customers,silver/customers")

    cause = (
        "2024-01-01 failed: rows are quarantined, more than the allowed 5.0%: customer_id is present (1 row, the "
        "first is record 2 of 2024-01-01/customers.csv)"
    )
    assert ran.exit_code == 1
    assert "Error: Some days have no good rows. silver.customers" in ran.stderr
    assert cause in ran.stderr
    assert "then: ecom run --stale" in ran.stderr
    counts = ecom("quarantine")
    rows = ecom("quarantine", "silver/customers", "--rows", "5").stdout
    bad = ecom("bad")

    assert counts.stdout.startswith("customers             1  ")
    assert "customer_id is present" in counts.stdout
    assert "\n2024-01-01 customers.csv, record 2: " in rows
    assert "\n  changed_at '2024-01-01 11:00'\n" in rows
    assert bad.stdout.startswith("silver.customers")
    assert cause in bad.stdout
    assert "To run them again does not help." in bad.stdout


@pytest.mark.slow
def test_after_a_quiet_gap_what_is_stale_and_what_is_bad_name_the_same_days(ecom: Ecom, data: Path) -> None:
    settings.save(settings.load())
    for day in (1, 5):
        folder = data / "landing" / "suppliers" / f"2024-01-0{day}"
        folder.mkdir(parents=True)
        (folder / "suppliers.csv").write_text(f"supplier_id,changed_at,name\nS{day},2024-01-0{day},s\n")
        ecom("run", f"2024-01-0{day}", "--select", "bronze/suppliers,silver/suppliers")

    quiet = "Nothing has landed for 2024-01-02..2024-01-04, and these days have not run."
    assert quiet in ecom("stale").stdout
    assert quiet in ecom("bad").stdout


@pytest.mark.slow
def test_records_that_cannot_be_read_count_by_what_is_wrong_also_before_their_table_is_made(
    ecom: Ecom, data: Path
) -> None:
    settings.save(settings.load())
    day = data / "landing" / "suppliers" / str(DAYS.first)
    day.mkdir(parents=True)
    (day / "suppliers.csv").write_text("supplier_id,changed_at\n" + "S,2024-01-01,x\n" * 2)
    (day / "more.csv").write_text("supplier_id,changed_at\n" + "".join(f"S{n},2024-01-01\n" for n in range(40)))

    ecom("run", str(DAYS.first), "--select", "bronze/suppliers")
    before = ecom("quarantine", "suppliers").stdout
    ecom("run", str(DAYS.first), "--select", "silver/suppliers")
    after = ecom("quarantine", "suppliers").stdout

    waiting = "unreadable, and silver.suppliers has no good rows on 2024-01-01 yet: see ecom bad"
    assert before == f"suppliers             2  {waiting}\n"
    assert after == (
        "suppliers             2  has 3 fields where the header has 2; correct it and land the file again\n"
    )


def test_a_map_lands_an_export_and_says_what_to_run(ecom: Ecom, data: Path) -> None:
    (data / "mine.toml").write_text(MAP)
    (data / "2024-03-05.csv").write_text("number,at\n1,2024-03-05 10:00\n")

    landed = ecom("land", str(data / "mine.toml"), str(data))

    assert landed.stdout.endswith("Next: ecom run 2024-03-05\n")
    assert settings.load().start == Window.parse("2024-03-05").first


@pytest.mark.parametrize(("lines", "stray"), [(2000, "2011-01-01"), (5, "1970-01-01")])
def test_a_new_calendar_starts_with_the_first_event_of_an_export_and_no_version_or_stray_row(
    lines: int, stray: str, ecom: Ecom, data: Path
) -> None:
    (data / "mine.toml").write_text(EVENTS_MAP)
    (data / "2024-03-05.csv").write_text("number,at\n" + "".join(f"{n},2024-03-02 10:00\n" for n in range(lines)))
    with (data / "2024-03-05.csv").open("a") as file:
        file.write(f"x,{stray} 10:00\ny,some day\nz,2024-03-05 10:00\n")

    landed = ecom("land", str(data / "mine.toml"), str(data))

    assert landed.exit_code == 0, landed.output
    assert landed.stdout.endswith(
        "The calendar starts on 2024-03-02, the first day of an event in these files.\n"
        "Next: ecom run 2024-03-02..2024-03-05\n"
    )
    assert settings.load().start == Window.parse("2024-03-02").first


def test_a_map_whose_calendar_does_not_hold_its_files_may_be_corrected(ecom: Ecom, data: Path) -> None:
    (data / "2024-03-05.csv").write_text("number,at\n1,2024-03-05 10:00\n")
    (data / "mine.toml").write_text(f"[calendar]\nstart = 2024-03-06\n{MAP}")

    assert "2024-03-05 is not within the calendar, 2024-03-06 on" in error(ecom("land", "data/mine.toml", "data"))
    assert not settings.is_saved(data)
    assert not (data / "landing").exists()

    (data / "mine.toml").write_text(f"[calendar]\nstart = 2024-03-01\n{MAP}")
    assert ecom("land", "data/mine.toml", "data").stdout.endswith("Next: ecom run 2024-03-01..2024-03-05\n")


def test_the_environment_overrules_a_maps_calendar(ecom: Ecom, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data / "2024-03-05.csv").write_text("number,at\n1,2024-03-05 10:00\n")
    (data / "mine.toml").write_text(f"[calendar]\nstart = 2024-03-01\n{MAP}")
    monkeypatch.setenv("ECOM_END", "2024-03-04")

    assert "is not within the calendar, 2024-03-01..2024-03-04, which" in error(ecom("land", "data/mine.toml", "data"))
    assert not settings.is_saved(data)


def test_exports_of_another_time_zone_than_the_shops_are_landed(ecom: Ecom, data: Path) -> None:
    (data / settings.FILE).write_text('start = 2024-03-01\ntime_zone = "Europe/Berlin"\n')
    (data / "mine.toml").write_text(MAP.replace("[source]", '[source]\ntime_zone = "America/New_York"'))
    (data / "2024-03-05.csv").write_text("number,at\n1,2024-03-05 10:00\n")

    assert ecom("land", str(data / "mine.toml"), str(data)).exit_code == 0
    assert settings.load().time_zone == "Europe/Berlin"


def test_a_check_shows_rows_and_lands_nothing(ecom: Ecom, data: Path) -> None:
    (data / "mine.toml").write_text(MAP)
    (data / "2024-03-05.csv").write_text("number,at\n" + "".join(f"{n},2024-03-05 10:00\n" for n in range(1, 13)))

    told = ecom("land", "--check", "data/mine.toml", "data").stdout

    assert "  day         customer_id  changed_at\n  2024-03-05  1            2024-03-05 10:00:00+00\n" in told
    assert "2024-03-05  10 " in told
    assert "2024-03-05  11 " not in told
    assert "12 rows of customers" in told
    assert not (data / "landing").exists()
    assert not settings.is_saved(data)


@pytest.mark.slow
def test_a_check_says_what_the_calendar_the_currency_and_the_rules_would_say(ecom: Ecom, data: Path) -> None:
    columns = {"order_id": "number", "ordered_at": "at", "updated_at": "at", "status": "state", "channel": "state"}
    amounts = dict.fromkeys(("discount", "shipping", "tax"), '{ constant = "0" }')
    words = [f'{name} = "{sent}"' for name, sent in columns.items()] + [
        f"{name} = {one}" for name, one in amounts.items()
    ]
    source = MAP.partition("[feed")[0].replace("[source]", '[source]\ncurrency = "EUR"')
    (data / "mine.toml").write_text(source + "[feed.orders.columns]\n" + "\n".join(words))
    lines = "1,2024-02-28 10:00,paid\n2,2024-03-05 10:00,lost\n3,2024-03-05 10:00,lost\n"
    (data / "2024-03-05.csv").write_text(f"number,at,state\n{lines}")
    status = "placed, paid, shipped, delivered, cancelled"
    broken = f"2 rows of orders would be quarantined: broken: status is one of {status}; for example 2"

    new = ecom("land", "--check", "data/mine.toml", "data").stdout.splitlines()
    assert new[-2:] == ["The calendar would start on 2024-02-28; set start under [calendar] for another day.", broken]

    (data / settings.FILE).write_text('start = 2024-03-01\ncurrency = "EUR"\n')
    early = "ordered_at is before the calendar's first day, 2024-03-01"
    known = ecom("land", "--check", "data/mine.toml", "data").stdout.splitlines()
    assert known[-2:] == [broken, f"1 row of orders would be quarantined: {early}; for example 1"]

    (data / settings.FILE).write_text('start = 2024-03-01\ncurrency = "USD"\n')
    refused = ecom("land", "--check", "data/mine.toml", "data").stdout.splitlines()[-1]
    assert refused.startswith(
        "These files would not land: The map's amounts are in EUR, but the shop's currency is USD"
    )

    (data / settings.FILE).write_text("start = 2024-03-06\n")
    refused = ecom("land", "--check", "data/mine.toml", "data").stdout.splitlines()[-1]
    assert "2024-03-05 is not within the calendar, 2024-03-06 on, which" in refused
    assert not (data / "landing").exists()


def test_a_drafted_map_has_guesses_and_questions(ecom: Ecom, data: Path) -> None:
    (data / "items-2024-03-05.csv").write_text(
        "Order ID;Line Number;SKU;Qty;Unit Price;Discount;Ordered At;Colour\n1;1;A;2;9.50;0;2024-03-05;red\n"
    )
    (data / "customers.jsonl").write_text('{"customerId": 1, "updated_at": "2024-03-05", "city": "Oslo"}\n')

    drafted = ecom("map", "data").stdout

    assert 'delimiter = ";"' in drafted
    assert 'arrival_day = { file_name = "items-{day}.csv" }' in drafted
    assert "[feed.order_items] # question" in drafted
    assert 'product_id = "SKU"\n' in drafted
    assert "# updated_at = " in drafted
    assert "# not used: Colour" in drafted
    (data / "mine.toml").write_text(drafted.replace('# updated_at = "…"', 'updated_at = "Ordered At"'))
    told = ecom("land", "--check", "data/mine.toml", "data").stdout
    assert "1 rows of order_items" in told
    assert "1 rows of customers" in told


def test_a_draft_of_json_has_keys_and_arrays_and_names_a_map_that_ships(ecom: Ecom, data: Path) -> None:
    order = {
        "id": 1, "created_at": "2024-03-05", "updated_at": "2024-03-05", "total_price": "9", "total_tax": "1",
        "status": "paid", "channel": "web", "discount": "0", "shipping": "0", "financial_status": "paid",
        "customer": {"id": 7}, "line_items": [{"sku": "A", "quantity": 2, "price": "4.00", "discount": "0"}],
    }  # fmt: skip
    (data / "orders-2024-03-05.json").write_text(json.dumps({"orders": [order]}))

    drafted = ecom("map", "data").stdout

    assert "# These look like files that the map shopify reads, which ships: ecom land --check shopify data" in drafted
    assert '[feed.orders.columns]\norder_id = "id"\nordered_at = "created_at"\n' in drafted
    assert 'total = "total_price"\n' in drafted
    assert "# nested, so that it takes SQL to read them, such as x->>'key': customer, line_items\n" in drafted
    assert "from orders o, unnest(items(o.line_items)) with ordinality as t(item, n)\n" in drafted
    (data / "mine.toml").write_text(drafted)
    told = ecom("land", "--check", "data/mine.toml", "data").stdout
    assert "1 rows of orders\n" in told
    assert "1 rows of order_items\n" in told


def test_the_first_map_with_a_currency_sets_the_shops_and_a_map_in_another_is_refused(ecom: Ecom, data: Path) -> None:
    (data / settings.FILE).write_text("start = 2024-03-01\nstrict = true\n")
    (data / "2024-03-05.csv").write_text("number,at\n1,2024-03-05 10:00\n")
    for code in ("EUR", "USD"):
        (data / f"{code}.toml").write_text(MAP.replace("[source]", f'[source]\ncurrency = "{code}"'))

    assert ecom("land", str(data / "EUR.toml"), str(data)).exit_code == 0
    refused = error(ecom("land", str(data / "USD.toml"), str(data)))

    assert (settings.load().currency, settings.load().strict) == ("EUR", True)
    assert "The map's amounts are in USD, but the shop's currency is EUR" in refused
    assert "land the rates of USD first, in the feed exchange_rates" in refused
    checked = ecom("land", "--check", str(data / "USD.toml"), str(data)).stdout
    assert "would not land: The map's amounts are in USD, but the shop's currency is EUR" in checked
    assert [path.name for path in data.glob("landing/customers/*/*")] == ["EUR@2024-03-05.csv.parquet"]


def test_the_currency_of_most_orders_becomes_the_shops_and_others_wait_for_rates(ecom: Ecom, data: Path) -> None:
    numbers = {"order_id": "number", "ordered_at": "at", "updated_at": "at", "currency": "code"}
    constants = {"status": "paid", "channel": "web", "discount": "0", "shipping": "0", "tax": "0"}
    columns = [f'{ours} = "{theirs}"' for ours, theirs in numbers.items()]
    columns += [f'{ours} = {{ constant = "{value}" }}' for ours, value in constants.items()]
    (data / "sales.toml").write_text("\n".join([MAP.partition("[feed")[0], "[feed.orders.columns]", *columns]))
    lines = "".join(f"{n},2024-03-05 10:00,{code}\n" for n, code in enumerate(["usd", "USD", "EUR"]))
    (data / "2024-03-05.csv").write_text(f"number,at,code\n{lines}")

    checked = ecom("land", "--check", str(data / "sales.toml"), str(data)).stdout
    assert "1 row of orders would be quarantined: no rate of EUR is known" in checked
    told = ecom("land", str(data / "sales.toml"), str(data)).stdout
    assert "Amounts are published in USD" in told
    assert "No rate is known for 1 row of orders in EUR" in told
    assert settings.load().currency == "USD"
    assert "published in" not in ecom("land", str(data / "sales.toml"), str(data)).stdout


def test_shops_with_equal_numbers_land_by_one_map_with_a_store_each(ecom: Ecom, data: Path) -> None:
    (data / "map.toml").write_text(EVENTS_MAP)
    (data / "2024-03-05.csv").write_text("number,at\n1,2024-03-05 10:00\n")
    for store in ("de", "fr"):
        assert ecom("land", "--store", store, str(data / "map.toml"), str(data)).exit_code == 0

    landed = sorted(data.glob("landing/events/*/*"))
    assert [path.name for path in landed] == [f"map.{store}@2024-03-05.csv.parquet" for store in ("de", "fr")]
    assert [pl.read_parquet(path)["store"].item() for path in landed] == ["de", "fr"]
    assert "use letters" in error(ecom("land", "--store", "a/b", str(data / "map.toml"), str(data)))


def test_a_map_in_another_currency_lands_with_it_once_rates_have(ecom: Ecom, data: Path) -> None:
    (data / settings.FILE).write_text('start = 2024-03-01\ncurrency = "EUR"\n')
    (data / "2024-03-05.csv").write_text("number,at,spent,code\n1,2024-03-05 10:00,9,\n2,2024-03-05 10:00,8,SEK\n")
    columns = 'spend_on = "at"\ncampaign_id = "number"\nupdated_at = "at"\nspend = "spent"\ncurrency = "code"\n'
    constants = 'impressions = { constant = "1" }\nclicks = { constant = "1" }\n'
    source = MAP.partition("[feed")[0].replace("[source]", '[source]\ncurrency = "USD"')
    (data / "ads.toml").write_text(f"{source}[feed.ad_spend.columns]\n{columns}{constants}")
    landing = data / "landing" / "exchange_rates" / "2024-03-05"
    landing.mkdir(parents=True)
    (landing / "ecb.csv").write_text("currency,rate_on,rate\nUSD,2024-03-05,0.9\n")

    assert "USD" in ecom("land", "--check", str(data / "ads.toml"), str(data)).stdout
    assert ecom("land", str(data / "ads.toml"), str(data)).exit_code == 0
    [landed] = data.glob("landing/ad_spend/*/*")
    assert pl.read_parquet(landed)["currency"].to_list() == ["USD", "SEK"]

    statement = (
        "select s.number as event_id, s.at as occurred_at, 'Product Viewed' as event, s.spent as value, s.origin"
    )
    (data / "visits.toml").write_text(f'{source}[feed.events]\nsql = "{statement} from lines s"\n')
    assert "value is in USD, and amounts of events are not converted" in error(
        ecom("land", str(data / "visits.toml"), str(data))
    )


def test_days_that_are_not_over_are_not_proposed(ecom: Ecom, data: Path) -> None:
    today = dt.datetime.now(dt.UTC).date()
    (data / "mine.toml").write_text(MAP)
    for day in (today - ONE_DAY, today):
        (data / f"{day}.csv").write_text(f"number,at\n1,{day} 00:00\n")

    told = ecom("land", str(data / "mine.toml"), str(data)).output

    assert f"Next: ecom run {today - ONE_DAY}\n" in told
    assert f"Days after {today - ONE_DAY} can run once they are over." in told


def test_a_calendar_of_the_map_that_does_not_count_is_told(ecom: Ecom, data: Path) -> None:
    (data / settings.FILE).write_text("start = 2024-03-01\n")
    (data / "mine.toml").write_text(f"{MAP}\n[calendar]\nstart = 2024-02-01\n")
    (data / "2024-03-05.csv").write_text("number,at\n1,2024-03-05 10:00\n")

    assert "Ignoring the map's start 2024-02-01: " in ecom("land", str(data / "mine.toml"), str(data)).output


def test_an_export_of_which_nothing_lands_is_a_failure(ecom: Ecom, data: Path) -> None:
    (data / "mine.toml").write_text(MAP)
    (data / "2024-03-05.csv").write_text("number,at\n1\n")

    assert "No row has landed" in error(ecom("land", str(data / "mine.toml"), str(data)))


def test_an_export_without_lines_is_no_failure(ecom: Ecom, data: Path) -> None:
    (data / "mine.toml").write_text(MAP.replace('{ file_name = "{day}.csv" }', '{ column = "at" }'))
    (data / "2024-03-05.csv").write_text("number,at\n")

    landed = ecom("land", str(data / "mine.toml"), str(data))

    assert (landed.exit_code, "0 lines in 1 files" in landed.stdout) == (0, True)


def test_there_is_nothing_to_verify_before_the_first_run(ecom: Ecom, data: Path) -> None:
    assert "nothing has run" in error(ecom("verify"))


def test_a_map_that_ships_is_known_by_its_name(ecom: Ecom, tmp_path: Path) -> None:
    assert error(ecom("land", "online_retail", str(tmp_path))) == (
        f"Error: Nothing to land. No file in {tmp_path} matches **/*.csv.gz."
    )


def test_a_standing_calendar_is_not_replaced(ecom: Ecom, data: Path) -> None:
    (data / settings.FILE).write_text('start = 2024-06-01\nmemory_limit = "1GB"\n')
    (data / "mine.toml").write_text(MAP)
    (data / "2024-03-05.csv").write_text("number,at\n1,2024-03-05 10:00\n")

    refused = ecom("land", str(data / "mine.toml"), str(data))

    assert "2024-03-05 is not within the calendar, 2024-06-01 on, which" in error(refused)
    assert settings.load().memory_limit == "1GB"
    assert not (data / "landing").exists()
    assert "is not within the calendar" in error(ecom("shop", "2024-01-01"))


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["run"], "Give the days to run"),
        (["run", "2024-01-01", "--stale"], "Give the days to run"),
        (["run", "2024-01-32"], "“2024-01-32” is not a valid window. Write 2024-01-01 or 2024-01-01..2024-01-31."),
        (["run", "2024-01-02..2024-01-01"], "“2024-01-02..2024-01-01” is not a valid window."),
        (
            ["run", "2023-12-31"],
            "2023-12-31 is not within the days of the calendar that are over; those are 2024-01-01",
        ),
        (["run", "2024-01-01..9999-01-01"], "2024-01-01..9999-01-01 is not within the days of the calendar"),
        (
            ["run", "2024-01-01", "--select", "silver/no"],
            "“silver/no” selects no partitioned asset. Write it like silver/orders",
        ),
        (["run", "2024-01-01", "--select", "((("], "“(((” selects no partitioned asset."),
        (["run", "2024-01-01", "--select", "group:quality"], "“group:quality” selects no partitioned asset."),
        (["report"], "nothing has been published."),
        (["bad"], "nothing has been published."),
        (["quarantine"], "nothing has been published."),
        (["quarantine", "--rows", "3"], "Give the table whose rows to show"),
        (
            ["land", "no_such_map", "."],
            "There is no feed map no_such_map. These ship with the platform: amazon_settlement, cdnow,",
        ),
        (["land", "online_retail", "no_such_folder"], "'no_such_folder' does not exist."),
        (["demo", "--days", "1"], "1 is not in the range 2<=x<=3650."),
        (["demo", "--days", "900000"], "900000 is not in the range 2<=x<=3650."),
    ],
)
def test_wrong_words_are_answered_in_a_line(ecom: Ecom, words: list[str], complaint: str) -> None:
    assert complaint in error(ecom(*words))


@pytest.mark.parametrize(
    ("name", "text", "words", "complaint"),
    [
        (settings.FILE, "start = soon", ["stale"], f"{settings.FILE} cannot be read: "),
        ("landing/shop.toml", "seed = 1", ["shop", "2024-01-01"], "shop.toml cannot be used: 'start'"),
        ("landing/feeds.toml", "orders = 1", ["stale"], "feeds.toml: orders must be a table"),
        ("mine.toml", MAP.replace("files", "flies"), ["land", "data/mine.toml", "."], "line 2: "),
        ("mine.toml", "[source", ["land", "data/mine.toml", "."], "line 1: invalid TOML"),
        ("mine.toml", MAP, ["land", "data/mine.toml", "data"], "No file in data matches *.csv."),
        (
            "other.csv",
            "number,at\n",
            ["land", "data/map", "data"],
            "Skipped other.csv: no arrival day in its name.",
        ),
    ],
)
def test_a_mistake_in_a_file_is_told_in_a_line(
    ecom: Ecom, data: Path, name: str, text: str, words: list[str], complaint: str
) -> None:
    (data / "map").write_text(MAP)
    for feed in ("orders", "landing"):
        (data / "landing" / feed / "2024-01-01").mkdir(parents=True)
    (data / name).write_text(text)

    assert complaint in error(ecom(*words))


@pytest.mark.parametrize(
    ("sql", "words", "complaint"),
    [
        (b"", [], "question.sql returns no rows"),
        (b"set threads = 1", [], "question.sql returns no rows"),
        (b"select '\xff'", [], "question.sql is not text in UTF-8"),
        (b"select 1 +", [], "syntax error"),
        (
            b"from silver.orders",
            [],
            "The snapshot holds gold, kpi, features, predictions, quarantine and ledger; see --warehouse.",
        ),
        (b"select 1", ["--warehouse"], "does not exist yet: nothing has run"),
        (b"select 1", ["--today"], "does not exist yet: ecom today makes it."),
    ],
)
def test_a_question_that_cannot_be_answered_is_told_so(
    ecom: Ecom, data: Path, sql: bytes, words: list[str], complaint: str
) -> None:
    duckdb.connect(data / "snapshot.duckdb").close()
    (data / "question.sql").write_bytes(sql)

    refused = ecom("query", str(data / "question.sql"), *words)

    assert refused.exit_code == 1
    assert complaint in refused.stderr


def test_a_home_of_dagsters_that_is_not_there_is_told(ecom: Ecom, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(data / "nowhere"))

    assert f"DAGSTER_HOME is {data / 'nowhere'}, which is not a folder" in error(ecom("run", "2024-01-01"))


def test_a_dagster_yaml_of_an_earlier_version_is_named(data: Path, ecom: Ecom) -> None:
    copied = data.parent / "dagster.yaml"
    copied.write_text(copied.read_text().replace("ecom_assets.orchestration._dagster", "ecom_assets.gone"))

    assert f"{copied} was copied from another version of this project" in error(ecom("run", "2024-01-01"))


@pytest.mark.parametrize("words", [["2024-01-01"], ["--stale"]])
def test_a_run_before_anything_has_landed_says_what_to_do(ecom: Ecom, data: Path, words: list[str]) -> None:
    result = ecom("run", *words)

    assert result.exit_code == 1
    assert f"Nothing has landed in {data / 'landing'}. Use ecom land" in result.output


def test_days_before_the_shop_opened_are_refused(ecom: Ecom, tiny_shop: Shop) -> None:
    assert error(ecom("shop", "2023-12-31")) == "Error: The shop opened on 2024-01-01; it has no files of days before."


@pytest.mark.slow
def test_the_shop_of_exact_counts_opens_where_none_stands_and_no_other_beside_it(ecom: Ecom, data: Path) -> None:
    assert ecom("shop", "2024-01-01", "--preset", "seed003").exit_code == 0
    assert 'preset = "seed003"' in (data / "landing" / "shop.toml").read_text()

    assert "set ECOM_DATA to another folder" in error(ecom("shop", "2024-01-02", "--preset", "demo"))


@pytest.mark.slow
def test_a_folder_that_nobody_reads_is_told_of(ecom: Ecom, data: Path) -> None:
    (data / "landing" / "order" / "2024-01-02").mkdir(parents=True)

    assert "landing/order is not read: " in ecom("stale").stderr


@pytest.mark.slow
def test_landed_days_that_the_calendar_lacks_are_told_of(ecom: Ecom, data: Path) -> None:
    for day in ("2023-11-30", "2023-12-01", "2024-01-02"):
        (data / "landing" / "orders" / day).mkdir(parents=True)

    told = ecom("stale").stderr

    assert f"Folders of such days: 2, the first is {data / 'landing' / 'orders' / '2023-11-30'}." in told


@pytest.mark.slow
def test_a_step_that_breaks_is_told_in_a_line(
    ecom: Ecom, tiny_shop: Shop, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ecom("shop", "2024-01-01")
    (data / "landing" / "feeds.toml").write_text("orders = 1")

    said = error(ecom("run", "2024-01-01", "--select", "bronze/orders"))

    assert said.startswith(f"Error: bronze.orders stopped: {data}/landing/feeds.toml: orders must be a table")
    assert "The traceback is in the log of run " in said


@pytest.mark.slow
def test_a_table_whose_code_cannot_run_is_told_in_a_line_and_the_others_run(
    ecom: Ecom, tiny_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def misspelt(gold_fact_sessions: nw.LazyFrame) -> nw.LazyFrame:
        return gold_fact_sessions.select("chanel")

    tables = publishable("kpi.daily_funnel", "kpi.daily_carts")
    broken = [replace(one, transform=misspelt) if one.name == "kpi.daily_funnel" else one for one in tables]
    ecom("shop", "2024-01-01")
    monkeypatch.setattr(catalog, "tables", lambda: Catalog(broken))

    for words in (["run", "2024-01-01"], ["run", "--stale"]):
        said = error(ecom(*words))
        assert said.startswith(f"Error: kpi.daily_funnel cannot run: {__file__}, line ")
        assert 'Referenced column "chanel" not found' in said
        assert "All else is published. Correct the code" in said
    assert "kpi.daily_funnel                 2024-01-01: its code cannot run" in ecom("stale").output
    assert "1 table-days are stale" in ecom("stale").output


@pytest.mark.slow
def test_what_could_not_be_published_is_told_and_published_by_the_next_repair(
    ecom: Ecom, tiny_shop: Shop, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = publishable("gold.dim_date", "silver.orders")
    monkeypatch.setattr(catalog, "tables", lambda: few)
    ecom("shop", "2024-01-01")
    obstacle = data / ".snapshot.duckdb.link"
    obstacle.mkdir()

    said = error(ecom("run", "2024-01-01", "--select", "gold/dim_date"))

    assert "The run's rows are stored but not published" in said
    assert error(ecom("bad")).startswith(f"Error: {data / 'snapshot.duckdb'} does not exist yet")

    obstacle.rmdir()
    assert ecom("run", "--stale").exit_code == 0
    assert ecom("bad").output == "Every day has good rows.\n"


def test_a_warehouse_that_is_none_is_told_with_what_to_do(ecom: Ecom, data: Path) -> None:
    (data / "warehouse.duckdb").write_bytes(b"no database" * 1000)

    assert "Move the file away; ecom run --stale rebuilds it" in error(ecom("stale"))


def test_the_dictionary_is_written_to_the_data_folder_of_the_project(
    ecom: Ecom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "PROJECT", tmp_path)

    assert "Wrote data/README.md.\n" in ecom("dictionary").stdout
    assert "silver.orders" in (tmp_path / "data" / "README.md").read_text()


@pytest.mark.slow
def test_a_run_is_where_those_of_the_ui_are_and_ends_those_whose_process_is_gone(ecom: Ecom, tiny_shop: Shop) -> None:
    ecom("shop", "2024-01-01")
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    with in_dagster_home() as instance:
        lost = create_run_for_test(instance, status=dg.DagsterRunStatus.STARTED, tags={PROCESS_TAG: str(gone.pid)})

        ecom("run", "2024-01-01", "--select", "bronze/orders")

        label = f"__repository__@{LOCATION}"
        assert instance.get_run_by_id(lost.run_id).status is dg.DagsterRunStatus.FAILURE  # type: ignore[union-attr]
        [ran] = instance.get_runs(dg.RunsFilter(job_name="pipeline", tags={".dagster/repository": label}))
    assert ran.tags["ecom/reason"] == "ecom run 2024-01-01 --select bronze/orders"


@pytest.mark.long
def test_a_run_that_was_killed_is_repaired_by_what_is_stale(process: Process, ecom: Ecom, tiny_shop: Shop) -> None:
    ecom("shop", str(DAYS))
    killed = process("ecom", "run", str(DAYS))
    assert killed.stderr
    for line in killed.stderr:
        if line.startswith("silver"):
            killed.send_signal(signal.SIGKILL)
            break
    killed.communicate(timeout=MAX_SECONDS)
    assert killed.returncode == -signal.SIGKILL

    assert ecom("run", "--stale").stdout == "Nothing is stale.\n"

    with in_dagster_home() as instance:
        assert not instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    verified = ecom("verify")
    assert verified.exit_code == 0, verified.stderr


@pytest.mark.long
def test_ctrl_c_ends_a_run_between_two_tables_and_what_is_stale_goes_on(
    process: Process, ecom: Ecom, tiny_shop: Shop, data: Path
) -> None:
    ecom("shop", str(DAYS))
    ended = process("ecom", "run", str(DAYS))
    assert ended.stderr
    said = []
    for line in ended.stderr:
        said.append(line)
        if line.startswith("silver.customers "):
            ended.send_signal(signal.SIGINT)
        elif line.startswith("Ending as soon as"):
            break
    said += ended.communicate(timeout=MAX_SECONDS)[1].splitlines()

    assert ended.returncode == 130, said
    assert re.fullmatch(
        r"Ended: \d+ of \d+ steps are done and published; ecom run --stale goes on from there\.", said[-1].strip()
    )
    before = table_days()
    assert ("silver.customers", str(DAYS.last)) in before
    assert ("kpi.daily_sales", str(DAYS.last)) not in before

    assert ecom("run", "--stale").stdout == "Nothing is stale.\n"

    assert before.items() <= table_days().items()
    verified = ecom("verify")
    assert verified.exit_code == 0, verified.stderr


@pytest.mark.slow
def test_a_second_ctrl_c_ends_a_run_at_once(process: Process, ecom: Ecom, tiny_shop: Shop) -> None:
    ecom("shop", str(DAYS.first))
    with open_session(settings.load(), catalog.tables()):  # the run waits for it, within a step
        ended = process("ecom", "run", str(DAYS.first))
        assert ended.stderr
        for line in ended.stderr:
            if line.startswith(("Waiting for another run", "Ending as soon as")):
                ended.send_signal(signal.SIGINT)
        ended.communicate(timeout=MAX_SECONDS)

    assert ended.returncode == 130
    assert not table_days()


@pytest.mark.long
def test_runs_at_once_wait_for_each_other(process: Process, ecom: Ecom, tiny_shop: Shop) -> None:
    ecom("shop", str(DAYS))
    both = [process("ecom", "run", str(DAYS), "--select", "group:bronze") for _ in range(2)]

    for one in both:
        done(one)

    assert len(table_days()) == 2 * len([table for table in catalog.tables() if table.is_bronze])


@pytest.mark.long
def test_every_way_to_run_leaves_the_same_tables(
    process: Process, ecom: Ecom, tiny_shop: Shop, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ecom("shop", str(DAYS))
    chosen = "+silver/customers"
    days = f"{DAYS.first}...{DAYS.last}"
    ways = {
        "ecom": ["ecom", "run", str(DAYS), "--select", chosen],
        "dagster": ["dagster", "asset", "materialize", "--select", chosen, "--partition-range", days],
        "dg": ["dg", "launch", "--assets", chosen, "--partition-range", days],
    }
    found = {}
    for name, words in ways.items():
        shutil.copytree(data, data.with_name(f"data-{name}"))
        monkeypatch.setenv("ECOM_DATA", str(data.with_name(f"data-{name}")))
        done(process(*words, *(["-m", "ecom_assets.definitions"] if name != "ecom" else [])))
        found[name] = table_days()

    assert found["ecom"]
    assert found["dagster"] == found["dg"] == found["ecom"]


@pytest.mark.long
def test_the_demo_shows_the_first_page_and_answers_each_question(process: Process, ecom: Ecom, data: Path) -> None:
    demo = process("ecom", "demo")

    out, err = demo.communicate(timeout=MAX_SECONDS)

    assert "Net sales" in out
    assert "make ui" in out
    assert "Warning" not in err
    assert "Traceback" not in err
    with in_dagster_home() as instance:
        assert instance.get_latest_materialization_event(QUALITY)
    for question in sorted((settings.PROJECT / "analyses").rglob("*.sql")):
        in_warehouse = ["--warehouse"] if "-- Reads: the warehouse" in question.read_text() else []
        answer = ecom("query", str(question), *in_warehouse)
        assert answer.exit_code == 0, f"{question.stem}: {answer.output}"
        assert question.parent.name == "monitoring" or " 0 rows" not in answer.output, question.stem
