with month_ends as (
    select distinct last_day(day) as snapshot_on from gold.agg_customer_days
    where last_day(day) <= (select max(ordered_on) from gold.fact_sales)
),
customers as (
    select
        snapshot_on, customer_id, cast(sum(gross_sales - discounts) as decimal(18, 4)) as monetary,
        max(day) as last_order_on, cast(sum(orders) as bigint) as frequency
    from gold.agg_customer_metrics join month_ends on day <= snapshot_on
    where orders > 0
    group by snapshot_on, customer_id
),
-- The place of the middle one of all customers with the same value, counted from 0.
placed as (
    select *,
        snapshot_on - last_order_on as recency_days,
        count(*) over (partition by snapshot_on) as n,
        2 * rank() over (partition by snapshot_on order by last_order_on)
            + count(*) over (partition by snapshot_on, last_order_on) - 3 as recency,
        2 * rank() over (partition by snapshot_on order by frequency)
            + count(*) over (partition by snapshot_on, frequency) - 3 as buys,
        2 * rank() over (partition by snapshot_on order by monetary)
            + count(*) over (partition by snapshot_on, monetary) - 3 as money
    from customers
),
scored as (
    select *,
        {score(recency)} as recency_score,
        {score(buys)} as frequency_score,
        {score(money)} as monetary_score
    from placed
)
select
    snapshot_on, customer_id, monetary, last_order_on, recency_days, frequency,
    recency_score, frequency_score, monetary_score,
    split_part(
        case recency_score
            when 1 then 'Lost,Lost,At Risk,Cannot Lose Them,Cannot Lose Them'
            when 2 then 'Hibernating,Hibernating,At Risk,At Risk,Cannot Lose Them'
            when 3 then 'About To Sleep,About To Sleep,Need Attention,Loyal,Loyal'
            when 4 then 'Promising,Potential Loyalists,Potential Loyalists,Loyal,Champions'
            when 5 then 'New Customers,Potential Loyalists,Potential Loyalists,Champions,Champions'
        end,
        ',',
        (frequency_score + monetary_score + 1) // 2
    ) as segment
from scored
