"""How well models predict two real shops, each beside its floors: `python -m bench.models FOLDER` writes models.md.

FOLDER holds the exports of CDNOW and Online Retail. What is predicted lies after all that anything was fitted to or
chosen on.
"""

import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import polars as pl

from bench import real_demand, real_orders
from bench.markdown import table
from bench.real_orders import CDNOW_CUT_OFF, CDNOW_DAYS, RETAIL_CUT_OFF
from ecom_assets.models import lifetime_value, recommendations
from ecom_assets.models.evaluation import (
    auc,
    bias,
    calibration,
    calibration_slope,
    correlation,
    coverage,
    expected_calibration_error,
    mae,
    of_lists,
    paired_difference,
    rmse,
)
from ecom_assets.models.histories import Histories
from ecom_assets.models.recommendations import EASE_ALONE, LISTED, OWN_ORDERS, Blend, Settings
from ecom_assets.models.staying import as_in_the_past, none_at_all

PAGE = Path(__file__).parent / "models.md"
HEAD = """\
# How well models predict real shops

Written by `python -m bench.models FOLDER`. Each model stands beside its floors, on the same rows. Nothing was fitted to
what is predicted here, or chosen on it. Intervals hold 95 % of bootstrap samples.
"""
LAWS = {"Pareto/NBD": "ParetoNBD", "BG/NBD": "BGNBD", "NBD, nobody leaves": "NBD"}
POPULAR = Blend(half_life=1, similar=0, trend=0, popular=1)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
def main(folder: Path) -> None:
    """Measures the models on the exports in a folder, and writes models.md."""
    of_customers = _lifetime_value(real_orders.cdnow_sample(folder / "cdnow"))
    of_products = _recommendations(real_orders.online_retail(folder / "online_retail"))
    of_demand = real_demand.page(folder / "online_retail")
    PAGE.write_text("\n".join([HEAD, *of_customers, *of_products, *of_demand]))
    click.echo(f"Wrote {PAGE}.")


def _lifetime_value(orders: pl.DataFrame) -> Iterator[str]:
    customers = real_orders.customers_at(orders, CDNOW_CUT_OFF)
    known = Histories.of(customers)
    after = real_orders.ordered_after(orders, customers, CDNOW_CUT_OFF, CDNOW_DAYS)
    actual, spent = after["orders"].to_numpy(), after["value"].to_numpy()
    is_back = actual > 0
    laws = {name: lifetime_value.fit(customers, law) for name, law in LAWS.items()}
    predicted = {name: law.orders.expected_orders(known, CDNOW_DAYS) for name, law in laws.items()}
    predicted["as in the past"] = as_in_the_past(known, CDNOW_DAYS)
    predicted["none at all"] = none_at_all(known, CDNOW_DAYS)
    yield "## Lifetime value\n"
    yield _paragraph(f"""
CDNOW's sample of {len(customers):,} customers, fitted up to {CDNOW_CUT_OFF}: days with an order per
customer in the 39 weeks after it. AUC is of who orders at all, the slope that of actual on predicted means of
tenths of customers.""")
    yield from table(
        ("", "RMSE", "MAE", "correlation", "sum", "AUC", "slope"),
        [
            (
                name,
                f"{rmse(found, actual):.4f}",
                f"{mae(found, actual):.4f}",
                f"{correlation(found, actual):.4f}" if found.any() else "",
                f"{bias(found, actual):+.1%}",
                f"{auc(found, is_back):.4f}",
                f"{calibration_slope(found, actual):.2f}" if found.any() else "",
            )
            for name, found in predicted.items()
        ],
    )
    law, came = laws["Pareto/NBD"], is_back.astype(float)
    chance, active = law.orders.chance_of_order(known, CDNOW_DAYS), law.orders.chance_active(known)
    ranks, error = auc(chance, is_back), expected_calibration_error(chance, came)
    yield _paragraph(f"""
By Pareto/NBD, the probability of an order has an AUC of {ranks:.4f} and a calibration error of {error:.4f}; the
probability of being active has an AUC of {auc(active, is_back):.4f}. Tenths of customers, lowest predictions first:""")
    of_orders = calibration(predicted["Pareto/NBD"], actual)
    of_chances = calibration(chance, came)
    yield from table(
        ("tenth", "orders predicted", "orders", "probability of an order", "ordered"),
        [
            (str(tenth), *(f"{number:.3f}" for number in numbers))
            for tenth, _, *numbers in of_orders.join(of_chances.drop("count"), on="group", suffix="_chance")
            .sort("group")
            .iter_rows()
        ],
    )
    back = customers.filter(pl.col("repeat_orders") > 0)
    together = correlation(back["repeat_orders"].cast(pl.Float64).to_numpy(), back["mean_repeat_value"].to_numpy())
    yield _paragraph(f"""
The value of these orders, by Gamma-Gamma on top. It takes values not to depend on how often customers order: among
{len(back):,} repeat customers, the two have a correlation of {together:.2f}.""")
    value = lifetime_value.predict(law, customers)["expected_order_value"].to_numpy()
    yield from table(
        ("", "RMSE", "MAE", "correlation", "sum"),
        [
            (
                name,
                f"{rmse(found * value, spent):.2f}",
                f"{mae(found * value, spent):.2f}",
                f"{correlation(found * value, spent):.4f}" if found.any() else "",
                f"{bias(found * value, spent):+.1%}",
            )
            for name, found in predicted.items()
        ],
    )


def _recommendations(bought: pl.DataFrame) -> Iterator[str]:
    repeats, new = real_orders.bought_from(bought, RETAIL_CUT_OFF)
    every = pl.concat([repeats, new])
    chosen = recommendations.choose(bought, RETAIL_CUT_OFF)
    model = recommendations.fit(bought, RETAIL_CUT_OFF, chosen)
    nothing = bought.clear()
    any_product = {
        "blend": (chosen.any_product, bought),
        "blend without trend": (replace(chosen.any_product, trend=0), bought),
        "own orders, then popular": (OWN_ORDERS, bought),
        "popular lately": (POPULAR, nothing),
    }
    new_product = {
        "blend": chosen.new_product,
        "EASE and popular": replace(EASE_ALONE, popular=0.2),
        "EASE alone": EASE_ALONE,
        "popular lately": POPULAR,
    }

    def scores(blend: Blend, known: pl.DataFrame, wanted: pl.DataFrame, *, only_new: bool) -> tuple[pl.DataFrame, str]:
        blended = replace(model, settings=Settings(chosen.ridge, blend, blend))
        lists = recommendations.recommend(blended, known, RETAIL_CUT_OFF, wanted["customer_id"], only_new=only_new)
        return of_lists(lists, wanted, "customer_id", LISTED), f"{coverage(lists, len(model.products), LISTED):.0%}"

    buyers, share = every["customer_id"].n_unique(), len(repeats) / len(every)
    yield "## Recommendations\n"
    yield _paragraph(f"""
Online Retail, learnt before {RETAIL_CUT_OFF} and chosen on the {recommendations.RECENT} days before it: {LISTED}
products each for {buyers:,} known customers who bought up to 2011-12-09, of {len(model.products):,} known
products. {share:.1%} of what they bought are repeats. Recall counts {LISTED} products at most. The same lists
are also scored on repeats alone and on new products alone.""")
    lines, of_blend = [], None
    for name, (blend, known) in any_product.items():
        found, shown = scores(blend, known, every, only_new=False)
        of_blend = found if of_blend is None else of_blend
        apart = (scores(blend, known, wanted, only_new=False)[0]["ndcg"].to_numpy() for wanted in (repeats, new))
        lines.append((name, *_line(found), shown, *(f"{ndcg.mean():.3f}" for ndcg in apart), _less(found, of_blend)))
    heads = ("NDCG", "recall", "products shown")
    yield from table(("", *heads, "NDCG of repeats", "NDCG of new", "NDCG less than the blend's"), lines)
    yield f"Lists of new products, for the {new['customer_id'].n_unique():,} customers who bought any.\n"
    lines, of_blend = [], None
    for name, blend in new_product.items():
        found, shown = scores(blend, bought, new, only_new=True)
        of_blend = found if of_blend is None else of_blend
        lines.append((name, *_line(found), shown, _less(found, of_blend)))
    yield from table(("", *heads, "NDCG less than the blend's"), lines)
    yield f"Chosen: `{chosen.any_product}`, `{chosen.new_product}`, ridge {chosen.ridge:g}.\n"


def _line(found: pl.DataFrame) -> tuple[str, str]:
    ndcg = found["ndcg"].to_numpy()
    mean = paired_difference(ndcg, np.zeros_like(ndcg))
    return f"{mean.value:.3f} ({mean.low:.3f} to {mean.high:.3f})", f"{found['recall'].to_numpy().mean():.3f}"


def _less(found: pl.DataFrame, of_blend: pl.DataFrame) -> str:
    difference = paired_difference(of_blend["ndcg"].to_numpy(), found["ndcg"].to_numpy())
    return f"{difference.value:.3f} ({difference.low:.3f} to {difference.high:.3f})" if found is not of_blend else ""


def _paragraph(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), 120, break_on_hyphens=False) + "\n"


if __name__ == "__main__":
    main()
