"""Charts of what advertising costs and brings, and of what visitors do in the shop."""

from ecom_assets.dashboard.declared import Chart, Form, Good, Page, Series
from ecom_assets.dashboard.today import MARKETING_CHANNEL
from ecom_assets.serving.report import Unit

_SPEND = Series("Spend", "sum(spend)", unit=Unit.MONEY, column="spend")
_MER = Series("Marketing efficiency ratio", "sum(revenue)", "sum(spend)", Unit.RATIO, "mer")
_CAC = Series("Acquisition cost", "nullif(sum(spend), 0)", "sum(new_customers)", Unit.MONEY, "cac")
_ABANDONMENT = Series("Cart abandonment", "sum(abandoned_carts)", "sum(carts)", Unit.SHARE, "cart_abandonment_rate")
_CONVERSION = Series("Conversion rate", "sum(open_purchase)", "sum(sessions)", Unit.SHARE, "conversion_rate")
_STEPS = ("view", "cart", "checkout", "payment", "purchase")

PAGE = Page(
    "marketing",
    "Marketing",
    (
        Chart(
            "spend_by_day",
            "Advertising spend by day",
            "What is spent, and on which channels?",
            Form.BARS,
            "kpi.daily_marketing",
            (_SPEND,),
            by=("day", "channel"),
            total=_SPEND,
            filters=MARKETING_CHANNEL,
        ),
        Chart(
            "mer_by_day",
            "Marketing efficiency ratio",
            "How much revenue comes per amount spent?",
            Form.LINES,
            "kpi.daily_acquisition",
            (_MER,),
            total=_MER,
            good=Good.UP,
        ),
        Chart(
            "cac_by_channel",
            "Acquisition cost by channel",
            "What does a new customer cost?",
            Form.RANKED,
            "kpi.daily_marketing",
            (_CAC,),
            by=("channel",),
            total=_CAC,
            good=Good.DOWN,
            filters=MARKETING_CHANNEL,
        ),
        Chart(
            "attribution_models",
            "Revenue by attribution model",
            "Which channels earn the orders, by whose reckoning?",
            Form.HEAT,
            "kpi.attribution",
            (Series("Revenue", "sum(revenue)", unit=Unit.MONEY, column="revenue"),),
            by=("channel", "model"),
            filters=MARKETING_CHANNEL,
        ),
        Chart(
            "funnel",
            "Funnel, closed and open",
            "Where do visits end?",
            Form.STEPS,
            "kpi.daily_funnel",
            tuple(
                Series(f"{kind}: {step}", f"sum({kind}_{step})", column=f"{kind}_{step}")
                for step in _STEPS
                for kind in ("closed", "open")
            ),
            by=(),
            total=Series("Sessions", "sum(sessions)", column="sessions"),
            good=Good.UP,
            filters=MARKETING_CHANNEL,
        ),
        Chart(
            "conversion_by_device",
            "Conversion rate by device",
            "On what do visitors buy?",
            Form.LINES,
            "kpi.daily_funnel",
            (_CONVERSION,),
            by=("day", "device"),
            total=_CONVERSION,
            good=Good.UP,
            filters=MARKETING_CHANNEL,
        ),
        Chart(
            "abandonment_by_day",
            "Cart abandonment by day",
            "How many carts are left behind?",
            Form.LINES,
            "kpi.daily_carts",
            (_ABANDONMENT,),
            total=_ABANDONMENT,
            good=Good.DOWN,
            filters=MARKETING_CHANNEL,
        ),
    ),
)
