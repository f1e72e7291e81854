-- On which days does a table have far more or fewer rows than usual on that weekday?
-- Columns: table_name, day, row_count, usual, ratio

with days as (
    select table_name, day, row_count,
           median(row_count) over (partition by table_name, isodow(day)) as usual
    from ledger.days
    where state in ('stored', 'provisional'))
select table_name, day, row_count, usual, round(row_count / nullif(usual, 0), 2) as ratio
from days
where usual >= 10 and row_count not between usual / 2 and usual * 2
order by abs(ln(greatest(row_count, 1) / usual)) desc, table_name, day
