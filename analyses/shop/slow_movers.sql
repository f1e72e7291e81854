-- Which products lie in stock and have not been sold for 28 days, and what are they worth?
-- Columns: product_id, name, on_hand, stock_value, last_sold_on

with today as (select max(day) as day from gold.fact_inventory_daily),
stocked as (select product_id, min(day) as first_day from gold.fact_inventory_daily group by all),
sold as (select product_id, max(ordered_on) as last_sold_on from gold.fact_sales where is_valid group by all)
select product_id, name, on_hand, stock_value, last_sold_on
from gold.fact_inventory_daily
join today using (day)
join stocked using (product_id)
left join sold using (product_id)
left join gold.dim_product p using (product_id)
where on_hand > 0 and coalesce(last_sold_on, first_day) <= today.day - 28 and p.is_current is not false
order by stock_value desc nulls last, product_id
