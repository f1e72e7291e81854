-- Which tables are stale, for how many days, and why?
-- Columns: table_name, why, first_day, last_day, day_count

select table_name, why, min(day) as first_day, max(day) as last_day, count(*) as day_count
from ledger.stale
group by all
order by day_count desc, table_name, why
