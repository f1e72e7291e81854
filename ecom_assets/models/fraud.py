"""Fraud: how likely each order is to be one, from what was known when it was placed and paid.

Logistic regression with a ridge (Hoerl and Kennard 1970, Technometrics 12; le Cessie and van Houwelingen 1992, Applied
Statistics 41) by Newton's method, on standardised features. Its scores are calibrated by Platt's method (Platt 1999,
"Probabilistic Outputs for Support Vector Machines") on orders that the fit had not seen, fold by fold.

An order is known to be a fraud once it is cancelled for that reason or charged back, and to be none `SETTLED_DAYS`
after it. Until then an order without such a sign counts as a good one in part, as far as frauds are usually known at
its age: otherwise the latest orders would all count as good ones, or only frauds among them would count.

Beside the model stand two floors: the points of `rules`, and the amount alone. Without `FEWEST` known frauds, or as
many orders that are none, or if the fit ranks unseen orders no better than chance, the points of the rules are all that
there is, each as likely as `of_points` says.
"""

import datetime as dt
import json
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
import polars as pl
from scipy.special import expit

from ecom_assets.models.fitting import Floats, rounded

SETTLED_DAYS = 120
"""Days after which an order that was not charged back will not be: the time that card schemes leave a holder."""
SOONEST_DAYS, KNOWN_AT_ONCE = 30, 0.3
"""Days until the first charge-backs, and share of the frauds that are known before, since they were cancelled."""
FEWEST = 20
REVIEWED = 100
"""Orders that can be reviewed on a day."""
FALSE_ALARMS = 0.01
"""Share of the good orders above which recall is told."""
RIDGE = 3.0
"""Weight of the penalty on squared weights of standardised features, in orders."""
FOLDS = 5
_STEPS, _PRECISION = 50, 1e-10

ATTEMPTS_WITHIN = dt.timedelta(days=1)
"""Time after an order in which attempts to pay tell of it."""
IN_A_ROW = "15m"
NIGHT_HOURS = 6

FEATURES = (
    "amount",
    "unit_value",
    "against_history",
    "is_first",
    "is_guest",
    "account_days",
    "silent_days",
    "is_abroad",
    "failed_attempts",
    "is_night",
    "orders_in_a_row",
    "charge_backs_before",
    "is_card",
    "is_express",
    "is_new_and_dear",
    "is_new_at_night",
)
"""Features of an order, floats without nulls. Amounts, units and days are natural logarithms of one more than the
number; `against_history` is the logarithm of the amount by the mean of the customer's orders before, 0 without any;
`orders_in_a_row` are those of the same customer, or of guests, in the quarter of an hour up to the order."""

RULES: dict[str, tuple[int, pl.Expr]] = {
    "several failed payments": (2, pl.col("failed_attempts") >= 2),
    "a failed payment": (1, pl.col("failed_attempts") == 1),
    "orders in a row": (3, pl.col("orders_in_a_row") >= 3),
    "a new account or none, and a high amount": (2, pl.col("is_new_and_dear") > 0),
    "sent to another country than the customer's": (2, pl.col("is_abroad") > 0),
    "at night": (1, pl.col("is_night") > 0),
    "a much higher amount than before": (1, pl.col("against_history") > 1),
    "in haste": (1, pl.col("is_express") > 0),
    "charged back before": (3, pl.col("charge_backs_before") > 0),
}
"""What makes an order suspect: points, and when."""
NEW_DAYS, HIGH_AMOUNT = 30, 150.0
"""Days for which an account is new, and amount from which one is high, in the shop's currency."""
_ODDS_OF_NONE, _PER_POINT = -6.0, 0.9


@dataclass(frozen=True)
class FraudModel:
    """Weights of standardised features, and how scores become probabilities; without weights, the rules alone."""

    means: tuple[float, ...] = ()
    spreads: tuple[float, ...] = ()
    weights: tuple[float, ...] = ()
    intercept: float = 0.0
    slope: float = 1.0
    offset: float = 0.0

    def to_json(self) -> str:
        """Returns the parameters; equal models have equal text."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Returns the model of a text of `to_json`. Raises ValueError, KeyError or TypeError if it is none."""
        found = json.loads(text)
        columns = {name: tuple(found[name]) for name in ("means", "spreads", "weights")}
        return cls(**{**found, **columns})


def features(orders: pl.DataFrame, payments: pl.DataFrame, customers: pl.DataFrame) -> pl.DataFrame:
    """Returns `order_id`, `ordered_at` and the `FEATURES` of each order, by number.

    The frames are rows as they were known at a moment; an order's features take nothing from later than the order, but
    for attempts to pay it. Columns:

    - `orders`: `order_id`, `customer_id` (null for guests), `ordered_at`, `country`, `units`, `amount` (what is to be
      paid), `is_express` (null if unknown).
    - `payments`: `order_id`, `paid_at`, `method`, `status`.
    - `customers`: `customer_id`, `country`, `registered_at`; one row each. Any may lack.
    """
    c = pl.col
    placed = orders.sort("ordered_at", "order_id").with_columns(c("amount", "units").cast(pl.Float64).fill_null(0))
    is_known = c("customer_id").is_not_null()
    earlier = c("amount").cum_sum().over("customer_id") - c("amount")
    number = pl.int_range(pl.len()).over("customer_id")
    home = customers.select("customer_id", "registered_at", home=c("country"))
    since = (c("ordered_at") - c("registered_at")).dt.total_seconds() / 86_400
    silent = c("ordered_at").diff().over("customer_id").dt.total_seconds() / 86_400
    rows = (
        placed.join(home, on="customer_id", how="left", maintain_order="left")
        .join(_in_a_row(placed), on=["customer_id", "ordered_at"], how="left", nulls_equal=True, maintain_order="left")
        .join(_attempts(placed, payments), on="order_id", how="left", maintain_order="left")
        .join(_charge_backs(placed, payments), on="order_id", how="left", maintain_order="left")
        .with_columns(
            before=pl.when(is_known).then(number).otherwise(0),
            mean_before=pl.when(is_known & (number > 0)).then(earlier / number),
            days=pl.when(is_known).then(since),
        )
    )
    is_new = ~is_known | (c("days").fill_null(NEW_DAYS) < NEW_DAYS) & (c("before") == 0)
    is_abroad = is_known & (c("country") != c("home"))
    is_night = c("ordered_at").dt.hour() < NIGHT_HOURS
    made = {
        "amount": c("amount").clip(0).log1p(),
        "unit_value": (c("amount").clip(0) / c("units").clip(1)).log1p(),
        "against_history": ((c("amount").clip(0) + 1) / (c("mean_before").clip(0) + 1)).log(),
        "is_first": is_known & (c("before") == 0),
        "is_guest": ~is_known,
        "account_days": c("days").clip(0).log1p(),
        "silent_days": pl.when(is_known).then(silent.clip(0).log1p()),
        "is_abroad": is_abroad,
        "failed_attempts": c("failed_attempts").clip(0, 5),
        "is_night": is_night,
        "orders_in_a_row": c("orders_in_a_row").clip(1, 6),
        "charge_backs_before": c("charge_backs_before").clip(0, 3),
        "is_card": c("is_card"),
        "is_express": c("is_express"),
        "is_new_and_dear": is_new & (c("amount") >= HIGH_AMOUNT),
        "is_new_at_night": is_new & is_night,
    }
    numbers = [expr.cast(pl.Float64).fill_nan(0).fill_null(0).alias(name) for name, expr in made.items()]
    return rows.select("order_id", "ordered_at", *numbers).sort("order_id")


def labels(orders: pl.DataFrame, payments: pl.DataFrame) -> pl.DataFrame:
    """Returns `order_id` and `is_fraud` of each order, by number, as far as it is known by now.

    `orders` has `order_id` and `cancel_reason`, `payments` `order_id` and `status`: rows as known at a moment.
    """
    taken_back = payments.filter(pl.col("status") == "charged_back")["order_id"].unique()
    is_fraud = (pl.col("cancel_reason") == "fraud").fill_null(value=False) | pl.col("order_id").is_in(
        taken_back.implode()
    )
    return orders.select("order_id", is_fraud=is_fraud).sort("order_id")


def rules(found: pl.DataFrame) -> Floats:
    """Returns the points of each order by the `RULES`, from a frame of features."""
    points = pl.sum_horizontal(pl.when(applies).then(points).otherwise(0) for points, applies in RULES.values())
    return found.select(points.cast(pl.Float64)).to_series().to_numpy()


def reasons(found: pl.DataFrame) -> pl.Series:
    """Returns which of the `RULES` apply to each order, as one text; empty if none does."""
    names = [pl.when(applies).then(pl.lit(name)) for name, (_, applies) in RULES.items()]
    return found.select(reasons=pl.concat_str(names, separator=", ", ignore_nulls=True)).to_series()


def of_points(points: Floats) -> Floats:
    """Returns how likely orders with so many points are to be frauds, where nothing has been learnt: a guess."""
    return np.asarray(expit(_ODDS_OF_NONE + _PER_POINT * points))


def known_share(age: Floats) -> Floats:
    """Returns which share of the frauds is known at an age of orders in days."""
    passed = np.clip((age - SOONEST_DAYS) / (SETTLED_DAYS - SOONEST_DAYS), 0, 1)
    return KNOWN_AT_ONCE + (1 - KNOWN_AT_ONCE) * passed


def fit(found: pl.DataFrame, known: pl.DataFrame, cut_off: dt.datetime) -> FraudModel:
    """Returns the model of what was known at a moment, from frames of `features` and `labels`."""
    rows = found.join(known, on="order_id").filter(pl.col("ordered_at") <= cut_off).sort("order_id")
    is_fraud = rows["is_fraud"].cast(pl.Boolean).to_numpy().astype(bool)
    if min(is_fraud.sum(), (~is_fraud).sum()) < FEWEST:
        return FraudModel()
    age = rows.select((pl.lit(cut_off) - pl.col("ordered_at")).dt.total_seconds() / 86_400).to_series().to_numpy()
    counts = np.where(is_fraud, 1.0, known_share(age))
    values = rows.select(FEATURES).to_numpy()
    means, spreads = values.mean(axis=0), values.std(axis=0)
    spreads = np.where(spreads > 0, spreads, 1.0)
    design = (values - means) / spreads
    fold = np.arange(len(design)) % FOLDS
    unseen = np.zeros(len(design))
    for one in range(FOLDS):
        seen = fold != one
        weights = _logistic(design[seen], is_fraud[seen], counts[seen], RIDGE)
        unseen[~seen] = weights[0] + design[~seen] @ weights[1:]
    offset, slope = _logistic(unseen[:, None], is_fraud, counts, 0.0)
    if slope <= 0:
        return FraudModel()
    intercept, *slopes = _logistic(design, is_fraud, counts, RIDGE)
    return FraudModel(
        means=tuple(map(rounded, means)),
        spreads=tuple(map(rounded, spreads)),
        weights=tuple(map(rounded, slopes)),
        intercept=rounded(intercept),
        slope=rounded(slope),
        offset=rounded(offset),
    )


def predict(model: FraudModel, found: pl.DataFrame) -> pl.DataFrame:
    """Returns `order_id`, `chance` (0 to 1), `points` of the rules and `reasons` of each order, from its features."""
    points = rules(found)
    chance = of_points(points)
    if model.weights:
        design = (found.select(FEATURES).to_numpy() - np.array(model.means)) / np.array(model.spreads)
        score = model.intercept + design @ np.array(model.weights)
        chance = np.asarray(expit(model.offset + model.slope * score))
    return found.select("order_id", chance=pl.Series(chance), points=pl.Series(points), reasons=reasons(found))


def places(days: pl.Series, orders: pl.Series, scores: Floats) -> np.ndarray:
    """Returns an order's place among those of its day by score, from 1, the first by number of equal ones."""
    rows = pl.DataFrame({"day": days, "order": orders, "score": scores})
    return rows.select(pl.struct(-pl.col("score"), "order").rank("ordinal").over("day")).to_series().to_numpy()


def recall(scores: Floats, is_fraud: np.ndarray) -> float:
    """Returns the share of frauds above all but `FALSE_ALARMS` of the good orders; 0 without frauds."""
    limit = np.quantile(scores[~is_fraud], 1 - FALSE_ALARMS, method="higher") if (~is_fraud).any() else 0.0
    return float((scores[is_fraud] > limit).mean()) if is_fraud.any() else 0.0


def _logistic(design: Floats, happened: np.ndarray, counts: Floats, ridge: float) -> Floats:
    """Returns the intercept and the weights with the largest penalised likelihood, by Newton's method.

    A step is halved until the likelihood grows, so that separable rows do no harm.
    """
    rows = np.column_stack([np.ones(len(design)), design])
    penalty = np.diag([1e-6, *[ridge + 1e-6] * design.shape[1]])
    weights = np.zeros(rows.shape[1])

    def loss(at: Floats) -> float:
        score = rows @ at
        return float(counts @ (np.logaddexp(0, score) - happened * score) + at @ penalty @ at / 2)

    now = loss(weights)
    for _ in range(_STEPS):
        chance = expit(rows @ weights)
        gradient = rows.T @ (counts * (chance - happened)) + penalty @ weights
        curvature = (rows * (counts * chance * (1 - chance))[:, None]).T @ rows + penalty
        step = np.linalg.solve(curvature, gradient)
        while (after := loss(weights - step)) > now and np.abs(step).max() > _PRECISION:
            step = step / 2
        weights = weights - step
        if now - after <= _PRECISION * max(abs(now), 1):
            break
        now = after
    return weights


def _in_a_row(placed: pl.DataFrame) -> pl.DataFrame:
    """Returns, by customer and moment, the orders of the customer, or of guests, in the time up to and at it."""
    one = ["customer_id", "ordered_at"]
    at_moments = placed.group_by(one).agg(orders=pl.len()).sort("ordered_at")
    rolled = at_moments.rolling("ordered_at", period=IN_A_ROW, closed="both", group_by="customer_id")
    return rolled.agg(orders_in_a_row=pl.col("orders").sum())


def _attempts(placed: pl.DataFrame, payments: pl.DataFrame) -> pl.DataFrame:
    """Returns the failed attempts to pay each order soon after it, and whether a card was tried."""
    is_attempt = ~pl.col("status").is_in(["refunded", "charged_back"])
    is_soon = pl.col("paid_at") <= pl.col("ordered_at") + ATTEMPTS_WITHIN
    tried = payments.join(placed.select("order_id", "ordered_at"), on="order_id").filter(is_attempt, is_soon)
    return tried.group_by("order_id").agg(
        failed_attempts=(pl.col("status") == "failed").sum(), is_card=(pl.col("method") == "card").any()
    )


def _charge_backs(placed: pl.DataFrame, payments: pl.DataFrame) -> pl.DataFrame:
    """Returns how often each order's customer had been charged back before."""
    owner = placed.select("order_id", "customer_id")
    taken_back = payments.filter(pl.col("status") == "charged_back").join(owner, on="order_id")
    taken_back = taken_back.drop_nulls("customer_id").select("customer_id", "paid_at")
    both = placed.select("order_id", "customer_id", "ordered_at").join(taken_back, on="customer_id")
    before = both.filter(pl.col("paid_at") <= pl.col("ordered_at"))
    return before.group_by("order_id").agg(charge_backs_before=pl.len())
