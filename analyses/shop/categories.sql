-- Which categories grow: the last 28 days compared with the 28 before?
-- Columns: category, net_sales, net_sales_before, growth, days_of_unknown_returns

with days_ago as (
    select category, net_sales, max(day) over () - day as days_ago, max(day) over () - min(day) over () + 1 as days
    from kpi.daily_category_sales),
sums as (
    select
        category,
        coalesce(sum(net_sales) filter (days_ago < 28), 0) as net_sales,
        case when any_value(days) >= 56 then
            coalesce(sum(net_sales) filter (days_ago between 28 and 55), 0) end as net_sales_before,
        count(*) filter (days_ago < 56 and net_sales is null) as days_of_unknown_returns
    from days_ago
    group by all)
select
    category, net_sales, net_sales_before,
    round((net_sales - net_sales_before) / nullif(abs(net_sales_before), 0), 4) as growth,
    days_of_unknown_returns
from sums
order by net_sales desc, category
