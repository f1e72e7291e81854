"""How near predictions are to what was likely in synthetic shops of two years: `python -m bench.truth` writes a page.

Orders are drawn as the shop places them, from the same laws and numbers, without the platform around them; what was
likely is told by the shop's truth. Nothing was tuned on these seeds.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import click
import numpy as np
import polars as pl

from bench.markdown import table
from ecom_assets.models import demand, lifetime_value
from ecom_assets.models.demand_scores import FLOORS, MODEL, HoldOut, best_constants, forecasts
from ecom_assets.models.evaluation import bias, correlation, rmse
from ecom_assets.models.fitting import Floats
from ecom_assets.models.histories import Histories
from ecom_assets.models.staying import as_in_the_past
from ecom_assets.shop.customers import Customers, customer_ids
from ecom_assets.shop.products import CATEGORY_NAMES, Products, product_ids
from ecom_assets.shop.rows import texts
from ecom_assets.shop.sales import FATE_WEIGHTS, KEPT, Sales
from ecom_assets.shop.scale import Scale
from ecom_assets.shop.shop import Shop
from ecom_assets.shop.timetable import Timetable

PAGE = Path(__file__).parent / "truth.md"
HEAD = """\
# How near predictions are to what was likely

Written by `python -m bench.truth`, on synthetic shops of 760 days with 80 orders a day. What came is one draw of what
was likely; here predictions are compared with what was likely.
"""
SCALE = Scale(orders_per_day=80, customers_at_start=2_000, customers_per_day=48)
START, SEEDS, AHEAD, WEEKS = dt.date(2024, 1, 1), (11, 12), 90, 4
CUT_OFF = START + dt.timedelta(days=759)
LAWS = {"Pareto/NBD": "ParetoNBD", "BG/NBD": "BGNBD", "NBD, nobody leaves": "NBD", "all alike": "SteadyRate"}
_ONE_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class DrawnShop:
    """A shop's orders and lines that are kept, and its truth."""

    seed: int

    @cached_property
    def _parts(self) -> tuple[Products, Sales]:
        timetable = Timetable(START, self.seed, SCALE)
        products = Products(timetable)
        return products, Sales(timetable, Customers(timetable), products)

    @cached_property
    def lines(self) -> pl.DataFrame:
        """One row per line: `customer_id`, `product_id`, `day`, `units` and `paid`, until after the cut-off."""
        days = []
        for number in range((CUT_OFF - START).days + 1 + AHEAD):
            basket = self._parts[1].basket(number)
            order = basket.lines["order"]
            kept = basket.orders["fate"][order] == KEPT
            columns = {
                "customer_id": customer_ids(basket.orders["customer"][order[kept]]),
                "product_id": product_ids(basket.lines["product"][kept]),
                "units": pl.Series(basket.lines["quantity"][kept], dtype=pl.Float64),
                "paid": pl.Series(basket.lines["paid"][kept] / 100),
            }
            days.append(pl.DataFrame(columns).with_columns(day=pl.lit(START + number * _ONE_DAY)))
        return pl.concat(days)

    @cached_property
    def truth(self) -> dict[str, pl.DataFrame]:
        """The shop's truth by kind, with the `day` on which it was told."""
        shop, kinds = Shop(START, seed=self.seed, preset=SCALE), ("customers", "days", "products")
        told: dict[str, list[pl.DataFrame]] = {kind: [] for kind in kinds}
        for number in range((CUT_OFF - START).days + 1 + AHEAD):
            day = START + number * _ONE_DAY
            of_day = shop.truth(day)
            for kind in kinds:
                told[kind].append(of_day[kind].with_columns(day=pl.lit(day)))
        return {kind: pl.concat(frames) for kind, frames in told.items()}

    @cached_property
    def products(self) -> pl.DataFrame:
        """One row per product listed by the cut-off, as models of demand take it."""
        products, number = self._parts[0], (CUT_OFF - START).days
        known = np.arange(products.known(number))
        listed = pl.from_epoch(pl.Series(products.listed_at(known)), time_unit="us").dt.date()
        category = texts(CATEGORY_NAMES, products.category(known))
        return pl.DataFrame({"product_id": product_ids(known), "category": category, "listed_on": listed, "cost": 1.0})


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Measures the models on synthetic shops, and writes truth.md."""
    shops = [DrawnShop(seed) for seed in SEEDS]
    PAGE.write_text("\n".join([HEAD, *(line for shop in shops for line in (*_customers(shop), *_demand(shop)))]))
    click.echo(f"Wrote {PAGE}.")


def customers_at(shop: DrawnShop) -> pl.DataFrame:
    """Returns the histories of customers at the cut-off, as models of lifetime value take them."""
    c = pl.col
    known = shop.lines.filter(c("day") <= CUT_OFF, c("customer_id").is_not_null())
    bought = known.group_by("customer_id", "day").agg(c("paid").sum()).sort("customer_id", "day")
    return bought.group_by("customer_id", maintain_order=True).agg(
        repeat_orders=pl.len().cast(pl.Int64) - 1,
        last_order_age=(c("day").max() - c("day").min()).dt.total_days(),
        age=(pl.lit(CUT_OFF) - c("day").min()).dt.total_days(),
        mean_value=c("paid").mean(),
        mean_repeat_value=c("paid").slice(1).mean(),
    )


def true_orders(shop: DrawnShop, customers: pl.DataFrame, days: int) -> tuple[Floats, Floats]:
    """Returns the orders that were likely of each customer in so many days after the cut-off, and lines per order."""
    c, truth = pl.col, shop.truth
    of_days = truth["days"].filter(c("day") > CUT_OFF, c("day") <= CUT_OFF + days * _ONE_DAY)
    drawn = truth["customers"].drop("day").join(customers.select("customer_id"), on="customer_id")
    stays = (c("first_on") < c("day")) & (c("leaves_on").is_null() | (c("leaves_on") > c("day")))
    per_rate = of_days.select("day", orders=c("expected_repeats") / c("rates") * FATE_WEIGHTS[KEPT])
    likely = (
        drawn.join(per_rate, how="cross")
        .filter(stays)
        .group_by("customer_id")
        .agg(orders=(c("rate") * c("orders")).sum())
    )
    rows = customers.select("customer_id").join(likely, on="customer_id", how="left", maintain_order="left")
    rows = rows.join(drawn.select("customer_id", "spend"), on="customer_id", how="left", maintain_order="left")
    lines = 1 + (SCALE.lines_per_order - 1) * rows["spend"].to_numpy()
    return rows["orders"].fill_null(0).to_numpy(), lines


def _customers(shop: DrawnShop) -> Iterator[str]:
    customers = customers_at(shop)
    known = Histories.of(customers)
    line_value = float(shop.lines.filter(pl.col("day") <= CUT_OFF)["paid"].mean())  # type: ignore[arg-type]
    fits = lifetime_value.fit_each(customers, LAWS.values())
    values = {name: lifetime_value.predict(fits[law], customers)["expected_order_value"] for name, law in LAWS.items()}
    for days in (30, AHEAD):
        orders, lines = true_orders(shop, customers, days)
        chance, value = -np.expm1(-orders), orders * lines * line_value
        found = {
            name: (fits[law].orders.expected_orders(known, days), fits[law].orders.chance_of_order(known, days))
            for name, law in LAWS.items()
        }
        past = as_in_the_past(known, days)
        found["as in the past"] = past, -np.expm1(-past)
        of_value = {name: values.get(name, customers["mean_value"]).to_numpy() for name in found}
        yield f"## Seed {shop.seed}: {len(customers):,} customers, the next {days} days\n"
        yield from table(
            ("", "orders: RMSE", "correlation", "sum", "chance: RMSE", "value: RMSE", "correlation"),
            [
                (
                    name,
                    f"{rmse(expected, orders):.3f}",
                    f"{correlation(expected, orders):.2f}",
                    f"{bias(expected, orders):+.0%}",
                    f"{rmse(likely, chance):.3f}",
                    f"{rmse(expected * of_value[name], value):.1f}",
                    f"{correlation(expected * of_value[name], value):.2f}",
                )
                for name, (expected, likely) in found.items()
            ],
        )


def units_at(shop: DrawnShop, cut_off: dt.date) -> tuple[Mapping[str, Floats], Floats]:
    """Returns the units of products in the weeks after a cut-off: as forecast by each method, and as were likely."""
    c = pl.col
    sales = shop.lines.group_by("product_id", "day").agg(c("units").sum()).with_columns(in_stock=pl.lit(True))
    sales, products = sales.sort("product_id", "day"), shop.products.filter(c("listed_on") <= cut_off)
    before = sales.filter(c("day") <= cut_off)
    model = demand.fit(before, products, cut_off)
    constants = best_constants([HoldOut.of(before, products, cut_off - WEEKS * 7 * _ONE_DAY)])
    held = HoldOut.of(before, products, cut_off)
    found = forecasts(held, model, demand.outlook(model, before, products, cut_off), constants)
    told = shop.truth["products"].filter(c("day") > cut_off, c("day") <= cut_off + WEEKS * 7 * _ONE_DAY)
    told = told.with_columns(week=((c("day") - cut_off).dt.total_days() - 1) // 7)
    by_week = told.group_by("product_id", "week").agg(c("expected_units").sum() * FATE_WEIGHTS[KEPT])
    wide = held.products.alias("product_id").to_frame().join(pl.DataFrame({"week": range(WEEKS)}), how="cross")
    likely = wide.with_columns(c("week").cast(pl.Int64)).join(
        by_week, on=["product_id", "week"], how="left", maintain_order="left"
    )
    units = likely["expected_units"].fill_null(0).to_numpy().reshape(-1, WEEKS)
    return {name: forecast.expected for name, forecast in found.items()}, units


def _demand(shop: DrawnShop) -> Iterator[str]:
    methods = [MODEL, *FLOORS]
    lines = []
    for back in range(0, 280, 56):
        cut_off = CUT_OFF - back * _ONE_DAY
        found, units = units_at(shop, cut_off)
        lines.append((str(cut_off), *(f"{rmse(found[name].ravel(), units.ravel()):.2f}" for name in methods)))
        lines[-1] += (f"{bias(found[MODEL].ravel(), units.ravel()):+.1%}",)
    yield f"## Seed {shop.seed}: units of products by week, four weeks ahead\n"
    yield f"RMSE by method, and the bias of `{MODEL}`.\n"
    yield from table(("cut-off", *methods, "bias"), lines)


if __name__ == "__main__":
    main()
