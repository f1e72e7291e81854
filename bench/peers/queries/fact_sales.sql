with lines as (
    select *,
        case when unit_price < 0 then 0 else quantity end as units,
        cast(case when unit_price < 0 then 0 else quantity * unit_price end as decimal(18, 4)) as gross_sales,
        cast(discount - least(quantity * unit_price, 0) as decimal(18, 4)) as line_discount
    from silver.order_items
    where :days_of_sales
),
paid as (
    select order_id, paid_on as moved_on from silver.payments
    where status in ('captured', 'refunded', 'charged_back')
    union all
    select order_id, returned_on as moved_on from silver.returns where order_id is not null and amount > 0
),
unpaid as (
    select order_id from silver.orders as o
    where status = 'cancelled' and not exists (
        select 1 from paid as p
        where p.order_id = o.order_id
            and p.moved_on between o.ordered_on - 1 and least(o.ordered_on + 45, o.updated_on)
    )
),
sold as (
    select *, not (coalesce(cancel_reason in ('void', 'test'), false) or order_id in (select order_id from unpaid))
        as is_valid
    from silver.orders
    where :days_of_sales
),
-- The discount of an order in hundredths of a cent, and what its lines weigh.
weighed as (
    select l.*, cast(o.discount * 10000 as hugeint) as to_share,
        cast(greatest(l.gross_sales - l.line_discount, 0) * 10000 as hugeint) as amount,
        sum(amount) over (partition by l.order_id) as amounts,
        cast(case when amounts = 0 then 1 else amount end as hugeint) as weight
    from lines as l join sold as o on o.order_id = l.order_id
),
parts as (
    select *, cast(sum(weight) over (partition by order_id) as hugeint) as weights,
        (to_share // 100) * weight // weights as cents,
        (to_share // 100) * weight % weights as remainder
    from weighed
),
shared as (
    select *,
        cents + cast(
            row_number() over (partition by order_id order by remainder desc, line_number)
            <= (to_share // 100) - sum(cents) over (partition by order_id) as integer
        ) as whole_cents,
        case row_number() over (partition by order_id order by weight desc, line_number)
            when 1 then to_share % 100 else 0
        end as below_a_cent,
        line_number = min(line_number) over (partition by order_id) as is_first_line,
        cast(cast(whole_cents * 100 + below_a_cent as decimal(18, 0)) * 0.0001 as decimal(18, 4)) as order_discount
    from parts
)
select
    s.order_id, s.line_number, s.ordered_on, o.ordered_at, o.customer_id, c.customer_key, s.product_id, p.product_key,
    s.description, o.channel, o.country, o.status, o.is_valid,
    case when not o.is_valid then o.updated_on end as voided_on,
    s.is_first_line,
    cast(s.units as decimal(18, 4)) as quantity,
    cast(greatest(s.unit_price, 0) as decimal(18, 4)) as unit_price,
    s.gross_sales, s.line_discount, s.order_discount,
    cast(s.line_discount + s.order_discount as decimal(18, 4)) as discounts,
    cast(s.gross_sales - s.line_discount - s.order_discount as decimal(18, 4)) as net_amount,
    cast(s.units * p.cost as decimal(18, 4)) as cost,
    cast(case when s.is_first_line then o.shipping else 0 end as decimal(18, 4)) as shipping,
    cast(case when s.is_first_line then o.tax else 0 end as decimal(18, 4)) as tax
from shared as s
join sold as o on o.order_id = s.order_id
asof left join gold.dim_customer_versions as c
    on c.customer_id = o.customer_id and o.ordered_at >= c.effective_from
asof left join gold.dim_product_versions as p
    on p.product_id = s.product_id and s.ordered_at >= p.effective_from
