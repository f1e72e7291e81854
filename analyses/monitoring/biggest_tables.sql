-- Which tables have the most rows, in total and per day?
-- Columns: table_name, row_count, days, rows_a_day

select table_name, sum(row_count)::bigint as row_count, count(*) as days, round(avg(row_count), 1) as rows_a_day
from ledger.days
group by all
order by row_count desc, table_name
