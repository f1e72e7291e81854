select
    concat(customer_id, '@', strftime(changed_at, '%Y-%m-%dT%H:%M:%S.%f')) as customer_key,
    customer_id, changed_at as effective_from, changed_on as effective_on,
    registered_at, name, email, city, country, marketing_consent
from (
    select *,
        lag(struct_pack(a := registered_at, b := name, c := email, d := city, e := country, f := marketing_consent))
            over (partition by customer_id order by changed_at) as before
    from silver.customers
)
where before is distinct from
    struct_pack(a := registered_at, b := name, c := email, d := city, e := country, f := marketing_consent)
