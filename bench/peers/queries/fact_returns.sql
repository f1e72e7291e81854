select
    r.return_id, r.returned_on, r.returned_at, r.order_id, r.line_number, r.customer_id, c.customer_key, r.product_id,
    p.product_key, r.channel, r.country, r.reason,
    cast(coalesce(r.quantity, 0) as decimal(18, 4)) as quantity, r.amount, r.shipping, r.tax
from (select * from silver.returns where :days_of_returns) as r
asof left join gold.dim_customer_versions as c
    on c.customer_id = r.customer_id and r.returned_at >= c.effective_from
asof left join gold.dim_product_versions as p
    on p.product_id = r.product_id and r.returned_at >= p.effective_from
