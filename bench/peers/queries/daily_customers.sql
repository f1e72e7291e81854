with buying as (
    select
        day, orders, new_orders, orders - new_orders as returning_orders, 0 as guest_orders,
        new_sales, gross_sales - discounts - new_sales as returning_sales, 0 as guest_sales,
        1 as buyers, previous_order_on is not null as returns_today, day - previous_order_on as days_since
    from gold.agg_customer_metrics
    where orders > 0
    union all
    select
        ordered_on, cast(is_first_line as bigint), 0, 0, cast(is_first_line as bigint), 0, 0, net_amount, 0, false, null
    from gold.fact_sales
    where is_valid and customer_id is null
)
select
    day,
    cast(sum(orders) as bigint) as orders,
    cast(sum(new_orders) as bigint) as new_orders,
    cast(sum(returning_orders) as bigint) as returning_orders,
    cast(sum(guest_orders) as bigint) as guest_orders,
    cast(sum(new_sales) as decimal(18, 4)) as new_sales,
    cast(sum(returning_sales) as decimal(18, 4)) as returning_sales,
    cast(sum(guest_sales) as decimal(18, 4)) as guest_sales,
    cast(sum(buyers) as bigint) as buyers,
    count(*) filter (where returns_today) as returning_buyers,
    cast(count(*) filter (where returns_today) as double) / cast(nullif(sum(buyers), 0) as double)
        as returning_customer_rate,
    cast(median(days_since) as double) as median_days_between_orders
from buying
group by day
