"""Charts of what is likely to happen, what to do about it, and how far it has been right."""

from ecom_assets.dashboard.declared import Chart, Dimension, Form, Good, Page, Series, Span
from ecom_assets.serving.report import Unit

_VALUE = Series(
    "Expected value of a year", "round(sum(expected_value_365d), 2)", unit=Unit.MONEY, column="expected_value_365d"
)
_RECALL = Series("Recall", "round(max(recall), 6)", unit=Unit.SHARE, column="predictions.lists_by_length.recall")
_TENTH = {"line": "Model", "tenth": "Tenth of the customers, those predicted lowest first"}
_OF_TENTH = "predictions.value_calibration"
# The model with the least error of each period, apart from the floor.
_BEST = """
    select period_end, min_by(model, (rmse, model)) as model from predictions.value_scores
    where model <> 'steady_rate' group by period_end"""
_CALIBRATION = f"""
    with best as (select * from {_OF_TENTH} semi join ({_BEST}) using (period_end, model))
    select period_end, 'came' as line, tenth, actual as orders from best
    union all select period_end, 'predicted by ' || model, tenth, predicted from best
    union all select best.period_end, 'predicted by the floor', best.tenth, floor.predicted
    from best join {_OF_TENTH} as floor on floor.period_end = best.period_end and floor.model = 'steady_rate'"""
_GAIN = f"""
    select period_end, model, 11 - tenth as tenths,
        sum(count * actual) over (partition by period_end, model order by tenth desc)
        / nullif(sum(count * actual) over (partition by period_end, model), 0) as share
    from {_OF_TENTH}"""
# A floor is champion for as long as no date says since when.
_BESIDE_FLOORS = """
    select one.cut_off, replace(split_part(one.subject, '_', 1), 'customer', split_part(one.subject, '_', 2))
        || ': ' || one.model as model,
        case when one.measure in ('rmse', 'rmsse') then 1 - one.score / nullif(least.score, 0)
        else one.score / nullif(least.score, 0) - 1 end as better
    from predictions.registry as one join predictions.registry as least using (cut_off, subject)
    where one.model <> least.model and one.score is not null
        and (least.role = 'floor' or (least.role = 'champion' and least.champion_since is null))
    qualify one.cut_off = max(one.cut_off) over (partition by one.subject)"""


def _of_week(name: str, title: str, question: str, subject: str, unit: str) -> Chart:
    """Returns the chart of a table's weekly calibration."""
    series = [
        Series(said, f"round(sum({column}), 2)", column=column, is_zero_without_rows=False)
        for said, column in (
            ("Lower end", "low"),
            (f"{unit} expected", "expected"),
            ("Upper end", "high"),
            (f"{unit} that came", "actual"),
        )
    ]
    return Chart(
        name,
        title,
        question,
        Form.INTERVAL,
        "predictions.weekly_calibration",
        tuple(series),
        by=("cut_off",),
        day="cut_off",
        source=f"from predictions.weekly_calibration where subject = '{subject}'",
        labels={"cut_off": "Last day of the week"},
    )


PAGE = Page(
    "predictions",
    "Predictions",
    (
        Chart(
            "customers_at_risk",
            "Customers at risk",
            "How many customers have been silent for longer than is usual for them?",
            Form.COLUMNS,
            "predictions.customer_value",
            (
                Series(
                    "Customers at risk",
                    "count(*) filter (days_until_overdue < 0)",
                    column="days_until_overdue",
                    is_zero_without_rows=False,
                ),
            ),
            by=("cut_off",),
            day="cut_off",
            labels={"cut_off": "Sunday"},
        ),
        Chart(
            "expected_value",
            "Expected value of customers",
            "Which customers are going to carry the shop in a year?",
            Form.COLUMNS,
            "predictions.customer_value",
            (_VALUE,),
            by=("tenth",),
            day="cut_off",
            span=Span.LAST,
            total=_VALUE,
            good=Good.UP,
            source="""
                select cut_off, expected_value_365d,
                    ntile(10) over (partition by cut_off order by expected_value_365d desc, customer_id) as tenth
                from predictions.customer_value""",
            labels={"tenth": "Tenth of the customers, those of most value first"},
        ),
        _of_week(
            "units_forecast",
            "Units forecast and sold by week",
            "Does the shop sell what was expected a week before?",
            "demand_forecasts",
            "Units",
        ),
        _of_week(
            "orders_predicted",
            "Orders predicted and placed by week",
            "Do customers order as was expected a week before?",
            "customer_value",
            "Orders",
        ),
        Chart(
            "products_to_reorder",
            "What to reorder",
            "Which products are to be ordered now? The fifteen with most units are shown.",
            Form.RANKED,
            "predictions.reorder_points",
            (Series("Units to order", "round(sum(suggested_units), 2)", column="suggested_units"),),
            by=("product_id",),
            day="cut_off",
            span=Span.LAST,
            source="""
                from predictions.products_to_reorder
                qualify row_number() over (order by suggested_units desc, product_id) <= 15""",
            labels={"product_id": "Product"},
        ),
        Chart(
            "excess_stock",
            "Excess stock by category",
            "How much lies longer than half a year, at cost?",
            Form.RANKED,
            "predictions.reorder_points",
            (Series("Excess stock", "round(sum(excess_value), 2)", unit=Unit.MONEY, column="excess_value"),),
            by=("category",),
            day="cut_off",
            span=Span.LAST,
            total=Series("Excess stock", "round(sum(excess_value), 2)", unit=Unit.MONEY),
            good=Good.DOWN,
            filters={Dimension.CATEGORY: "category"},
        ),
        Chart(
            "orders_to_review",
            "Orders to review",
            "Which orders of the last day may be fraud? The fifteen most likely ones are shown.",
            Form.RANKED,
            "predictions.order_risks",
            (Series("Chance of a fraud", "round(max(chance), 6)", unit=Unit.SHARE, column="chance"),),
            by=("order_id",),
            day="known_on",
            span=Span.LAST,
            source="from predictions.orders_to_review where rank <= 15",
            labels={"order_id": "Order"},
        ),
        Chart(
            "models_beside_floors",
            "Models beside their floors",
            "By how much is each model better than the simplest rule, in the measure of its last scores?",
            Form.RANKED,
            "predictions.registry",
            (Series("Better than the floor", "round(max(better), 6)", unit=Unit.SHARE, column="score"),),
            by=("model",),
            day="cut_off",
            span=Span.UP_TO,
            source=_BESIDE_FLOORS,
        ),
        Chart(
            "orders_by_tenth",
            "Calibration: orders of tenths of the customers",
            "Do those order most of whom it was predicted, and as much?",
            Form.CURVES,
            "predictions.value_scores",
            (Series("Orders of a customer", "round(max(orders), 6)", unit=Unit.RATIO, column="tenths"),),
            by=("line", "tenth"),
            day="period_end",
            span=Span.LAST,
            source=_CALIBRATION,
            labels=_TENTH,
        ),
        Chart(
            "gain",
            "Gain: orders of the customers predicted highest",
            "Which share of the orders is found with each further tenth of the customers?",
            Form.CURVES,
            "predictions.value_scores",
            (Series("Share of the orders", "round(max(share), 6)", unit=Unit.SHARE, column="tenths"),),
            by=("model", "tenths"),
            day="period_end",
            span=Span.LAST,
            source=_GAIN,
            labels={"tenths": "Tenths of the customers, those predicted highest first"},
        ),
        Chart(
            "lists_by_length",
            "Recommendations: what lists find",
            "Which share of what customers buy is in their list?",
            Form.CURVES,
            "predictions.basket_scores",
            (_RECALL,),
            by=("model", "length"),
            day="period_end",
            span=Span.LAST,
            source="from predictions.lists_by_length",
            labels={"length": "Products in the list"},
        ),
    ),
)
