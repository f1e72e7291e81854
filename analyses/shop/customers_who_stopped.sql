-- Which customers have been inactive for more than twice their usual time between orders?
-- Columns: customer_id, orders, net_sales_to_date, mean_days_between_orders, days_since_last_order

with today as (select max(day) as day from gold.agg_customer_metrics),
customers as (
    select
        customer_id,
        max_by(orders_to_date, day) as orders,
        max_by(net_sales_to_date, day) as net_sales_to_date,
        min(first_order_on) as first_order_on,
        max(day) filter (orders > 0) as last_order_on,
        count(*) filter (orders > 0) as order_days
    from gold.agg_customer_metrics
    group by all)
select
    customer_id, orders, net_sales_to_date,
    round((last_order_on - first_order_on) / (order_days - 1), 1) as mean_days_between_orders,
    today.day - last_order_on as days_since_last_order
from customers cross join today
where order_days > 1 and days_since_last_order > 2 * (last_order_on - first_order_on) / (order_days - 1)
order by net_sales_to_date desc, customer_id
