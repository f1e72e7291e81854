with moved as (
    select
        ordered_on as day, customer_id, is_first_line, quantity, gross_sales, discounts, net_amount,
        dense_rank() over (partition by ordered_on, customer_id order by ordered_at, order_id) as turn
    from gold.fact_sales
    where is_valid and customer_id is not null
    union all by name
    select returned_on as day, customer_id, amount as returns from gold.fact_returns where customer_id is not null
)
select
    day, customer_id,
    count(*) filter (where is_first_line) as orders,
    cast(coalesce(sum(quantity), 0) as decimal(18, 4)) as units,
    cast(coalesce(sum(gross_sales), 0) as decimal(18, 4)) as gross_sales,
    cast(coalesce(sum(discounts), 0) as decimal(18, 4)) as discounts,
    cast(coalesce(sum(returns), 0) as decimal(18, 4)) as returns,
    cast(coalesce(sum(net_amount) filter (where turn = 1), 0) as decimal(18, 4)) as first_sales
from moved
group by day, customer_id
