-- How many carts are abandoned, by marketing channel and device?
-- Columns: channel, device, carts, abandoned_carts, cart_abandonment_rate

select
    channel,
    device,
    sum(carts)::bigint as carts,
    sum(abandoned_carts)::bigint as abandoned_carts,
    round(sum(abandoned_carts) / sum(carts), 4) as cart_abandonment_rate
from kpi.daily_carts
group by all
having sum(carts) > 0
order by abandoned_carts desc, channel, device
