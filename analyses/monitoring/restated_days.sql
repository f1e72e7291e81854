-- Which days were rewritten after later days of the same table?
-- Columns: table_name, day, written_at, days_behind, run_id

with days as (
    select table_name, day, written_at, run_id,
           min(written_at) over later as later_written_at,
           max(day) over (partition by table_name) as last_day
    from ledger.days
    window later as (partition by table_name order by day rows between 1 following and unbounded following))
select table_name, day, written_at, last_day - day as days_behind, run_id
from days
where written_at > later_written_at
order by written_at desc, table_name, day
