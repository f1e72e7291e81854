"""Customers by the month of their first order: retention and net sales to date."""

import narwhals as nw

from ecom_assets.contract import Date, Decimal, Table, column, contract, key, money, rule
from ecom_assets.days import history
from ecom_assets.expressions import measures
from ecom_assets.expressions.dates import is_month_end, month_of, months_between
from ecom_assets.expressions.money import no_amount, ratio, total, total_count
from ecom_assets.table_asset import table_asset


class MonthlyCohorts(Table, primary_key=("month_end", "cohort"), partition_column="month_end"):
    """One row per month and cohort: the customers whose first valid order falls into the cohort's month.

    Written when the month is over, for all cohorts up to that month.
    """

    month_end: Date = key("Last day of the month")
    cohort: Date = key("First day of the month of the first order")
    customers: int = column("Customers of the cohort", ge=0)
    active_customers: int = column("Customers of the cohort with a valid order in the month", ge=0)
    retention_rate: float = column("Active customers per customer", ge=0, le=1)
    month_offset: int = column("Months since that of the first order", ge=0)
    net_sales: Decimal = money("Net sales to the cohort in the month, as far as the returns of its days are known")
    net_sales_to_date: Decimal = money("The same up to the end of the month")
    net_sales_per_customer: float = column("Lifetime value so far: net sales to date per customer of the cohort")

    @rule
    def active_within_customers(cls) -> nw.Expr:
        """No more customers are active than belong to the cohort."""
        return nw.col("active_customers") <= nw.col("customers")

    @rule
    def all_active_at_first(cls) -> nw.Expr:
        """All customers are active in the month of their first order."""
        return (nw.col("month_offset") > 0) | (nw.col("active_customers") == nw.col("customers"))


def transform(gold_agg_customer_metrics: nw.LazyFrame, days: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    month_ends = days.filter(is_month_end(c("day"))).select(month_end="day")
    in_month = month_of(c("day")) == month_of(c("month_end"))
    customers = (
        gold_agg_customer_metrics.with_columns(net_sales=nw.coalesce(c("net_sales"), measures.revenue()))
        .join(month_ends, how="cross")
        .filter(c("day") <= c("month_end"))
        .select(
            "month_end",
            "customer_id",
            "first_order_on",
            "net_sales",
            orders=nw.when(in_month).then(c("orders")).otherwise(nw.lit(0, nw.Int64)),
            net_sales_in_month=nw.when(in_month).then(c("net_sales")).otherwise(no_amount()),
        )
        .group_by("month_end", "customer_id")
        .agg(
            c("first_order_on").min(),
            total_count("orders"),
            total("net_sales_in_month"),
            total("net_sales"),
        )
        .filter(~c("first_order_on").is_null())
    )
    return (
        customers.select(
            "month_end",
            cohort=month_of(c("first_order_on")),
            customers=nw.lit(1, nw.Int64),
            active_customers=(c("orders") > 0).cast(nw.Int64),
            net_sales="net_sales_in_month",
            net_sales_to_date="net_sales",
        )
        .group_by("month_end", "cohort")
        .agg(
            *map(total_count, ["customers", "active_customers"]),
            *map(total, ["net_sales", "net_sales_to_date"]),
        )
        .with_columns(
            month_offset=months_between(c("cohort"), c("month_end")),
            retention_rate=ratio("active_customers", "customers"),
            net_sales_per_customer=ratio("net_sales_to_date", "customers"),
        )
        .select(*contract(MonthlyCohorts).columns)
    )


asset = table_asset(MonthlyCohorts, transform, reads={"gold_agg_customer_metrics": history})
