with moved as (
    select
        ordered_on as day, channel, is_first_line, status, quantity, gross_sales, discounts, shipping, tax
    from gold.fact_sales
    where is_valid
    union all by name
    select
        returned_on as day, channel, amount as returns, shipping as refunded_shipping, tax as refunded_tax
    from gold.fact_returns
),
summed as (
    select
        day, channel,
        count(*) filter (where is_first_line) as orders,
        count(*) filter (where is_first_line and status = 'cancelled') as cancelled_orders,
        cast(coalesce(sum(quantity), 0) as decimal(18, 4)) as units,
        cast(coalesce(sum(gross_sales), 0) as decimal(18, 4)) as gross_sales,
        cast(coalesce(sum(discounts), 0) as decimal(18, 4)) as discounts,
        cast(coalesce(sum(returns), 0) as decimal(18, 4)) as returns,
        cast(coalesce(sum(shipping), 0) as decimal(18, 4)) as shipping,
        cast(coalesce(sum(tax), 0) as decimal(18, 4)) as tax,
        cast(coalesce(sum(refunded_shipping), 0) as decimal(18, 4)) as refunded_shipping,
        cast(coalesce(sum(refunded_tax), 0) as decimal(18, 4)) as refunded_tax
    from moved
    group by day, channel
)
select *,
    cast(gross_sales - discounts - returns as decimal(18, 4)) as net_sales,
    cast(gross_sales - discounts - returns + shipping + tax - refunded_shipping - refunded_tax as decimal(18, 4))
        as total_sales
from summed
