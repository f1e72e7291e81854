with known as (
    select *,
        cast(gross_sales - discounts - returns as decimal(18, 4)) as net_sales,
        case when orders > 0 then day end as order_day
    from gold.agg_customer_days
),
running as (
    select *,
        min(order_day) over until_now as first_order_on,
        max(order_day) over until_before as previous_order_on,
        cast(sum(orders) over until_now as bigint) as orders_to_date,
        cast(sum(net_sales) over until_now as decimal(18, 4)) as net_sales_to_date
    from known
    window
        until_now as (partition by customer_id order by day rows between unbounded preceding and current row),
        until_before as (partition by customer_id order by day rows between unbounded preceding and 1 preceding)
)
select
    day, customer_id, orders, units, gross_sales, discounts, returns, net_sales,
    cast(coalesce(first_order_on = day, false) as bigint) as new_orders,
    cast(case when first_order_on = day then first_sales else 0 end as decimal(18, 4)) as new_sales,
    first_order_on, previous_order_on, orders_to_date, net_sales_to_date
from running
