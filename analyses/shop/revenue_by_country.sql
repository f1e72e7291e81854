-- Which countries do sales come from, and what is the average order value there?
-- Columns: country, orders, customers, sales, average_order_value

select
    coalesce(country, 'unknown') as country,
    count(*) filter (is_first_line) as orders,
    count(distinct customer_id) as customers,
    sum(net_amount) as sales,
    round(sales / orders, 2) as average_order_value
from gold.fact_sales
where is_valid
group by all
order by sales desc, country
