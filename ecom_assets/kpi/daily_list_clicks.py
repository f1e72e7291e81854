"""Lists of products and promotions by day: how often they were seen and clicked."""

import narwhals as nw

from ecom_assets.contract import Date, Table, column, contract, key
from ecom_assets.expressions.money import ratio, total_count
from ecom_assets.table_asset import table_asset

LIST, PROMOTION = "list", "promotion"
VIEWS = ["Product List Viewed", "Promotion Viewed"]
CLICKS = ["Product Clicked", "Promotion Clicked"]
OF_PROMOTIONS = ["Promotion Viewed", "Promotion Clicked"]
NO_NAME = "(none)"
"""In place of a number, that of lists and promotions which events do not name. Feeds take this word as missing."""


class DailyListClicks(Table, primary_key=("day", "kind", "list_id"), partition_column="day"):
    """One row per day and list or promotion that was seen or clicked, without robots."""

    day: Date = key("Business day")
    kind: str = key("Whether it is a list of products or a promotion", isin=[LIST, PROMOTION])
    list_id: str = key("Number of the list or promotion; “(none)” if the events do not say it")
    views: int = column("Times that it was seen", ge=0)
    clicks: int = column("Clicks on it, or on a product in it", ge=0)
    click_through_rate: float = column("Clicks per view; null without views", nullable=True, ge=0)


def transform(silver_events: nw.LazyFrame) -> nw.LazyFrame:
    c = nw.col
    is_promotion = c("event").is_in(OF_PROMOTIONS)
    return (
        silver_events.filter(c("event").is_in([*VIEWS, *CLICKS]), ~c("is_robot"))
        .select(
            day="occurred_on",
            views=c("event").is_in(VIEWS).cast(nw.Int64),
            clicks=c("event").is_in(CLICKS).cast(nw.Int64),
            kind=nw.when(is_promotion).then(nw.lit(PROMOTION)).otherwise(nw.lit(LIST)),
            list_id=nw.when(is_promotion).then(c("promotion_id")).otherwise(c("list_id")).fill_null(NO_NAME),
        )
        .group_by("day", "kind", "list_id")
        .agg(total_count("views"), total_count("clicks"))
        .with_columns(click_through_rate=ratio("clicks", "views"))
        .select(*contract(DailyListClicks).columns)
    )


asset = table_asset(DailyListClicks, transform)
