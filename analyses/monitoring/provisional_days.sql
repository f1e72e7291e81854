-- Which days can still change, because days in their reach are missing or not final?
-- Columns: table_name, first_day, last_day, day_count

select table_name, min(day) as first_day, max(day) as last_day, count(*) as day_count
from ledger.days
where state = 'provisional'
group by all
order by day_count desc, table_name
