-- Which columns are computed from the cost of a unit, and how many tables downstream?
-- Columns: tables_up, table_name, column_name

with recursive made_of_it as (
    select 0 as tables_up, 'silver.products' as table_name, 'cost' as column_name
    union
    select tables_up + 1, lineage.table_name, lineage.column_name
    from made_of_it
    join ledger.column_lineage as lineage
        on lineage.from_table = made_of_it.table_name and lineage.from_column = made_of_it.column_name
)
select max(tables_up) as tables_up, table_name, column_name
from made_of_it
where tables_up > 0
group by all
order by all
