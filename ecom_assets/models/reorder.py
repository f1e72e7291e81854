"""What to order again, and the health of stock: from expected demand, lead times and what is there.

Stock is reviewed every `review_days`, and what is ordered then comes after the supplier's lead time. The reorder point
is the units that demand in a lead time and a review period exceeds with a probability of 1 less the service level; it
is a quantile of `demand`, not a number of standard deviations of a normal law. Safety stock is what it has above the
demand expected. A product whose stock, on hand and on order, is below it is ordered up to it and one more review
period: the policy (R, s, S) of Silver, Pyke, Thomas 2017, "Inventory and Production Management in Supply Chains",
chapter 6.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from ecom_assets.models.demand import LEVELS, LONGEST, DemandModel, Outlook
from ecom_assets.models.demand_history import WEEK
from ecom_assets.models.fitting import Floats
from ecom_assets.models.smoothing import Integers

LEAD_DAYS, LEAD_DAYS_VARIATION = 14.0, 0.3
"""Lead time of suppliers where none is known, and its standard deviation by its mean."""
LONGEST_LEAD = 730.0
"""Days of a lead time at most: longer ones are mistakes."""
LONGEST_COVER = 520.0
"""Weeks of cover are no more than ten years, without demand as well."""
_OWN_RECEIPTS = 3
"""Receipts, after which those of a supplier count as much as its agreed lead time, and all suppliers' variation."""
_DIGITS = 6


@dataclass(frozen=True)
class Policy:
    """How stock is kept."""

    service_level: float = 0.95
    """Share of lead times with review period in which demand is met; at most 0.99, the last of `LEVELS`."""
    review_days: int = 7
    dead_days: int = 90
    """Stock without a sale for so long is dead."""
    most_weeks: int = 26
    """Stock above the demand of so many weeks is in excess."""


def lead_times(receipts: pl.DataFrame, suppliers: pl.DataFrame) -> pl.DataFrame:
    """Returns mean and standard deviation of each supplier's lead time, in days, in order of suppliers.

    `receipts` has `supplier_id` and `lead_days` (null if unknown), `suppliers` has `supplier_id` and `agreed_lead_days`
    (null if unknown). Columns: `supplier_id`, `lead_days`, `lead_days_sd`. Means of few receipts are near the agreed
    lead time, or that of all suppliers, or `LEAD_DAYS`; variations near that of all receipts, or `LEAD_DAYS_VARIATION`.
    None is longer than `LONGEST_LEAD`.
    """
    c = pl.col
    known = (
        receipts.select("supplier_id", c("lead_days").cast(pl.Float64).clip(0, LONGEST_LEAD))
        .drop_nulls()
        .sort("supplier_id", "lead_days")
    )
    of_supplier = known.group_by("supplier_id", maintain_order=True).agg(
        receipts=pl.len().cast(pl.Float64), mean=c("lead_days").mean(), variance=c("lead_days").var(ddof=0)
    )
    agreed = suppliers.select("supplier_id", c("agreed_lead_days").cast(pl.Float64).clip(0, LONGEST_LEAD))
    usual = pl.concat([known["lead_days"], agreed["agreed_lead_days"].drop_nulls()]).sort().mean()
    repeated = of_supplier.filter((c("receipts") > 1) & (c("mean") > 0))
    relative = (c("variance") / c("mean") ** 2 * c("receipts")).sum() / c("receipts").sum()
    variation = repeated.select(relative.sqrt()).item() if repeated.height else LEAD_DAYS_VARIATION
    own = c("receipts")
    mean = (own * c("mean") + _OWN_RECEIPTS * c("agreed_lead_days")) / (own + _OWN_RECEIPTS)
    variance = (own * c("variance") + _OWN_RECEIPTS * (variation * c("lead_days")) ** 2) / (own + _OWN_RECEIPTS)
    return (
        agreed.join(of_supplier, on="supplier_id", how="full", coalesce=True)
        .with_columns(c("receipts", "mean", "variance").fill_null(0.0))
        .with_columns(c("agreed_lead_days").fill_null(LEAD_DAYS if usual is None else usual))
        .with_columns(lead_days=mean)
        .select("supplier_id", "lead_days", lead_days_sd=variance.sqrt())
        .sort("supplier_id")
    )


def reorder(
    model: DemandModel, expected: Outlook, stock: pl.DataFrame, leads: pl.DataFrame, policy: Policy = Policy()
) -> pl.DataFrame:
    """Returns one row per product, in their order: when and how much to order, and the health of its stock.

    `stock` has `product_id`, `on_hand` and `on_order` (units, null if unknown), `supplier_id` and `unit_cost` (null if
    unknown), one row per product; `leads` is what `lead_times` returns. Beside those columns of stock:

    | column | meaning |
    | --- | --- |
    | lead_days, lead_days_sd | of its supplier; the mean of all suppliers, or `LEAD_DAYS`, if it is unknown |
    | expected_units | units expected in the lead time and a review period |
    | reorder_point, safety_stock | units; safety stock is the reorder point less the units expected, not below 0 |
    | suggested_units | whole units to order now; null if stock is unknown |
    | stockout_risk | probability that demand in the lead time exceeds stock on hand and on order; null as above |
    | weeks_of_cover | weeks for which stock on hand lasts, at most `LONGEST_COVER`; null as above |
    | is_dead | whether there is stock, and no sale in `dead_days` since it was listed; null as above |
    | excess_units, excess_value | stock above the demand of `most_weeks` and the reorder point; null as above |

    Units on order count as 0 if unknown. Stock below 0 counts as it is, as units owed. The value of excess is
    null without a cost.
    """
    c = pl.col
    usual = leads.select(c("lead_days", "lead_days_sd").mean()).row(0) if leads.height else (None, None)
    lead, variation = usual if usual[0] is not None else (LEAD_DAYS, LEAD_DAYS_VARIATION * LEAD_DAYS)
    rows = (
        expected.products.select("product_id", "category", "weeks_listed", "last_sold_on")
        .join(stock, on="product_id", how="left", maintain_order="left")
        .join(leads, on="supplier_id", how="left", maintain_order="left")
        .with_columns(c("lead_days").fill_null(lead), c("lead_days_sd").fill_null(variation))
        .with_columns(c("on_hand", "on_order", "unit_cost").cast(pl.Float64))
    )
    lead_days, lead_sd = rows["lead_days"].to_numpy(), rows["lead_days_sd"].to_numpy()
    in_stock = rows["on_hand"].to_numpy()
    position = in_stock + rows["on_order"].fill_null(0.0).to_numpy()
    units, spread = _demand(expected, lead_days + policy.review_days, lead_sd)
    windows = (lead_days + policy.review_days) / WEEK
    point = np.maximum(units + _errors(model, windows, policy.service_level) * spread, 0)
    in_review, _ = expected.in_days(np.full(len(rows), float(policy.review_days)))
    wanted = np.where(position < point, np.ceil(np.round(point + in_review - position, _DIGITS)), 0.0)
    most, _ = expected.in_days(np.full(len(rows), float(policy.most_weeks * WEEK)))
    excess = c("on_hand") - pl.max_horizontal(pl.Series(most), pl.Series(point))
    days_unsold = (pl.lit(expected.cut_off) - c("last_sold_on")).dt.total_days()
    unsold_for = pl.coalesce(days_unsold, c("weeks_listed") * WEEK, pl.lit(policy.dead_days))
    cover = np.where(in_stock > 0, LONGEST_COVER, in_stock)
    np.divide(in_stock, expected.rates, out=cover, where=expected.rates > 0)
    found = {
        "expected_units": units,
        "reorder_point": point,
        "safety_stock": np.maximum(point - units, 0),
        "suggested_units": np.where(np.isnan(position), np.nan, wanted),
        "stockout_risk": _risk(model, expected, lead_days, lead_sd, position),
        "weeks_of_cover": np.clip(cover, 0, LONGEST_COVER),
    }
    return (
        rows.with_columns(pl.Series(name, values.round(_DIGITS)).fill_nan(None) for name, values in found.items())
        .with_columns(
            is_dead=pl.when(c("on_hand").is_not_null()).then((c("on_hand") > 0) & (unsold_for >= policy.dead_days)),
            excess_units=excess.clip(lower_bound=0).round(_DIGITS),
        )
        .with_columns(excess_value=c("excess_units") * c("unit_cost"))
        .drop("weeks_listed")
    )


def _demand(expected: Outlook, days: Floats, lead_sd: Floats) -> tuple[Floats, Floats]:
    """Units expected in some days, and their spread with that of the lead time."""
    units, spread = expected.in_days(days)
    per_day = np.divide(units, days, out=np.zeros_like(units), where=days > 0)
    return units, np.hypot(spread, per_day * lead_sd)


def _errors(model: DemandModel, weeks: Floats, level: float) -> Floats:
    """Quantiles of units in so many weeks less those expected, in spreads."""
    by_window = np.array([np.interp(level, LEVELS, errors) for errors in model.errors_of_sums])
    return np.asarray(by_window[_window(weeks)])


def _window(weeks: Floats) -> Integers:
    return np.clip(np.ceil(weeks), 1, LONGEST).astype(np.int64) - 1


def _risk(model: DemandModel, expected: Outlook, lead_days: Floats, lead_sd: Floats, position: Floats) -> Floats:
    """Probability that demand in the lead time exceeds what is there, NaN where that is unknown."""
    units, spread = _demand(expected, lead_days, lead_sd)
    surplus = np.divide(position - units, spread, out=np.where(position < 0, -np.inf, np.inf), where=spread > 0)
    window = _window(lead_days / WEEK)
    risk = np.full(len(units), np.nan)
    for place in range(LONGEST):
        of_window = window == place
        risk[of_window] = 1 - np.interp(surplus[of_window], model.errors_of_sums[place], LEVELS)
    return np.where(np.isnan(position), np.nan, risk)
