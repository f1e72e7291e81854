"""Marketing channels: what brought a visit, by its source and medium."""

import narwhals as nw

CHANNEL_OF_MEDIUM = {
    "organic": "organic",
    "cpc": "paid search",
    "ppc": "paid search",
    "paid": "paid search",
    "paid_search": "paid search",
    "social": "social",
    "paid_social": "social",
    "email": "email",
    "newsletter": "email",
    "affiliate": "affiliate",
}
DIRECT, REFERRAL = "direct", "referral"
CHANNELS = [DIRECT, *dict.fromkeys(CHANNEL_OF_MEDIUM.values()), REFERRAL]
UNKNOWN = "unknown"
"""The channel of what no visit is known to have brought, or of spend whose campaign is not known."""
ANY_CHANNEL = f"What brings visits: {', '.join([*CHANNELS, UNKNOWN])}"
NO_CAMPAIGN = "none"
"""Stands for the campaign where there is none."""

START, CONVERSION, NO_CONVERSION = "start", "conversion", "no conversion"
"""Where a journey over channels begins, and how it ends."""


def channel() -> nw.Expr:
    """The channel of `utm_source` and `utm_medium`: direct without both, referral where no other fits."""
    named = nw.col("utm_medium").replace_strict(CHANNEL_OF_MEDIUM, default=REFERRAL)
    is_direct = nw.col("utm_source").is_null() & nw.col("utm_medium").is_null()
    return nw.when(is_direct).then(nw.lit(DIRECT)).otherwise(named)
