"""Demand of a real shop, Online Retail: forecasts and reorder points beside their floors.

Constants of floors are chosen on weeks before those that are scored.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from bench.markdown import table
from ecom_assets.models import demand, demand_scores
from ecom_assets.models.demand_history import WEEK, DemandHistory
from ecom_assets.models.demand_scores import EMPIRICAL, FLOORS, MODEL, Forecast, HoldOut
from ecom_assets.models.evaluation import paired_difference
from ecom_assets.models.fitting import Floats

START = dt.date(2010, 12, 1)
CHOSEN_ON, SCORED = (28, 32, 36), range(40, 50)
"""Weeks before the cut-offs on which constants are chosen, and before those that are scored, with 4 weeks ahead."""
LEAD_WEEKS, LEVEL = 2, 0.95
"""Of reorder points."""
TSB = "Teunter, Syntetos, Babai"
SEASONS = {"weeks 28 to 40": range(28, 39), "weeks 40 to 53, run-up to Christmas": range(40, 52)}
"""Weeks before the cut-offs whose reorder points are scored."""
NO_PRODUCTS = pl.DataFrame(schema={"product_id": pl.String, "category": pl.String, "listed_on": pl.Date})


def real_sales(export: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Returns units by product and day, as `models.demand` takes them, and mean prices by product.

    Codes that start with five digits are products. Lines with units and a price count, cancelled later or not.
    """
    files = sorted((export / "by-day").glob("*.csv.gz"))
    lines = pl.concat([pl.read_csv(file, infer_schema=False) for file in files]).select(
        product_id="StockCode",
        day=pl.col("InvoiceDate").str.slice(0, 10).str.to_date(),
        units=pl.col("Quantity").cast(pl.Float64),
        price=pl.col("UnitPrice").cast(pl.Float64),
    )
    sold = lines.filter(pl.col("units") > 0, pl.col("price") > 0, pl.col("product_id").str.contains(r"^\d{5}"))
    by_day = sold.group_by("product_id", "day").agg(pl.col("units").sum()).sort("product_id", "day")
    value = (pl.col("units") * pl.col("price")).sum() / pl.col("units").sum()
    prices = sold.group_by("product_id").agg(price=value).sort("product_id")
    return by_day.with_columns(in_stock=pl.lit(None, pl.Boolean)), prices


def cut_off(weeks: int) -> dt.date:
    """Returns the last day of so many weeks."""
    return START + dt.timedelta(days=weeks * WEEK - 1)


def constants_of_floors(sales: pl.DataFrame, prices: pl.DataFrame) -> dict[str, float]:
    """Returns the best constants of floors on the weeks before those that are scored."""
    return demand_scores.best_constants(HoldOut.of(sales, NO_PRODUCTS, cut_off(weeks), prices) for weeks in CHOSEN_ON)


def forecasts_at(
    sales: pl.DataFrame, prices: pl.DataFrame, constants: Mapping[str, float], weeks: int
) -> tuple[HoldOut, dict[str, Forecast]]:
    """Returns the weeks around a cut-off, and what methods expect there."""
    day = cut_off(weeks)
    held = HoldOut.of(sales, NO_PRODUCTS, day, prices)
    model = demand.fit(sales, NO_PRODUCTS, day)
    outlook = demand.outlook(model, sales, NO_PRODUCTS, day)
    return held, demand_scores.forecasts(held, model, outlook, constants)


def reorder_points(sales: pl.DataFrame, prices: pl.DataFrame, weeks: range) -> pl.DataFrame:
    """Returns how often demand in the lead time was within each method's point, and the value of these points.

    Columns: `method`, `within`, `value`. Products known at the first cut-off count. Points of empirical quantiles are
    those of each product's own weeks up to each cut-off, or up to the first; scaled, they are multiplied by what makes
    them reach as much as the model in just these weeks, which nobody could have known.
    """
    history = DemandHistory.of(sales, NO_PRODUCTS, cut_off(weeks[-1] + LEAD_WEEKS))
    units, first = history.weeks, (history.weeks > 0).argmax(axis=1)
    price = history.products.join(prices, on="product_id", how="left", maintain_order="left")["price"].to_numpy()
    counted = first < weeks[0] - 1
    demands = np.stack([units[counted, start : start + LEAD_WEEKS].sum(axis=1) for start in weeks])
    names = history.products.filter(pl.Series(counted))["product_id"]
    own = np.stack([_own_point(units[counted, :end], first[counted]) for end in weeks])
    textbook = np.stack([_textbook_point(units[counted, :end], first[counted]) for end in weeks])
    points = {
        MODEL: np.stack([_point(sales, names, end) for end in weeks]),
        "mean + 1.645 sd √L, fixed": np.tile(textbook[0], (len(weeks), 1)),
        "mean + 1.645 sd √L": textbook,
        "empirical quantile, fixed": np.tile(own[0], (len(weeks), 1)),
        "empirical quantile": own,
    }
    reached = float((demands <= points[MODEL]).mean())
    for name in ("empirical quantile, fixed", "empirical quantile"):
        missing = np.where(demands > 0, np.inf, 0.0)
        needed = np.divide(demands, points[name], out=missing, where=points[name] > 0)
        times = np.quantile(needed, reached, method="inverted_cdf")
        points[f"{name}, x{times:.2f}"] = points[name] * times
    rows = [
        (name, float((demands <= of).mean()), float((of * price[counted]).sum(axis=1).mean()))
        for name, of in points.items()
    ]
    return pl.DataFrame(rows, {"method": pl.String, "within": pl.Float64, "value": pl.Float64}, orient="row")


def _point(sales: pl.DataFrame, names: pl.Series, weeks: int) -> Floats:
    """The quantile of demand in the lead time, for some products."""
    day = cut_off(weeks)
    model = demand.fit(sales, NO_PRODUCTS, day)
    outlook = demand.outlook(model, sales, NO_PRODUCTS, day)
    units, spread = outlook.in_days(np.full(len(outlook.rates), float(LEAD_WEEKS * WEEK)))
    point = np.maximum(units + np.interp(LEVEL, demand.LEVELS, model.errors_of_sums[LEAD_WEEKS - 1]) * spread, 0)
    return point[outlook.products["product_id"].search_sorted(names).to_numpy()]


def _own_point(units: Floats, first: Floats) -> Floats:
    """The empirical quantile of demand in as many weeks, since each product's first sale."""
    sums = np.lib.stride_tricks.sliding_window_view(units, LEAD_WEEKS, axis=1).sum(axis=2)
    since = np.where(np.arange(sums.shape[1]) >= first[:, None], sums, np.nan)
    return np.asarray(np.nanquantile(since, LEVEL, axis=1))


def _textbook_point(units: Floats, first: Floats) -> Floats:
    since = np.where(np.arange(units.shape[1]) >= first[:, None], units, np.nan)
    return np.asarray(
        LEAD_WEEKS * np.nanmean(since, axis=1) + 1.645 * np.sqrt(LEAD_WEEKS) * np.nanstd(since, axis=1, ddof=1)
    )


def page(export: Path) -> Iterator[str]:
    """Yields the lines of a page on demand and reorder points of an export."""
    sales, prices = real_sales(export)
    constants = constants_of_floors(sales, prices)
    at = {weeks: forecasts_at(sales, prices, constants, weeks) for weeks in SCORED}
    scored = pl.concat(demand_scores.scores(*found).with_columns(weeks=pl.lit(weeks)) for weeks, found in at.items())
    means = scored.group_by("method", maintain_order=True).agg(pl.selectors.float().mean())
    chosen_on = ", ".join(map(str, CHOSEN_ON))
    yield f"""\
## Demand

Online Retail, {len(prices):,} products by week, {demand_scores.AHEAD} weeks ahead: means of the cut-offs after each of
the weeks {SCORED[0]} to {SCORED[-1]}. Constants of floors are the best of those after weeks {chosen_on}. Errors are
scaled as in M5. WRMSSE and pinball losses count products by the value that they sold, RMSSE counts all alike. The
quantiles of the floor are those of each product's own earlier errors. There is one year: nobody can know from it how
much more is sold before Christmas, hence the bias.
"""
    heads = ("", "constant", "WRMSSE", "RMSSE", "bias", "pinball 0.5", "0.9", "0.95", "within 0.9", "0.95")
    yield from table(heads, [_line(row, constants) for row in means.iter_rows(named=True)])
    yield "WRMSSE of each week ahead, and how much more floors have in all four, by paired bootstrap of products:\n"
    yield from table(
        ("", *(f"week {week + 1}" for week in range(demand_scores.AHEAD)), "more than the model"),
        [(name, *_by_week(at, name), _more(at, name)) for name in (MODEL, *FLOORS)],
    )
    yield "Each cut-off alone, WRMSSE, and the model's bias:\n"
    by_weeks = scored.pivot("method", index="weeks", values="wrmsse").select("weeks", MODEL, EMPIRICAL, TSB)
    biases = scored.filter(method=MODEL)["bias"]
    yield from table(
        ("week", MODEL, EMPIRICAL, TSB, "bias"),
        [
            (str(week), *(f"{error:.3f}" for error in errors), f"{bias:+.1%}")
            for (week, *errors), bias in zip(by_weeks.rows(), biases, strict=True)
        ],
    )
    yield f"""\
## Reorder points

The same shop: how often demand in {LEAD_WEEKS} weeks was within the reorder point of {LEVEL:.0%}, of products known at
the first cut-off, and the mean value of all reorder points. Fixed points are those of the first cut-off. Scaled ones
are multiplied by what makes them reach as much as the model in just these weeks, which nobody could have known.
Constants of the model's levels were chosen up to week 40, hence also on demand of the first table.
"""
    for name, weeks in SEASONS.items():
        lines = reorder_points(sales, prices, weeks).rows()
        yield from table(
            (name, "within", "value"), [(of, f"{share:.1%}", f"{value:,.0f}") for of, share, value in lines]
        )


def _line(row: dict[str, Any], constants: Mapping[str, float]) -> tuple[str, ...]:
    numbers = [row[name] for name in ("pinball_50", "pinball_90", "pinball_95", "within_90", "within_95")]
    constant = f"{constants[row['method']]:g}" if row["method"] in constants else ""
    return (
        *(row["method"], constant, f"{row['wrmsse']:.3f}", f"{row['rmsse']:.3f}", f"{row['bias']:+.1%}"),
        *("" if number is None else f"{number:.3f}" for number in numbers),
    )


def _by_week(at: Mapping[int, tuple[HoldOut, dict[str, Forecast]]], name: str) -> list[str]:
    errors = [held.scaled_errors_by_week(found[name].expected).T @ held.weights for held, found in at.values()]
    return [f"{error:.3f}" for error in np.mean(errors, axis=0)]


def _more(at: Mapping[int, tuple[HoldOut, dict[str, Forecast]]], name: str) -> str:
    """By how much the WRMSSE of a floor exceeds that of the model: products drawn with all their cut-offs."""
    if name == MODEL:
        return ""
    sums: dict[str, Floats] = {}
    for of in (MODEL, name):
        parts = [
            pl.DataFrame({"product_id": held.products, "part": held.scaled_errors(found[of].expected) * held.weights})
            for held, found in at.values()
        ]
        by_product = pl.concat(parts).group_by("product_id").agg(pl.col("part").sum()).sort("product_id")
        sums[of] = by_product["part"].to_numpy() * len(by_product) / len(at)
    more = paired_difference(sums[name], sums[MODEL])
    return f"{more.value:.3f} ({more.low:.3f} to {more.high:.3f})"
