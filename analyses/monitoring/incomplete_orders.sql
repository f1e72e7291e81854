-- On which days do order lines not sum to their subtotal, by how much, and are lines of that day quarantined?
-- Columns: ordered_on, orders, difference, oldest_order, quarantined_lines

with quarantined as (
    select read_on as ordered_on, count(*) as quarantined_lines from quarantine.order_items group by all)
select ordered_on, count(*) as orders, sum(difference) as difference, min(order_id) as oldest_order,
       coalesce(any_value(quarantined_lines), 0) as quarantined_lines
from kpi.incomplete_orders left join quarantined using (ordered_on)
group by ordered_on
order by ordered_on desc
