-- Which categories grow: the last 28 days against the 28 before?
-- Columns: category, net_sales, net_sales_before, growth

with days_ago as (
    select category, net_sales, max(day) over () - day as days_ago from kpi.daily_category_sales),
sums as (
    select
        category,
        coalesce(sum(net_sales) filter (days_ago < 28), 0) as net_sales,
        coalesce(sum(net_sales) filter (days_ago between 28 and 55), 0) as net_sales_before
    from days_ago
    group by all)
select category, net_sales, net_sales_before, round(net_sales / nullif(net_sales_before, 0) - 1, 4) as growth
from sums
order by net_sales desc, category
