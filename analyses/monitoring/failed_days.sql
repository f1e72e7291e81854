-- Which days have no good rows, why, and do readers see older ones?
-- Columns: table_name, day, state, note, shows_old_rows

select table_name, day, state, note, shows_old_rows
from ledger.days
where state in ('failed', 'blocked')
order by day desc, state desc, table_name
