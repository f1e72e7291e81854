-- Which twenty products had the highest net sales in the last 28 days?
-- Columns: product_id, name, units, net_sales, days_of_unknown_returns

select
    product_id, name, sum(units) as units, sum(s.net_sales) as net_sales,
    count(*) filter (s.net_sales is null) as days_of_unknown_returns -- their sales are in units alone
from kpi.daily_product_sales s join gold.dim_product p using (product_id)
where p.is_current and s.day > (select max(day) from kpi.daily_product_sales) - 28
group by all
order by net_sales desc nulls last, product_id
limit 20
