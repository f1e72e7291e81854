-- On which days do the lines of orders not come to their subtotal, by how much, and are lines of that day set aside?
-- Columns: ordered_on, orders, difference, oldest_order, lines_set_aside

with aside as (
    select read_on as ordered_on, count(*) as lines_set_aside from quarantine.order_items group by all)
select ordered_on, count(*) as orders, sum(difference) as difference, min(order_id) as oldest_order,
       coalesce(any_value(lines_set_aside), 0) as lines_set_aside
from kpi.incomplete_orders left join aside using (ordered_on)
group by ordered_on
order by ordered_on desc
