"""Recommendations: what each customer is likely to buy next, and what is bought with what.

A product's score for a customer is a blend of three parts: what the customer bought before, more so lately; what is
bought by those who bought the same, by EASE (Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW),
raised for products that sell better lately than they used to; and what all customers bought lately. Repeats and new
products are likely for different reasons, so lists of both and lists of only new ones have a blend each.

Interactions come as a frame with one row per customer, product and day:

| column | meaning |
| --- | --- |
| customer_id, product_id | texts |
| day | date |
| weight | 1 for a purchase, less for less; what is not above 0 counts as nothing |

EASE knows the `MOST_PRODUCTS` products with the largest total weight, the first by code of equal ones; it inverts a
matrix of that many rows, which takes a few seconds and half a gigabyte. Other products have the other two parts only.
Customers without history get what is popular. Scores are rounded before they are ranked, and equal scores are ranked by
code, so that lists do not depend on the order of rows, and hardly on the number of threads.
"""

import datetime as dt
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Self

import numpy as np
import polars as pl
from scipy import linalg, sparse

from ecom_assets.models.evaluation import coverage, of_lists
from ecom_assets.models.fitting import Floats

MOST_PRODUCTS = 4000
RECENT = 28
"""Days before the cut-off that are lately; also those that blends are chosen on."""
FEWEST_BUYERS = 50
"""Customers with history who bought in the days that blends are chosen on; below, blends are the defaults."""
LEAST_COVERAGE = 0.25
"""Share of products that lists of new ones have to show, or almost that of the blend that shows most."""
LISTED = 20
"""Products in a list."""
LISTS = {"customer_id": pl.String, "rank": pl.Int64, "product_id": pl.String, "score": pl.Float64}
BOUGHT_WITH = {"product_id": pl.String, "rank": pl.Int64, "other_product_id": pl.String, "score": pl.Float64}

_SAME_TREND = 10.0
"""Purchases that are added to those of lately and to those expected, so that few say little."""
_SELDOM = 1e-3
"""What popularity of all time counts beside that of lately."""
_DECIMALS = 9
_NUMBERS_AT_ONCE = 4_000_000
"""Scores that are in memory at the same time."""
_ALMOST = 0.8
_MOST_CHOOSERS = 2000
"""Customers whose lists blends are chosen by."""


@dataclass(frozen=True)
class Blend:
    """How parts of a score are weighed, with purchases of the customer's own as 1."""

    half_life: float
    """Days after which a purchase of one's own counts half."""
    similar: float
    """Weight of what is bought by those who bought the same."""
    trend: float
    """Exponent of how much better a product sells lately, in that part."""
    popular: float
    """Weight of what all customers bought lately, with the most popular product as 1."""


@dataclass(frozen=True)
class Settings:
    """What is chosen before the cut-off: `choose` does."""

    ridge: float = 200.0
    """The penalty of EASE, in customers."""
    any_product: Blend = Blend(half_life=180, similar=0.5, trend=0.5, popular=0.5)
    new_product: Blend = Blend(half_life=180, similar=1, trend=1, popular=0)

    def to_json(self) -> str:
        """Returns the settings as text; equal settings have equal text."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Returns the settings of a text of `to_json`. Raises ValueError, KeyError or TypeError if it is none."""
        known = json.loads(text)
        return cls(known["ridge"], Blend(**known["any_product"]), Blend(**known["new_product"]))


OWN_ORDERS = Blend(half_life=math.inf, similar=0, trend=0, popular=0)
"""A floor: what a customer has bought most often, then what is popular. Without interactions, only what is popular."""
EASE_ALONE = Blend(half_life=math.inf, similar=1, trend=0, popular=0)
"""A floor of lists of new products."""

_RIDGES = (50.0, 200.0, 500.0)
_ANY = [Blend(*parts) for parts in product((360, 180, 90), (0.5, 1), (0, 0.5), (0.2, 0.5))]
_NEW = [Blend(180, 1, *parts) for parts in product((0, 0.5, 1), (0, 0.1, 0.3))]


@dataclass(frozen=True, eq=False)
class Recommender:
    """What is known of products at a cut-off: one element per product, in order of their codes."""

    settings: Settings
    products: pl.Series
    in_similarities: np.ndarray
    """Positions of the products that EASE knows, ascending."""
    similarities: Floats
    """Of EASE: what having bought the product of a row says for that of a column; 0 for itself."""
    together: np.ndarray
    """Whether a customer bought both; of the same rows and columns."""
    popularity: Floats
    """Purchases of lately by those of the most popular product, with a little of all time."""
    trend: Floats
    """Purchases of lately by those expected from all time; 1 if a product sells as it used to."""


def fit(interactions: pl.DataFrame, cut_off: dt.date, settings: Settings | None = None) -> Recommender:
    """Returns what the interactions before a cut-off day say of products."""
    settings = settings or Settings()
    known = _before(interactions, cut_off)
    products = known["product_id"].unique().sort()
    customers = known["customer_id"].unique().sort()
    sold = _totals(known, products)
    lately = _totals(known.filter(pl.col("day") >= cut_off - dt.timedelta(RECENT)), products)
    inside = np.sort(np.argsort(-sold, kind="stable")[:MOST_PRODUCTS])
    bought = _matrix(known, customers, products).minimum(1)[:, inside]
    counts = np.asarray((bought.T @ bought).toarray())
    together = counts > 0
    return Recommender(
        settings,
        products,
        inside,
        _ease(counts, settings.ridge),
        together,
        _share_of_largest(lately) + _SELDOM * _share_of_largest(sold),
        (lately + _SAME_TREND) / (sold * (lately.sum() / max(sold.sum(), 1e-300)) + _SAME_TREND),
    )


def recommend(
    model: Recommender,
    interactions: pl.DataFrame,
    cut_off: dt.date,
    customers: pl.Series,
    *,
    only_new: bool = False,
    most: int = LISTED,
) -> pl.DataFrame:
    """Returns lists for customers, each with the products most likely first, in the columns of `LISTS`.

    The cut-off may be later than that of the model: histories are those before it. Of them, products that the model
    does not know are left out. With `only_new`, products that a customer has bought before are not listed.
    """
    blend = model.settings.new_product if only_new else model.settings.any_product
    [lists] = _lists(model, [blend], interactions, cut_off, customers, only_new=only_new, most=most)
    return lists


def bought_with(model: Recommender, most: int = LISTED) -> pl.DataFrame:
    """Returns for each product others that its buyers bought, in the columns of `BOUGHT_WITH`.

    Listed are products that a customer bought too, and for which this purchase says something, as in lists of new
    products. A product that was bought alone, or that EASE does not know, has none.
    """
    inside = model.products.gather(model.in_similarities)
    trend = model.trend[model.in_similarities] ** model.settings.new_product.trend
    scores = model.similarities * trend
    scores[~model.together | (scores <= 0)] = -np.inf
    return _listed(scores, inside, inside, most, BOUGHT_WITH)


def choose(interactions: pl.DataFrame, cut_off: dt.date) -> Settings:
    """Returns the settings with the best lists in the days before a cut-off, learnt before these.

    The ridge is chosen with the blends of the defaults, then the blends with that ridge, by NDCG of lists; those of new
    products show `LEAST_COVERAGE` of products, or almost as many as those of any blend. With few customers, it is the
    defaults.
    """
    start = cut_off - dt.timedelta(RECENT)
    before = _before(interactions, start)
    after = _before(interactions, cut_off).filter(pl.col("day") >= start).select("customer_id", "product_id").unique()
    after = after.join(before, on="customer_id", how="semi").join(before, on="product_id", how="semi")
    new = after.join(before, on=["customer_id", "product_id"], how="anti")
    default = Settings()
    if min(rows["customer_id"].n_unique() for rows in (after, new)) < FEWEST_BUYERS:
        return default

    def scores(model: Recommender, blends: Sequence[Blend], *, only_new: bool) -> list[tuple[float, float]]:
        wanted = _some(new if only_new else after)
        lists = _lists(model, blends, before, start, wanted["customer_id"], only_new=only_new, most=LISTED)
        ndcg = [of_lists(shown, wanted, "customer_id", LISTED)["ndcg"].to_numpy().mean() for shown in lists]
        shares = [coverage(shown, len(model.products), LISTED) for shown in lists]
        return [(round(float(score), _DECIMALS), share) for score, share in zip(ndcg, shares, strict=True)]

    def of_defaults(model: Recommender) -> float:
        [(any_product, _)] = scores(model, [default.any_product], only_new=False)
        [(new_product, _)] = scores(model, [default.new_product], only_new=True)
        return any_product + new_product

    model = max((fit(before, start, replace(default, ridge=ridge)) for ridge in _RIDGES), key=of_defaults)
    any_product = max(zip(scores(model, _ANY, only_new=False), _ANY, strict=True), key=lambda found: found[0][0])[1]
    found = scores(model, _NEW, only_new=True)
    least = min(LEAST_COVERAGE, _ALMOST * max(share for _, share in found))
    allowed = [(score, blend) for (score, share), blend in zip(found, _NEW, strict=True) if share >= least]
    new_product = max(allowed, key=lambda found: found[0])[1]
    return replace(model.settings, any_product=any_product, new_product=new_product)


def _some(wanted: pl.DataFrame) -> pl.DataFrame:
    """What `_MOST_CHOOSERS` customers want, evenly spread over all of them."""
    customers = wanted["customer_id"].unique().sort()
    step = -(-len(customers) // _MOST_CHOOSERS)
    return wanted.filter(pl.col("customer_id").is_in(customers.gather_every(step).implode()))


def _lists(
    model: Recommender,
    blends: Sequence[Blend],
    interactions: pl.DataFrame,
    cut_off: dt.date,
    customers: pl.Series,
    *,
    only_new: bool,
    most: int,
) -> list[pl.DataFrame]:
    """The lists of `recommend`, by each of some blends."""
    listed = customers.cast(pl.String).unique().sort()
    known = _before(interactions, cut_off).join(listed.to_frame("customer_id"), on="customer_id", how="semi")
    known = known.filter(pl.col("product_id").is_in(model.products.implode()))
    age = (pl.lit(cut_off) - pl.col("day")).dt.total_days()
    own = {
        days: _matrix(known.with_columns(weight=pl.col("weight") * 0.5 ** (age / days)), listed, model.products)
        for days in {blend.half_life for blend in blends}
    }
    bought = _matrix(known, listed, model.products)
    parts: list[list[pl.DataFrame]] = [[pl.DataFrame(schema=LISTS)] for _ in blends]
    at_once = max(1, _NUMBERS_AT_ONCE // max(len(model.products), 1))
    for start in range(0, len(listed) if len(model.products) else 0, at_once):
        some = slice(start, start + at_once)
        similar = bought[some].minimum(1)[:, model.in_similarities] @ model.similarities
        for lists, blend in zip(parts, blends, strict=True):
            scores = np.log1p(own[blend.half_life][some].toarray()) + (blend.popular + _SELDOM) * model.popularity
            trend = model.trend[model.in_similarities] ** blend.trend
            scores[:, model.in_similarities] += blend.similar * trend * similar
            if only_new:
                scores[bought[some].nonzero()] = -np.inf
            lists.append(_listed(scores, listed[some], model.products, most, LISTS))
    return [pl.concat(lists) for lists in parts]


def _before(interactions: pl.DataFrame, cut_off: dt.date) -> pl.DataFrame:
    """Interactions before a day that count, in one order."""
    known = interactions.select("customer_id", "product_id", "day", pl.col("weight").cast(pl.Float64)).drop_nulls()
    counting = known.filter(pl.col("day") < cut_off, pl.col("weight") > 0, pl.col("weight").is_finite())
    return counting.sort("customer_id", "product_id", "day", "weight")


def _totals(known: pl.DataFrame, products: pl.Series) -> Floats:
    """The weight of each product."""
    totals = known.group_by("product_id", maintain_order=True).agg(pl.col("weight").sum())
    listed = products.to_frame("product_id").join(totals, on="product_id", how="left", maintain_order="left")
    return np.asarray(listed["weight"].fill_null(0).to_numpy(), dtype=np.float64)


def _share_of_largest(totals: Floats) -> Floats:
    return np.asarray(totals / max(totals.max(initial=0), 1e-300))


def _matrix(known: pl.DataFrame, customers: pl.Series, products: pl.Series) -> sparse.csr_matrix:
    """The total weight of each customer and product."""
    rows, columns = (
        known.select(name).join(all_.to_frame(name).with_row_index(), on=name, how="left", maintain_order="left")[
            "index"
        ]
        for name, all_ in (("customer_id", customers), ("product_id", products))
    )
    shape = (len(customers), len(products))
    return sparse.csr_matrix((known["weight"].to_numpy(), (rows.to_numpy(), columns.to_numpy())), shape=shape)


def _ease(counts: Floats, ridge: float) -> Floats:
    """The similarities of equation 8: -P / diag(P) with P the inverse of counts plus ridge, 0 for a product itself."""
    if not counts.size:
        return counts
    inverse = linalg.inv(counts + ridge * np.eye(len(counts)), assume_a="pos", overwrite_a=True)
    inverse /= -np.diag(inverse).copy()
    np.fill_diagonal(inverse, 0)
    return np.asarray(inverse)


def _listed(scores: Floats, of: pl.Series, products: pl.Series, most: int, columns: dict) -> pl.DataFrame:
    """The best products of each row, in the columns named: of, rank, product, score; none at minus infinity."""
    rounded = np.round(scores, _DECIMALS)
    most = min(most, len(products))
    first = rounded - np.linspace(0, 0.4 * 10.0**-_DECIMALS, len(products))
    best = np.argpartition(-first, most - 1, axis=1)[:, :most] if most else np.empty((len(of), 0), dtype=np.int64)
    best = np.take_along_axis(best, np.argsort(-np.take_along_axis(first, best, axis=1), axis=1), axis=1)
    rows = np.repeat(np.arange(len(of)), best.shape[1])
    ranks = np.tile(np.arange(1, best.shape[1] + 1), len(of))
    chosen = np.take_along_axis(rounded, best, axis=1).ravel()
    found = [of.gather(rows), ranks, products.gather(best.ravel()), chosen]
    lists = pl.DataFrame(dict(zip(columns, found, strict=True)), schema=columns)
    return lists.filter(pl.col("score").is_finite())
