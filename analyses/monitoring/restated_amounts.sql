-- Which totals were restated, by how much, how often, and by which run last?
-- Columns: table_name, day, first_total, current_total, restated_amount, share, times, last_recorded_at, run_id

select table_name, day, arg_min(amount, recorded_at) as first_total, arg_max(amount, recorded_at) as current_total,
       current_total - first_total as restated_amount, restated_amount / nullif(first_total, 0) as share,
       count(*) - 1 as times, max(recorded_at) as last_recorded_at, arg_max(run_id, recorded_at) as run_id
from ledger.amounts
group by table_name, day
having count(*) > 1
order by abs(restated_amount) desc, table_name, day
