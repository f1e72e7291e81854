-- How did a product's daily units change in the week after a price change, compared with the week before?
-- Columns: product_id, changed_on, price_before, price, units_a_day_before, units_a_day

with changes as (
    select product_id, effective_on as changed_on, price,
           lag(price) over (partition by product_id order by effective_from) as price_before
    from gold.dim_product_versions),
known as (select min(day) as first_day, max(day) as last_day from kpi.daily_product_sales)
select
    changes.product_id, changed_on, price_before, price,
    round(coalesce(sum(units) filter (day < changed_on), 0) / 7, 2) as units_a_day_before,
    round(coalesce(sum(units) filter (day >= changed_on), 0) / 7, 2) as units_a_day
from changes
join known on changed_on - 7 >= first_day and changed_on + 6 <= last_day
left join kpi.daily_product_sales s
    on s.product_id = changes.product_id and day between changed_on - 7 and changed_on + 6
where price <> price_before
group by all
order by changed_on desc, changes.product_id
