-- Do orders with a discount have more units, and what is the margin of those not cancelled?
-- Columns: has_discount, orders, units_per_order, sales_per_order, discount_share, margin_share

with orders as (
    select
        order_id, sum(discounts) > 0 as has_discount, sum(quantity) as units, sum(gross_sales) as gross_sales,
        sum(discounts) as discounts, sum(net_amount) as sales,
        sum(net_amount - cost) filter (status <> 'cancelled') as margin,
        sum(net_amount) filter (cost is not null and status <> 'cancelled') as sales_of_known_cost
    from gold.fact_sales
    where is_valid
    group by all)
select
    has_discount,
    count(*) as orders,
    round(avg(units), 2) as units_per_order,
    round(avg(sales), 2) as sales_per_order,
    round(sum(discounts) / nullif(sum(gross_sales), 0), 4) as discount_share,
    round(sum(margin) / nullif(sum(sales_of_known_cost), 0), 4) as margin_share
from orders
group by all
order by has_discount
