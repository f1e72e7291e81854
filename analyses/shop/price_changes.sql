-- What became of a product's daily units in the week after its price changed?
-- Columns: product_id, changed_on, price_before, price, units_a_day_before, units_a_day

with changes as (
    select product_id, effective_on as changed_on, price,
           lag(price) over (partition by product_id order by effective_from) as price_before
    from gold.dim_product_versions)
select
    product_id, changed_on, price_before, price,
    round(coalesce(sum(units) filter (day < changed_on), 0) / 7, 2) as units_a_day_before,
    round(coalesce(sum(units) filter (day >= changed_on), 0) / 7, 2) as units_a_day
from changes left join kpi.daily_product_sales using (product_id)
where price <> price_before
    and changed_on + 6 <= (select max(day) from kpi.daily_product_sales)
    and coalesce(day between changed_on - 7 and changed_on + 6, true)
group by all
order by changed_on desc, product_id
