"""The same tables as a dbt and as a SQLMesh project: one text of SQL each, in the materialization of either."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.peers.records import END, FEEDS, IF_INCREMENTAL, LOOKBACK, judged, landed

QUERIES = Path(__file__).parent / "queries"


@dataclass(frozen=True)
class Model:
    """A table: what is unique, what holds for each row, and by which days it is made again; None if always whole."""

    key: tuple[str, ...]
    rules: tuple[str, ...] = ()
    by_day: str | None = None


MARTS = {
    "gold.dim_customer_versions": Model(("customer_key",)),
    "gold.dim_product_versions": Model(("product_key",), ("price >= 0",)),
    "gold.fact_sales": Model(
        ("order_id", "line_number"),
        (
            "gross_sales = quantity * unit_price",
            "discounts = line_discount + order_discount",
            "net_amount = gross_sales - discounts",
            "least(quantity, unit_price, gross_sales, line_discount, order_discount, shipping, tax) >= 0",
        ),
        "ordered_on",
    ),
    "gold.fact_returns": Model(("return_id",), ("least(quantity, amount, shipping, tax) >= 0",), "returned_on"),
    "gold.agg_daily_sales": Model(
        ("day", "channel"), ("net_sales = gross_sales - discounts - returns", "cancelled_orders <= orders")
    ),
    "gold.agg_customer_days": Model(("day", "customer_id")),
    "gold.agg_customer_metrics": Model(
        ("day", "customer_id"), ("previous_order_on is null or previous_order_on < day", "orders_to_date >= orders")
    ),
    "kpi.daily_sales": Model(
        ("day", "channel"), ("total_sales = net_sales + shipping + tax - refunded_shipping - refunded_tax",)
    ),
    "kpi.daily_customers": Model(
        ("day",), ("orders = new_orders + returning_orders + guest_orders", "buyers = new_orders + returning_buyers")
    ),
    "kpi.customer_rfm": Model(
        ("snapshot_on", "customer_id"),
        ("least(recency_score, frequency_score, monetary_score) >= 1", "segment is not null"),
    ),
}
SILVER = {f"silver.{feed}": Model(declared.key) for feed, declared in FEEDS.items()}
QUARANTINE = {f"quarantine.{feed}": Model(("arrived_on", "source_file", "record")) for feed in FEEDS}
COMPARED: Mapping[str, Model] = {**SILVER, **QUARANTINE, **MARTS}
"""The tables that are compared, in all stacks."""

_KEPT = """
select day from (
    select ordered_on as day, quantity * unit_price - discount as amount from silver.order_items where :days_of_sales
    union all
    select ordered_on, -o.discount from silver.orders as o
    where :days_of_sales and order_id in (select i.order_id from silver.order_items as i)
    union all
    select ordered_on, -net_amount from gold.fact_sales
) group by day having sum(amount) <> 0"""
"""Days on which the sales are not those of silver. Only a warning: facts that look back lack what comes later."""
_SUMMED = """
select day from (
    select day, net_sales as amount from kpi.daily_sales
    union all
    select ordered_on, -net_amount from gold.fact_sales where is_valid
    union all
    select returned_on, amount from gold.fact_returns
) group by day having sum(amount) <> 0"""
"""Days on which the net sales are not those of the facts."""
_AUDITS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "gold.fact_sales": ((), "sales_are_kept"),
    "kpi.daily_sales": (("depends_on (gold.fact_sales, gold.fact_returns)",), "sales_are_summed"),
}
_TOUCHED = {
    "days_of_sales": ("ordered_on", ("orders", "order_items")),
    "days_of_returns": ("returned_on", ("returns",)),
}


def _query(table: str) -> str:
    sql = (QUERIES / f"{table.partition('.')[2]}.sql").read_text()
    return re.sub(r"\{score\((\w+)\)\}", lambda found: _score(found[1]), sql)


def _score(place: str) -> str:
    """Returns SQL for the quintile of twice a place among `n`, as NTILE(5) forms them; near 3 if there are few."""
    few = f"3 + case when {place} > n - 1 then ({place} - n + 1) // 2 else -((n - 1 - {place}) // 2) end"
    larger = "(n % 5) * (n // 5 + 1)"
    in_larger = f"{place} // 2 // (n // 5 + 1) + 1"
    after = f"n % 5 + ({place} // 2 - {larger}) // (n // 5) + 1"
    return f"cast(case when n < 5 then {few} when {place} // 2 < {larger} then {in_larger} else {after} end as bigint)"


def write_dbt(project: Path, database: Path, landing: Path, start: str) -> None:
    """Writes a dbt project for dbt-duckdb.

    Facts look back from their latest day; with the variable `touched` they are made again for the days of which
    something arrived. A full refresh leaves bronze and the records as they are.
    """
    write = _writer(project)
    profile = {"type": "duckdb", "path": str(database), "threads": 2, "settings": {"TimeZone": "UTC"}}
    write("profiles.yml", json.dumps({"peers": {"target": "peers", "outputs": {"peers": profile}}}))
    settings = {
        "name": "peers",
        "profile": "peers",
        "flags": {"send_anonymous_usage_stats": False},
        "vars": {"touched": False},
        "models": {"+materialized": "table"},
    }
    write("dbt_project.yml", json.dumps(settings))
    write(
        "macros/peers.sql",
        "{% macro generate_schema_name(name, node) %}{{ name }}{% endmacro %}\n"
        "{% macro since() %}{{ return(run_query('select max(arrived_on) - "
        f"{LOOKBACK} from ' ~ this).columns[0].values()[0] if execute) }}}}{{% endmacro %}}\n"
        "{% test unique_key(model, columns) %}"
        "select {{ columns }} from {{ model }} group by all having count(*) > 1{% endtest %}\n"
        "{% test holds(model, rules) %}"
        "select 1 from {{ model }} where not coalesce({{ rules }}, false){% endtest %}\n"
        "{% test few_bad(model, most) %}select 1 from {{ model }} "
        "having count(*) filter (where outcome = 'quarantined') > {{ most }} * count(*){% endtest %}\n",
    )
    # Of the landed files only the new ones are opened if the day is a literal.
    new = ":arrived >= date '{{ since() }}'"
    arrived = f":arrived >= (select max(arrived_on) - {LOOKBACK} from {{{{ this }}}})"
    upsert: dict[str, Any] = {
        "materialized": "incremental",
        "incremental_strategy": "delete+insert",
        "full_refresh": False,
    }
    checks = []

    def model(table: str, sql: str, promised: Model | None = None, **config: Any) -> None:
        schema, _, name = table.partition(".")
        named = ", ".join(f"{key}={value!r}" for key, value in {"schema": schema, "alias": name, **config}.items())
        sql = sql.replace(IF_INCREMENTAL, "{% if is_incremental() %}").replace(END, "{% endif %}")
        write(f"models/{schema}_{name}.sql", f"{{{{ config({named}) }}}}\n{_with_refs(sql)}\n")
        tests: list[object] = []
        if promised:
            tests.append({"unique_key": {"arguments": {"columns": ", ".join(promised.key)}}})
            if promised.rules:
                tests.append({"holds": {"arguments": {"rules": " and ".join(promised.rules)}}})
        if schema == "records":
            tests.append({"few_bad": {"arguments": {"most": FEEDS[name].max_bad_share}}})
        checks.append({"name": f"{schema}_{name}", "data_tests": tests})

    for feed in FEEDS:
        model(f"bronze.{feed}", landed(feed, str(landing), new), unique_key="arrived_on", **upsert)
        record = ["arrived_on", "source_file", "record"]
        model(f"records.{feed}", judged(feed, start, arrived), unique_key=record, **upsert)
        for schema, outcome in (("silver", "accepted"), ("quarantine", "quarantined")):
            view = f"select * exclude (outcome, problems, unknown) from records.{feed} where outcome = '{outcome}'"
            model(f"{schema}.{feed}", view, SILVER.get(f"{schema}.{feed}"), materialized="view")
    for table, declared in MARTS.items():
        sql = _query(table)
        for token, (day, feeds) in _TOUCHED.items():
            touched = " union all ".join(
                f"select {day} from silver.{feed} "
                f"where arrived_on >= (select max(arrived_on) - {LOOKBACK} from silver.{feed})"
                for feed in feeds
            )
            latest = f"{day} >= (select max({day}) - {LOOKBACK} from {{{{ this }}}})"
            again = f"{{% if var('touched') %}}{day} in ({touched}){{% else %}}{latest}{{% endif %}}"
            sql = sql.replace(f"where :{token}", f"{IF_INCREMENTAL} where {again} {END}")
        config = {}
        if declared.by_day:
            config = {k: v for k, v in upsert.items() if k != "full_refresh"} | {"unique_key": declared.by_day}
        model(table, sql, declared, **config)
    write("models/checks.yml", json.dumps({"models": checks}, indent=1))
    write(
        "tests/sales_are_kept.sql",
        f"{{{{ config(severity='warn') }}}}{_with_refs(_KEPT.replace(':days_of_sales', 'true'))}",
    )
    write("tests/sales_are_summed.sql", _with_refs(_SUMMED))


def _with_refs(sql: str) -> str:
    return re.sub(r"\b(bronze|records|silver|gold|kpi)\.(\w+)", r"{{ ref('\1_\2') }}", sql)


def write_sqlmesh(project: Path, database: Path, landing: Path, start: str) -> None:
    """Writes a SQLMesh project: by time range what has days, by key the records, the rest whole."""
    write = _writer(project)
    connection = {
        "type": "duckdb",
        "database": str(database),
        "concurrent_tasks": 2,
        "connector_config": {"TimeZone": "UTC"},
    }
    config = {
        "gateways": {"peers": {"connection": connection}},
        "default_gateway": "peers",
        "model_defaults": {"dialect": "duckdb", "start": start, "cron": "@daily"},
        "disable_anonymized_analytics": True,
    }
    write("config.yaml", json.dumps(config))
    write(
        "audits/peers.sql",
        "AUDIT (name few_bad);\nselect 1 from @this_model "
        "having count(*) filter (where outcome = 'quarantined') > @most * count(*);\n"
        f"AUDIT (name sales_are_kept, blocking false);\n{_with_this(_in_range(_KEPT), 'gold.fact_sales')};\n"
        f"AUDIT (name sales_are_summed);\n{_with_this(_SUMMED, 'kpi.daily_sales')};\n",
    )
    new = ":arrived between @start_date and @end_date"

    def model(table: str, kind: str, sql: str, promised: Model | None = None, *more: str, audits: str = "") -> None:
        heads = [f"name {table}", f"kind {kind}", *more]
        made = [f"unique_combination_of_columns(columns := ({', '.join(promised.key)}))"] if promised else []
        if promised and promised.rules:
            made.append(f"forall(criteria := ({', '.join(promised.rules)},))")
        if made or audits:
            heads.append(f"audits ({', '.join([*made, *([audits] if audits else [])])})")
        sql = sql.replace(IF_INCREMENTAL, "").replace(END, "")
        separator = ",\n  "
        write(f"models/{table.replace('.', '_')}.sql", f"MODEL (\n  {separator.join(heads)}\n);\n{sql}\n")

    for feed, declared in FEEDS.items():
        texts = ", ".join(f"{column} TEXT" for column in declared.types)
        columns = f"columns ({texts}, arrived_on DATE, source_file TEXT, record BIGINT)"
        by_arrival = f"INCREMENTAL_BY_TIME_RANGE (time_column arrived_on, lookback {LOOKBACK})"
        model(f"bronze.{feed}", by_arrival, landed(feed, str(landing), new), None, columns, "optimize_query false")
        by_record = f"INCREMENTAL_BY_UNIQUE_KEY (unique_key (arrived_on, source_file, record), lookback {LOOKBACK})"
        few = f"few_bad(most := {declared.max_bad_share})"
        model(f"records.{feed}", by_record, judged(feed, start, new), audits=few)
        for schema, outcome in (("silver", "accepted"), ("quarantine", "quarantined")):
            view = f"select * exclude (outcome, problems, unknown) from records.{feed} where outcome = '{outcome}'"
            model(f"{schema}.{feed}", "VIEW", view, SILVER.get(f"{schema}.{feed}"))
    for table, promised in MARTS.items():
        kind = "FULL"
        if promised.by_day:
            kind = f"INCREMENTAL_BY_TIME_RANGE (time_column {promised.by_day}, lookback {LOOKBACK})"
        more, audits = _AUDITS.get(table, ((), ""))
        model(table, kind, _in_range(_query(table)), promised, *more, audits=audits)


def _in_range(sql: str) -> str:
    for token, (day, _) in _TOUCHED.items():
        sql = sql.replace(f":{token}", f"{day} between @start_date and @end_date")
    return sql


def _with_this(sql: str, table: str) -> str:
    return sql.replace(table, "@this_model")


def _writer(project: Path) -> Callable[[str, str], None]:
    def write(name: str, text: str) -> None:
        file = project / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    return write
