"""Lists to act on, from the predictions of the last cut-off day in the snapshot."""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from ecom_assets.errors import UserError
from ecom_assets.sql import literal


class NothingPredicted(UserError):
    """The snapshot has no predictions."""


@dataclass(frozen=True)
class ActionList:
    """A list to act on: what it is, and SQL for its rows in order, the most pressing first."""

    title: str
    query: str


LISTS: Mapping[str, ActionList] = {
    "risk": ActionList(
        "Customers who are overdue, by the value expected of them",
        """
        SELECT customer_id, -days_until_overdue AS days_overdue, round(chance_of_order_90d, 3) AS chance_of_order_90d,
               round(expected_value_365d, 2) AS expected_value_365d, model
        FROM predictions.customers_at_risk ORDER BY expected_value_365d DESC, customer_id""",
    ),
    "reorder": ActionList(
        "Products to reorder, by the risk of running out",
        """
        SELECT product_id, supplier_id, on_hand, round(reorder_point, 1) AS reorder_point, suggested_units,
               round(stockout_risk, 3) AS stockout_risk, round(lead_days, 1) AS lead_days
        FROM predictions.products_to_reorder ORDER BY stockout_risk DESC, suggested_units DESC, product_id""",
    ),
    "offers": ActionList(
        "What to offer: new products for the customers worth most",
        """
        SELECT o.customer_id, string_agg(o.product_id, ', ' ORDER BY o.rank) AS products, any_value(o.model) AS model
        FROM predictions.offers o LEFT JOIN predictions.customer_value v USING (cut_off, customer_id)
        WHERE o.list = 'new' AND o.rank <= 5
        GROUP BY o.customer_id ORDER BY max(v.expected_value_365d) DESC NULLS LAST, o.customer_id""",
    ),
    "review": ActionList(
        "Orders to review, the most likely frauds of the last day first",
        """
        SELECT order_id, ordered_on, amount, round(chance, 4) AS chance, reasons, model
        FROM predictions.orders_to_review ORDER BY rank""",
    ),
    "budget": ActionList(
        "How to divide the advertising budget: amounts of a usual day",
        """
        SELECT channel, round(spend, 2) AS spend, round(proposed_spend, 2) AS proposed_spend,
               round(proposed_marginal_return, 3) AS marginal_return, kept_because, round(gain, 2) AS gain_of_all,
               round(gain_low, 2) AS gain_low, round(gain_high, 2) AS gain_high
        FROM predictions.budget_proposals
        WHERE period_end = (SELECT max(period_end) FROM predictions.budget_proposals) ORDER BY channel""",
    ),
    "models": ActionList(
        "Models as last fitted: which one is the champion, and its score on the last period held out",
        """
        SELECT subject, model, role, champion_since, measure, round(score, 4) AS score, cut_off AS fitted_on
        FROM predictions.registry
        QUALIFY cut_off = max(cut_off) OVER (PARTITION BY subject) ORDER BY subject, role, score, model""",
    ),
}


def rows_of(con: duckdb.DuckDBPyConnection, name: str, most: int) -> duckdb.DuckDBPyRelation:
    """Returns the first rows of a list. Raises NothingPredicted if the snapshot has no predictions."""
    known = con.execute(
        f"select 1 from information_schema.tables where table_schema = {literal('predictions')} limit 1"
    ).fetchall()
    if not known:
        raise NothingPredicted("Nothing is predicted yet: run the days up to a Sunday.")
    return con.sql(f"{LISTS[name].query} LIMIT {most}")
