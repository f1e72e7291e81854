-- How long did the last runs write, and how many table-days did they write?
-- Columns: run_id, started_at, seconds, table_days, tables

select
    run_id,
    min(written_at) as started_at,
    round(extract(epoch from max(written_at) - min(written_at)), 1) as seconds,
    count(*) as table_days,
    count(distinct table_name) as tables
from ledger.days
group by all
order by started_at desc
limit 50
