-- Which products are bought together more often than by chance, in five orders or more?
-- Columns: product_a, product_b, orders_with_both, lift

with baskets as (select distinct order_id, product_id from gold.fact_sales where is_valid),
orders as (select count(distinct order_id) as n from baskets),
sold as (select product_id, count(*) as n from baskets group by all)
-- Lift: the share of orders with both, by what it would be if the two were bought independently.
select
    a.product_id as product_a,
    b.product_id as product_b,
    count(*) as orders_with_both,
    round(count(*) * any_value(orders.n) / (any_value(sold_a.n) * any_value(sold_b.n)), 2) as lift
from baskets a
join baskets b on a.order_id = b.order_id and a.product_id < b.product_id
join sold sold_a on sold_a.product_id = a.product_id
join sold sold_b on sold_b.product_id = b.product_id
cross join orders
group by all
having orders_with_both >= 5 and lift > 1
order by lift desc, orders_with_both desc, product_a, product_b
limit 50
