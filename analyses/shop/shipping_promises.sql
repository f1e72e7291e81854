-- Which carriers keep the promised day, and how long do their parcels take?
-- Columns: carrier, service, due, shipped, on_time_share, median_hours_to_ship, median_hours_to_deliver

select
    carrier,
    service,
    count(*) as due,
    count(shipped_at) as shipped,
    round(avg(is_on_time::int), 4) as on_time_share,
    round(median(hours_to_ship), 1) as median_hours_to_ship,
    round(median(hours_to_deliver), 1) as median_hours_to_deliver
from gold.fact_shipments
where is_on_time is not null and promised_on <= (select max(ordered_on) from gold.fact_shipments)
group by all
order by due desc, carrier, service
