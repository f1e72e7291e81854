-- Which carriers keep the day that was promised, and how long do their parcels take?
-- Columns: carrier, service, shipped, on_time_share, median_hours_to_ship, median_hours_to_deliver

select
    carrier,
    service,
    count(*) as shipped,
    round(avg(is_on_time::int), 4) as on_time_share,
    round(median(hours_to_ship), 1) as median_hours_to_ship,
    round(median(hours_to_deliver), 1) as median_hours_to_deliver
from gold.fact_shipments
where shipped_at is not null
group by all
order by shipped desc, carrier, service
