"""Exchange rates: what a unit of another currency is worth in the shop's, day by day."""

import narwhals as nw

from ecom_assets.contract import CURRENCY_CODE, Date, Feed, Rate, column, key, rule


class ExchangeRates(Feed, primary_key=("currency", "rate_on"), event_column="rate_on"):
    """One row per currency and day, and correction of it. A row that is deleted says that the day has no rate."""

    currency: str = key("The other currency, a code of three letters", capital=True, str_matches=CURRENCY_CODE)
    rate_on: Date = key("Day of the rate; on days without one the last of the 7 days before counts")
    rate: Rate = column("Units of the shop's currency per unit of the other; null if deleted", nullable=True, gt=0)

    @rule
    def rate_unless_deleted(cls) -> nw.Expr:
        """A rate is given, unless it was deleted."""
        return ~nw.col("rate").is_null() | nw.col("is_deleted").fill_null(value=False)
