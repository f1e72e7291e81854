"""Marketing channels of visits, by source and medium."""

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
"""The channel of an order without a known visit, or of spend whose campaign is unknown."""
ANY_CHANNEL = f"Marketing channel: {', '.join([*CHANNELS, UNKNOWN])}"
NO_CAMPAIGN = "none"
"""The campaign of a visit without one."""

START, CONVERSION, NO_CONVERSION = "start", "conversion", "no conversion"
"""Start and ends of a journey over channels."""


def channel() -> nw.Expr:
    """Returns the channel of `utm_source` and `utm_medium`: direct without both, referral if no other fits."""
    named = nw.col("utm_medium").replace_strict(CHANNEL_OF_MEDIUM, default=REFERRAL)
    is_direct = nw.col("utm_source").is_null() & nw.col("utm_medium").is_null()
    return nw.when(is_direct).then(nw.lit(DIRECT)).otherwise(named)
