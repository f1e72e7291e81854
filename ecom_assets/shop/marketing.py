"""Marketing: the sources of visits, the campaigns that bring them, and their cost."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import polars as pl

from ecom_assets.shop.changes import Changes
from ecom_assets.shop.draws import DAY, HOUR, Floats, Ints, generator, uniforms
from ecom_assets.shop.rows import Rows, amounts, concat, days_of, frame, numbered, pool, send, take, texts, timestamps
from ecom_assets.shop.timetable import CAMPAIGN_DAYS, CAMPAIGN_LIFT, Timetable, is_campaign


class Source(NamedTuple):
    """A source of visits.

    `share` is its share of visits on ordinary days, `week_share` in the campaign week. A visit is `lift` times as
    likely to buy as one of a source with lift 1. `click_rate` is the share of impressions that are clicked; a click
    costs `click_cost` cents.
    """

    source: str | None
    medium: str | None
    campaign: str | None
    share: float
    week_share: float
    lift: float
    click_cost: int = 0
    click_rate: float = 0.0


CAMPAIGN = "birthday-week"
SOURCES = [
    Source(None, None, None, 0.34, 0.34, 1.1),
    Source("google", "organic", None, 0.22, 0.22, 1.0),
    Source("google", "cpc", "brand", 0.1, 0.1, 1.6, 75, 0.08),
    Source("google", "cpc", "shopping", 0.08, 0.08, 1.2, 95, 0.02),
    Source("facebook", "paid_social", "prospecting", 0.07, 0.07, 0.4, 130, 0.008),
    Source("instagram", "paid_social", "retargeting", 0.06, 0.06, 1.3, 115, 0.012),
    Source("newsletter", "email", "weekly", 0.08, 0.08, 1.5, 12, 0.03),
    Source("partner", "affiliate", None, 0.05, 0.05, 0.8),
    Source("newsletter", "email", CAMPAIGN, 0.0, 0.2, 1.7, 12, 0.05),
    Source("facebook", "paid_social", CAMPAIGN, 0.0, 0.15, 0.7, 120, 0.01),
]
UTM_SOURCES, UTM_MEDIUMS, UTM_CAMPAIGNS = (
    pl.Series([*(source[part] for source in SOURCES), None], dtype=pl.String) for part in range(3)
)
_LIFTS, _CLICK_COSTS, _CLICK_RATES = (np.array([source[part] for source in SOURCES]) for part in (5, 6, 7))

EVERGREEN = [place for place, source in enumerate(SOURCES) if source.campaign not in (None, CAMPAIGN)]
YEARLY = [place for place, source in enumerate(SOURCES) if source.campaign == CAMPAIGN]
CAMPAIGN_NAMES = pool([str(SOURCES[place].campaign) for place in EVERGREEN + YEARLY])
CHANNELS = pool(["paid search", "paid shopping", "paid social", "paid social", "email", "email", "paid social"])
OBJECTIVES = pool(["awareness", "sales", "acquisition", "retention", "retention", "sales", "sales"])
BUDGET_ROOM, BUDGET_UNIT = 1.25, 1_000
"""A campaign's first budget per day, per expected cost of an ordinary day; and what it is rounded up to, in cents."""
PREPARED = 14
"""Days before its start at which a yearly campaign is set up."""
BUDGET_STEP = 0.1

REPORTED, RESTATED = DAY + 6 * HOUR, 3 * DAY + 6 * HOUR
"""Time from the start of a day to the first report of its clicks, and to the second."""
RESTATED_SHARE, INVALID_CLICK_SHARE = 0.25, 0.05


def visit_shares(day: int) -> Floats:
    """Returns the share of each source in the visits of a day."""
    return _normalised(np.array([source.week_share if is_campaign(day) else source.share for source in SOURCES]))


def buyer_shares(day: int) -> Floats:
    """Returns the share of each source in the visits of a day that buy."""
    return _normalised(visit_shares(day) * _LIFTS)


def _normalised(weights: Floats) -> Floats:
    shares: Floats = weights / weights.sum()
    return shares


def campaign_ids(numbers: Ints) -> pl.Series:
    return numbered("K", numbers, 4)


@dataclass(frozen=True)
class Marketing:
    """Campaigns and their cost. The endless ones come first, then each year's."""

    timetable: Timetable

    @property
    def seed(self) -> int:
        return self.timetable.seed

    @cached_property
    def _budget_changes(self) -> Changes:
        return Changes(self.seed, "budget", periods=(30, 60, 90))

    @cached_property
    def _first_budgets(self) -> Floats:
        """Returns the budget per day of each kind of campaign when it is set up, in cents."""
        scale, place = self.timetable.scale, np.array(EVERGREEN + YEARLY)
        week = np.where(np.isin(place, YEARLY), CAMPAIGN_LIFT, 1.0)
        visits = scale.orders_per_day / scale.conversion * week
        cost = visits * np.maximum(visit_shares(0), visit_shares(CAMPAIGN_DAYS.start))[place] * _CLICK_COSTS[place]
        budgets: Floats = np.ceil(BUDGET_ROOM * cost / BUDGET_UNIT) * BUDGET_UNIT
        return budgets

    def _opened_at(self, campaign: Ints) -> Ints:
        return np.full_like(campaign, self.timetable.begins(0))

    def campaigns(self, day: int) -> Rows:
        """Returns the campaigns set up and the budgets changed on the day."""
        begins, year = self.timetable.begins(day), day // 365
        new = np.arange(len(EVERGREEN)) if day == 0 else np.array([], dtype=np.int64)
        if day % 365 == CAMPAIGN_DAYS.start - PREPARED:
            new = len(EVERGREEN) + year * len(YEARLY) + np.arange(len(YEARLY))
        made = {"campaign": new, "at": np.full_like(new, begins), "version": np.zeros_like(new)}
        changed = self._budget_changes.rows("campaign", len(EVERGREEN) if day else 0, self._opened_at, begins)
        rows = concat([made, changed])
        return send(generator(self.seed, "campaigns sent", day), rows, rows["at"])

    def campaigns_frame(self, rows: Rows) -> pl.DataFrame:
        campaign = rows["campaign"]
        kind, week = _kind(campaign), CAMPAIGN_DAYS.start + 365 * _year(campaign)
        is_yearly = kind >= len(EVERGREEN)
        first = self.timetable.begins(0) // DAY
        step = 2 * uniforms(self.seed, "budget step", campaign * 4096 + rows["version"]) - 1
        factor = np.where(rows["version"] > 0, 1 + BUDGET_STEP * np.rint(2 * step), 1.0)
        budget = self._first_budgets[kind] * factor
        return frame(
            {
                "campaign_id": campaign_ids(campaign),
                "name": texts(CAMPAIGN_NAMES, kind),
                "channel": texts(CHANNELS, kind),
                "objective": texts(OBJECTIVES, kind),
                "starts_on": days_of(first + np.where(is_yearly, week, 0)),
                "ends_on": days_of(np.where(is_yearly, first + week + len(CAMPAIGN_DAYS) - 1, -1)),
                "daily_budget": amounts(np.rint(budget).astype(np.int64)),
                "updated_at": timestamps(rows["at"]),
            }
        )

    def ad_spend(self, day: int, clicks: Ints) -> Rows:
        """Returns impressions, clicks and cost of each running campaign on the day, for some also restated.

        `clicks` are those on each source.
        """
        rng = generator(self.seed, "ad spend", day)
        running = EVERGREEN + (YEARLY if is_campaign(day) else [])
        place = np.array(running)
        kind = np.arange(len(running))
        clicked = clicks[place]
        impressions = clicked + rng.poisson(clicked / _CLICK_RATES[place])
        cost = clicked * _CLICK_COSTS[place] * rng.uniform(0.9, 1.1, len(place))
        begins = self.timetable.begins(day)
        reported = {
            "campaign": kind + np.where(kind >= len(EVERGREEN), day // 365 * len(YEARLY), 0),
            "at": np.full(len(place), begins),
            "updated_at": np.full(len(place), begins + REPORTED),
            "impressions": impressions,
            "clicks": clicked,
            "spend": np.rint(cost).astype(np.int64),
        }
        shown = take(reported, impressions > 0)
        again = take(shown, rng.random(len(shown["clicks"])) < RESTATED_SHARE)
        valid = again["clicks"] - rng.binomial(again["clicks"], INVALID_CLICK_SHARE)
        restated = {
            **again,
            "updated_at": again["at"] + RESTATED,
            "clicks": valid,
            "spend": again["spend"] * valid // np.maximum(again["clicks"], 1),
        }
        rows = concat([shown, restated])
        return send(rng, rows, rows["updated_at"])


def _kind(campaign: Ints) -> Ints:
    """Returns which of the endless campaigns, or of one year's, a campaign is."""
    return np.where(campaign < len(EVERGREEN), campaign, len(EVERGREEN) + (campaign - len(EVERGREEN)) % len(YEARLY))


def _year(campaign: Ints) -> Ints:
    return np.maximum(campaign - len(EVERGREEN), 0) // len(YEARLY)


def ad_spend_frame(rows: Rows) -> pl.DataFrame:
    return frame(
        {
            "spend_on": days_of(rows["at"] // DAY),
            "campaign_id": campaign_ids(rows["campaign"]),
            "updated_at": timestamps(rows["updated_at"]),
            "impressions": pl.Series(rows["impressions"]),
            "clicks": pl.Series(rows["clicks"]),
            "spend": amounts(rows["spend"]),
        }
    )
