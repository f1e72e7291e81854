-- On which weekdays do customers buy, compared with the average day?
-- Columns: weekday_name, mean_orders, mean_net_sales, index_to_average

with days as (
    select
        d.day, d.weekday, d.weekday_name,
        coalesce(sum(s.orders), 0) as orders,
        case when count(s.day) = 0 then 0 else sum(s.net_sales) end as net_sales -- null if its returns are unknown
    from ledger.days l join gold.dim_date d using (day) left join kpi.daily_sales s using (day)
    where l.table_name = 'kpi.daily_sales' and l.state in ('stored', 'provisional')
    group by all)
select
    weekday_name,
    round(avg(orders), 1) as mean_orders,
    round(avg(net_sales), 2) as mean_net_sales,
    round(avg(net_sales) / (select avg(net_sales) from days), 2) as index_to_average
from days
group by weekday, weekday_name
order by weekday
