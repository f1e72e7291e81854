-- When and by which run was the snapshot published, and what is its last day?
-- Columns: published_at, run_id, last_day, table_days

select published_at, p.run_id, max(day) as last_day, count(*) as table_days
from ledger.published p left join ledger.days on true
group by all
