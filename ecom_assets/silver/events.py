"""Events, cleaned: what visitors do in the shop."""

import narwhals as nw

from ecom_assets.contract import Date, column, expectation, own_columns
from ecom_assets.days import by_event_day
from ecom_assets.expressions.channels import CHANNELS
from ecom_assets.expressions.robots import is_robot
from ecom_assets.feeds import events as feed
from ecom_assets.table_asset import table_asset


class Events(feed.Events, partition_column="occurred_on"):
    """One row per event of a visitor; device, source, medium and campaign are in lower case."""

    occurred_on: Date = column("Business day on which it happened")
    is_robot: bool = column(
        "Whether its user agent is a robot's, by the list of `crawler-user-agents` or its own words"
    )
    channel: str = column(
        "Marketing channel by the shop's own rules in feeds.toml, if one is met", nullable=True, by_rule=CHANNELS
    )
    extra: str = own_columns()

    @expectation
    def completion_names_its_order(cls) -> nw.Expr:
        """An event that completes an order names it."""
        return (nw.col("event") != "Order Completed") | ~nw.col("order_id").is_null()

    @expectation
    def product_is_named(cls) -> nw.Expr:
        """An event about a product names it."""
        about_a_product = nw.col("event").is_in(["Product Viewed", "Product Added", "Product Removed"])
        return ~about_a_product | ~nw.col("product_id").is_null()


def transform(bronze_events: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    agents = bronze_events.select("user_agent").unique().with_columns(found=is_robot("user_agent"))
    return (
        bronze_events.join(agents, on="user_agent", how="left")
        .with_columns(
            c("event").str.strip_chars(),
            c("device", "utm_source", "utm_medium", "utm_campaign").str.strip_chars().str.to_lowercase(),
            is_robot=c("found").fill_null(value=False),
        )
        .drop("found")
    )


asset = table_asset(Events, transform, reads={"bronze_events": by_event_day})
