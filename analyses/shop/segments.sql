-- How many customers are in each RFM segment, and what have they spent?
-- Columns: segment, customers, share, monetary, mean_recency_days

select
    segment,
    count(*) as customers,
    round(count(*) / sum(count(*)) over (), 4) as share,
    sum(monetary) as monetary,
    round(avg(recency_days), 1) as mean_recency_days
from kpi.customer_rfm
where snapshot_on = (select max(snapshot_on) from kpi.customer_rfm)
group by all
order by monetary desc, segment
