-- What does each campaign cost, and what revenue does it bring?
-- Columns: channel, campaign, spend, clicks, new_customers, revenue, cac, roas

select
    channel,
    campaign,
    sum(spend)::decimal(18, 2) as spend,
    sum(clicks)::bigint as clicks,
    sum(new_customers)::bigint as new_customers,
    sum(revenue)::decimal(18, 2) as revenue,
    round(sum(spend) / nullif(sum(new_customers), 0), 2) as cac,
    round(sum(revenue) / sum(spend), 2) as roas
from kpi.daily_marketing
group by all
having sum(spend) > 0
order by spend desc, channel, campaign
