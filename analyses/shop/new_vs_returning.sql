-- How much of each week's sales comes from new customers, how much from those who came back?
-- Columns: week, new_orders, returning_orders, guest_orders, new_sales, returning_sales, returning_share

select
    date_trunc('week', day)::date as week,
    sum(new_orders)::bigint as new_orders,
    sum(returning_orders)::bigint as returning_orders,
    sum(guest_orders)::bigint as guest_orders,
    sum(new_sales) as new_sales,
    sum(returning_sales) as returning_sales,
    round(sum(returning_sales) / nullif(sum(new_sales) + sum(returning_sales), 0), 4) as returning_share
from kpi.daily_customers
group by all
order by week
