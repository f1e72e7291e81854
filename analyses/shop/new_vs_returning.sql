-- How much of each week's sales comes from new customers, returning customers and guests?
-- Columns: week, days, new_orders, returning_orders, guest_orders, new_sales, returning_sales, guest_sales, returning_share

select
    date_trunc('week', day)::date as week,
    count(distinct day) as days,
    sum(new_orders)::bigint as new_orders,
    sum(returning_orders)::bigint as returning_orders,
    sum(guest_orders)::bigint as guest_orders,
    sum(new_sales) as new_sales,
    sum(returning_sales) as returning_sales,
    sum(guest_sales) as guest_sales,
    round(sum(returning_sales) / nullif(sum(new_sales + returning_sales + guest_sales), 0), 4) as returning_share
from kpi.daily_customers
group by all
order by week
