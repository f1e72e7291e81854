-- Which products in stock for 28 days would last longest at their current pace, and what is their value?
-- Columns: product_id, name, on_hand, stock_value, last_sold_on, units_sold_28d, days_of_supply

with today as (select max(day) as day from gold.fact_inventory_daily),
stocked as (select product_id, min(day) as first_day from gold.fact_inventory_daily group by all),
sold as (
    select
        product_id, max(ordered_on) as last_sold_on,
        coalesce(sum(quantity) filter (ordered_on > today.day - 28), 0) as units_sold_28d
    from gold.fact_sales cross join today
    where is_valid
    group by all)
select
    product_id, name, on_hand, stock_value, last_sold_on, coalesce(units_sold_28d, 0) as units_sold_28d,
    round(on_hand * 28 / nullif(units_sold_28d, 0), 1) as days_of_supply
from gold.fact_inventory_daily
join today using (day)
join stocked using (product_id)
left join sold using (product_id)
left join gold.dim_product p using (product_id)
where on_hand > 0 and first_day <= today.day - 27 and p.is_current is not false
order by days_of_supply desc nulls first, stock_value desc nulls last, product_id
limit 50
