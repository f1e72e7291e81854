select *,
    cast(gross_sales - discounts as double) / cast(nullif(orders, 0) as double) as aov,
    cast(units as double) / cast(nullif(orders, 0) as double) as units_per_order,
    cast(gross_sales - discounts as double) / cast(nullif(units, 0) as double) as asp,
    cast(cancelled_orders as double) / cast(nullif(orders, 0) as double) as cancel_rate
from gold.agg_daily_sales
