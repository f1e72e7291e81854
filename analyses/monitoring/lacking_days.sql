-- Which failed days do tables lack, of which tables, and in which of their own days?
-- Columns: table_name, first_day, last_day, failed_table, first_failed_day, last_failed_day

select l.table_name, l.first_day, l.last_day, failed_table, first_failed_day, last_failed_day
from ledger.lacking l semi join (
    select table_name, day from ledger.days where state in ('stored', 'provisional')) d
    on d.table_name = l.table_name and d.day between l.first_day and l.last_day
order by failed_table, first_failed_day, l.table_name, l.first_day
