-- Which delivered products are returned most, and why?
-- Columns: product_id, name, units_sold, units_returned, return_rate, main_reason

with cancelled as (select distinct order_id from gold.fact_sales where status = 'cancelled'),
sold as (
    select product_id, sum(quantity) as units_sold
    from gold.fact_sales
    where is_valid and status <> 'cancelled'
    group by all),
returned as (
    select product_id, sum(quantity) as units_returned, mode(reason order by reason) as main_reason
    from gold.fact_returns anti join cancelled using (order_id)
    group by all)
select
    product_id, name, coalesce(units_sold, 0) as units_sold, units_returned,
    round(units_returned / units_sold, 4) as return_rate, main_reason
from returned left join sold using (product_id) left join gold.dim_product p using (product_id)
where p.is_current is not false
order by units_returned desc, return_rate desc, product_id
limit 50
