import datetime as dt

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from ecom_assets.days import Window, history
from ecom_assets.gold.dim_customer_versions import VIEW, DimCustomerVersions, transform
from ecom_assets.gold.fact_customer_merges import FactCustomerMerges
from ecom_assets.silver.customers import Customers
from ecom_assets_tests.samples import collected, days, rows, run, run_window, sample


def profile(changed_at, **facts):
    return {"changed_at": changed_at, "changed_on": changed_at[:10], **facts}


def test_a_change_that_changes_nothing_makes_no_version():
    customers = sample(
        Customers,
        profile("2024-01-01 10:00", city="Bern"),
        profile("2024-01-02 10:00", city="Bern"),
        profile("2024-01-03 10:00", city="Basel"),
        profile("2024-01-04 10:00", city=None),
        profile("2024-01-05 10:00", city=None),
    )

    versions = run(transform, customers, days("2024-01-01", "2024-01-05"))

    assert rows(versions, "effective_on", "city") == [
        (dt.date(2024, 1, 1), "Bern"),
        (dt.date(2024, 1, 3), "Basel"),
        (dt.date(2024, 1, 4), None),
    ]


def test_a_version_is_named_by_customer_and_start():
    customers = sample(Customers, profile("2024-01-05 10:11:12", customer_id="C00012"))

    versions = run(transform, customers, days("2024-01-05"))

    assert rows(versions, "customer_key") == ["C00012@2024-01-05T10:11:12.000000"]


def test_the_view_ends_each_version_where_the_next_begins():
    versions = collected(
        sample(
            DimCustomerVersions,
            {"customer_key": "1", "effective_from": "2024-01-01 10:00"},
            {"customer_key": "2", "effective_from": "2024-01-03 10:00"},
        )
    )
    con = duckdb.connect()
    con.execute("create schema gold")
    con.register("given", versions)
    con.execute("create table gold.dim_customer_versions as from given")
    for table in ("fact_sales", "fact_returns", "fact_reviews"):
        con.execute(f"create table gold.{table} as select * from (values ('a'), ('named'), (null)) t (customer_id)")
    con.register("merges", collected(sample(FactCustomerMerges, {"customer_id": "a", "merged_into": "named"})))
    con.execute("create table gold.fact_customer_merges as from merges")

    seen = con.sql(
        "select version_number, effective_to::varchar, is_current, is_inferred, customer_id, merged_into "
        f"from ({VIEW[1]}) order by is_inferred, 1"
    ).fetchall()

    assert seen == [
        (1, "2024-01-03 10:00:00", False, False, "a", "named"),
        (2, None, True, False, "a", "named"),
        (1, None, True, True, "named", None),
    ]


changes = st.lists(
    st.tuples(st.sampled_from("AB"), st.integers(0, 96), st.sampled_from([None, "Bern", "Basel"])),
    max_size=20,
    unique_by=lambda change: change[:2],
)


@settings(max_examples=10)
@given(changes)
def test_days_run_alone_or_together_make_the_same_versions(changes):
    midnight = dt.datetime.fromisoformat("2024-01-01")
    moments = [(customer, midnight + dt.timedelta(hours=hour), city) for customer, hour, city in changes]
    customers = sample(
        Customers, *({"customer_id": c, "changed_at": at, "changed_on": at.date(), "city": x} for c, at, x in moments)
    )
    all_days = Window(dt.date(2024, 1, 1), dt.date(2024, 1, 5))

    def stored(window):
        inputs = {"silver_customers": (customers, "changed_on"), "days": (days(window.first, window.last), "day")}
        return run_window(transform, window, inputs, {"silver_customers": history}, "effective_on").sort("customer_key")

    together = stored(all_days)
    for day in all_days:
        assert_frame_equal(stored(Window(day, day)), together.filter(together["effective_on"] == day))
