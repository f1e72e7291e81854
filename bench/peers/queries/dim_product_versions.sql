select
    concat(product_id, '@', strftime(changed_at, '%Y-%m-%dT%H:%M:%S.%f')) as product_key,
    product_id, changed_at as effective_from, changed_on as effective_on,
    name, category, brand, price, cost, is_active
from (
    select *,
        lag(struct_pack(a := name, b := category, c := brand, d := price, e := cost, f := is_active))
            over (partition by product_id order by changed_at) as before
    from silver.products
)
where before is distinct from
    struct_pack(a := name, b := category, c := brand, d := price, e := cost, f := is_active)
