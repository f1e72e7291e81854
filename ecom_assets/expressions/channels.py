"""Marketing channels of visits: the default channel group of Google Analytics 4, by source, medium and campaign.

The order of the conditions is Google's, and so are the channels, in lower case. Beyond Google's, a medium may name the
network itself (`paid_social`, `paid-search`), and a source without medium that is no known site is a referral.
"""

import narwhals as nw

DIRECT, REFERRAL, UNASSIGNED = "direct", "referral", "unassigned"
CHANNELS = [
    DIRECT,
    "cross-network",
    "paid shopping",
    "paid search",
    "paid social",
    "paid video",
    "display",
    "paid other",
    "organic shopping",
    "organic social",
    "organic video",
    "organic search",
    REFERRAL,
    "email",
    "affiliates",
    "audio",
    "sms",
    "mobile push",
    UNASSIGNED,
]
PAID_CHANNELS = [name for name in CHANNELS if name.startswith(("paid", "display", "cross-network"))]
UNKNOWN = "unknown"
"""The channel of an order without a known visit, or of spend whose campaign is unknown."""
ANY_CHANNEL = f"Marketing channel: {', '.join([*CHANNELS, UNKNOWN])}"
NO_CAMPAIGN = "none"
"""The campaign of a visit without one."""

START, CONVERSION, NO_CONVERSION = "start", "conversion", "no conversion"
"""Start and ends of a journey over channels."""


def campaign_key(name: str) -> nw.Expr:
    """Returns a campaign's name in the one spelling by which links and campaigns meet: case and spaces do not count."""
    spaced = nw.col(name).str.to_lowercase().str.replace_all(r"[\s+]+|%20", " ")
    return spaced.str.strip_chars()


def named_channel(name: str) -> nw.Expr:
    """Returns the channel that a text means, in any case and with - or _ for spaces; the text itself if it is none."""
    plain = nw.col(name).str.strip_chars().str.to_lowercase().str.replace_all(r"[\s_-]+", " ")
    named = nw.col(name)
    for channel in CHANNELS:
        named = nw.when(plain == channel.replace("-", " ")).then(nw.lit(channel)).otherwise(named)
    return named


def _site(*names: str) -> str:
    """Returns the pattern of sources that are one of these sites: facebook, m.facebook.com or facebook_ads alike."""
    return rf"^([\w-]+\.)*({'|'.join(names)})([-_ ]?ads)?(\.[a-z]+)*$"


SEARCH = _site(
    *("google", "bing", "yahoo", "duckduckgo", "baidu", "yandex", "ya", "ecosia", "naver", "daum", "seznam", "sogou"),
    *("qwant", "startpage", "brave", "ask", "aol", "msn", "lycos", "adwords"),
)
SOCIAL = _site(
    *("facebook", "fb", "meta", "instagram", "ig", "threads", "twitter", "x", r"t\.co", "linkedin", r"lnkd\.in"),
    *("tiktok", "pinterest", "pin", "reddit", "snapchat", "quora", "tumblr", "vk", "vkontakte", "weibo", "bluesky"),
    *("bsky", "mastodon", "whatsapp", "telegram", "messenger", "wechat", "line", "xing", "social"),
)
VIDEO = _site("youtube", r"youtu\.be", "vimeo", "twitch", "dailymotion", "netflix", "hulu", "disneyplus", "youku")
SHOPPING = _site(
    *("amazon", "ebay", "etsy", "walmart", "aliexpress", "alibaba", "mercadolibre", "idealo", "shopzilla", "shopping"),
    *(r"shop\.app", r"shopping\.google", "googleshopping", "pricegrabber", "kelkoo", "bol", "zalando", "rakuten"),
)
PAID = "^(.*cp.*|ppc|retargeting|paid.*)$"


def channel() -> nw.Expr:
    """Returns the channel of `utm_source`, `utm_medium` and `utm_campaign`, which are in lower case or null."""
    source, medium, campaign = (nw.col(f"utm_{part}").fill_null("") for part in ("source", "medium", "campaign"))
    is_paid = medium.str.contains(PAID)
    about_shops = campaign.str.contains("^(.*(([^a-df-z]|^)shop|shopping).*)$")
    is_search, is_social, is_video = (source.str.contains(sites) for sites in (SEARCH, SOCIAL, VIDEO))
    is_shopping = source.str.contains(SHOPPING) | about_shops
    emails = ["email", "e-mail", "e_mail", "e mail"]
    social = "^(social|social[-_ ]network|social[-_ ]media|sm)$"
    cases = [
        (DIRECT, source.is_in(["", DIRECT]) & (medium == "")),
        ("cross-network", campaign.str.contains("cross-network")),
        ("paid shopping", is_paid & (is_shopping | medium.str.contains("shopping"))),
        ("paid search", is_paid & (is_search | medium.str.contains("search"))),
        ("paid social", is_paid & (is_social | medium.str.contains("social"))),
        ("paid video", is_paid & (is_video | medium.str.contains("video"))),
        ("display", medium.is_in(["display", "banner", "expandable", "interstitial", "cpm"])),
        ("paid other", is_paid),
        ("organic shopping", is_shopping),
        ("organic social", is_social | medium.str.contains(social)),
        ("organic video", is_video | medium.str.contains("video")),
        ("organic search", is_search | (medium == "organic")),
        (REFERRAL, medium.is_in([REFERRAL, "app", "link"])),
        ("email", source.is_in(emails) | medium.is_in([*emails, "newsletter"])),
        ("affiliates", medium.is_in(["affiliate", "affiliates"])),
        ("audio", medium == "audio"),
        ("sms", (source == "sms") | (medium == "sms")),
        ("mobile push", medium.str.contains("push$|mobile|notification") | (source == "firebase")),
        (REFERRAL, medium == ""),
    ]
    named = nw.lit(UNASSIGNED)
    for name, holds in reversed(cases):
        named = nw.when(holds).then(nw.lit(name)).otherwise(named)
    return named
