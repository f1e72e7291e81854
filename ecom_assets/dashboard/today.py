"""Charts of how the shop does: the report's measures, sales by day, hour, category and country, and what is left."""

from collections.abc import Mapping

from ecom_assets.dashboard.declared import Chart, Dimension, Form, Good, Page, Series
from ecom_assets.serving.report import MEASURES, Measure, Unit

SALES_CHANNEL = {Dimension.CHANNEL: "channel"}
MARKETING_CHANNEL = {Dimension.MARKETING_CHANNEL: "channel"}

TILES: Mapping[str, tuple[str, Good, Mapping[Dimension, str]]] = {
    "Net sales": ("net_sales", Good.UP, SALES_CHANNEL),
    "Orders": ("orders", Good.UP, SALES_CHANNEL),
    "Average order value": ("aov", Good.UP, SALES_CHANNEL),
    "New revenue": ("new_sales", Good.UP, {}),
    "Returning revenue": ("returning_sales", Good.UP, {}),
    "Repeat purchase rate to date": ("repeat_purchase_rate", Good.UP, {}),
    "Conversion rate": ("conversion_rate", Good.UP, MARKETING_CHANNEL),
    "Refund rate of the orders": ("refund_rate_value", Good.DOWN, SALES_CHANNEL),
    "Contribution margin": ("contribution_margin", Good.UP, {}),
    "Customer acquisition cost": ("cac", Good.DOWN, {}),
    "Marketing efficiency ratio": ("mer", Good.UP, {}),
    "Cart abandonment": ("cart_abandonment_rate", Good.DOWN, MARKETING_CHANNEL),
    "Payment failure rate": ("payment_failure_rate", Good.DOWN, {}),
    "On-time shipping": ("on_time_shipping", Good.UP, {}),
}
"""For each measure of the report, the column that defines it, whether it is good that it rises, and its filters."""


def tile(measure: Measure) -> Chart:
    """Returns a measure of the report as a small chart."""
    column, good, filters = TILES[measure.name]
    of = f"case when count({measure.column}) > 0 then {measure.of} end" if measure.column else measure.of
    series = Series(measure.name, of, measure.per, measure.unit, column, is_zero_without_rows=not measure.to_date)
    return Chart(
        name=measure.name.lower().replace(" ", "_").replace("-", "_"),
        title=measure.name,
        question="",
        form=Form.SPARK,
        table=measure.table,
        series=(series,),
        total=series,
        good=good,
        filters=filters,
        total_to_date=measure.to_date,
        caveat=measure.caveat,
        beside=("gold.fact_returns",) if "gold.fact_returns" in measure.of else (),
    )


NET_SALES = Series("Net sales", "sum(net_sales)", unit=Unit.MONEY, column="net_sales")
REVENUE = Series("Revenue", "sum(gross_sales - discounts)", unit=Unit.MONEY, column="gold.fact_sales.net_amount")
_VALID_LINES = "from gold.fact_sales where is_valid and not is_gift_card"

PAGE = Page(
    "today",
    "Today",
    tiles=tuple(map(tile, MEASURES)),
    charts=(
        Chart(
            "net_sales_by_day",
            "Net sales by day",
            "How do sales go, and how did they before?",
            Form.LINES,
            "kpi.daily_sales",
            (NET_SALES,),
            total=NET_SALES,
            good=Good.UP,
            filters=SALES_CHANNEL,
        ),
        Chart(
            "orders_by_hour",
            "Orders by hour",
            "When do customers buy?",
            Form.COLUMNS,
            "gold.fact_sales",
            (Series("Orders", "count(distinct order_id)", column="kpi.daily_sales.orders"),),
            by=("hour",),
            total=Series("Orders", "count(distinct order_id)"),
            good=Good.UP,
            filters={Dimension.CHANNEL: "channel", Dimension.COUNTRY: "country"},
            source="select ordered_on as day, order_id, channel, country, "
            f"hour(timezone($time_zone, timezone('UTC', ordered_at))) as hour {_VALID_LINES}",
            keys=tuple(range(24)),
            labels={"hour": "Hour of the shop's day"},
        ),
        Chart(
            "from_gross_sales_to_margin",
            "From gross sales to contribution margin",
            "Where does the money go?",
            Form.BRIDGE,
            "kpi.daily_margin",
            (
                Series("Gross sales", "sum(gross_sales)", unit=Unit.MONEY, column="kpi.daily_sales.gross_sales"),
                Series("Discounts", "-sum(discounts)", unit=Unit.MONEY, column="kpi.daily_sales.discounts"),
                Series("Returns", "-sum(returns)", unit=Unit.MONEY, column="kpi.daily_sales.returns"),
                Series("Goods", "-sum(cost_of_goods)", unit=Unit.MONEY, column="cost_of_goods"),
                Series("Shipping", "-sum(shipping_cost)", unit=Unit.MONEY, column="shipping_cost"),
                Series("Fees", "-sum(payment_fees)", unit=Unit.MONEY, column="payment_fees"),
                Series("Marketing", "-sum(marketing)", unit=Unit.MONEY, column="marketing"),
                Series("Margin", "sum(contribution_margin)", unit=Unit.MONEY, column="contribution_margin"),
            ),
            by=(),
            total=Series("Margin", "sum(contribution_margin)", unit=Unit.MONEY),
            good=Good.UP,
            # Of days whose returns are unknown, the margin is too.
            source="select m.*, s.gross_sales, s.discounts, s.returns from kpi.daily_margin m left join (select day, "
            "sum(gross_sales) as gross_sales, sum(discounts) as discounts, sum(returns) as returns from "
            "kpi.daily_sales group by day) s using (day) where m.contribution_margin is not null",
            beside=("kpi.daily_sales",),
        ),
        Chart(
            "net_sales_by_category",
            "Net sales by category",
            "What sells?",
            Form.RANKED,
            "kpi.daily_category_sales",
            (NET_SALES,),
            by=("category",),
            total=NET_SALES,
            good=Good.UP,
            filters={Dimension.CATEGORY: "category"},
        ),
        Chart(
            "revenue_by_country",
            "Revenue by country",
            "Where do orders go?",
            Form.RANKED,
            "gold.fact_sales",
            (REVENUE,),
            by=("country",),
            total=REVENUE,
            good=Good.UP,
            filters={Dimension.CHANNEL: "channel", Dimension.COUNTRY: "country"},
            source=f"select ordered_on as day, channel, country, gross_sales, discounts {_VALID_LINES}",
        ),
    ),
)
