-- At which step do visitors leave the funnel, on which device?
-- Columns: device, sessions, viewed, into_cart, checkout, payment, purchase, conversion_rate

select
    device,
    sum(sessions)::bigint as sessions,
    sum(closed_view)::bigint as viewed,
    sum(closed_cart)::bigint as into_cart,
    sum(closed_checkout)::bigint as checkout,
    sum(closed_payment)::bigint as payment,
    sum(closed_purchase)::bigint as purchase,
    round(sum(open_purchase) / sum(sessions), 4) as conversion_rate
from kpi.daily_funnel
group by all
order by sessions desc, device
