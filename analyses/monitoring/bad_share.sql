-- What share of each feed's rows is quarantined, or made a day fail, day by day?
-- Columns: table_name, day, state, checked_count, bad_count, bad_share

select table_name, day, state, checked_count, bad_count, round(bad_count / checked_count, 4) as bad_share
from ledger.days
where table_name like 'silver.%' and bad_count > 0
order by bad_share desc, table_name, day
