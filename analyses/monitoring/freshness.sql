-- How many hours after a day is over are its rows written, table by table?
-- Columns: table_name, day_count, median_hours, most_hours, slowest_day

select
    table_name,
    count(*) as day_count,
    round(median(freshness_hours), 1) as median_hours,
    round(max(freshness_hours), 1) as most_hours,
    max_by(day, freshness_hours) as slowest_day
from kpi.daily_quality
where freshness_hours is not null and day > (select max(day) from kpi.daily_quality) - 28
group by all
order by median_hours desc, table_name
