-- Which files send rows that are duplicates, or were superseded by a later version?
-- Columns: feed, source_file, arrived_on, kind, row_count

with replaced as (
    select 'ad_spend' as feed, source_file, arrived_on, kind from superseded.ad_spend
    union all select 'campaigns', source_file, arrived_on, kind from superseded.campaigns
    union all select 'customer_merges', source_file, arrived_on, kind from superseded.customer_merges
    union all select 'customers', source_file, arrived_on, kind from superseded.customers
    union all select 'events', source_file, arrived_on, kind from superseded.events
    union all select 'exchange_rates', source_file, arrived_on, kind from superseded.exchange_rates
    union all select 'inventory_movements', source_file, arrived_on, kind from superseded.inventory_movements
    union all select 'order_items', source_file, arrived_on, kind from superseded.order_items
    union all select 'orders', source_file, arrived_on, kind from superseded.orders
    union all select 'payments', source_file, arrived_on, kind from superseded.payments
    union all select 'products', source_file, arrived_on, kind from superseded.products
    union all select 'purchase_receipts', source_file, arrived_on, kind from superseded.purchase_receipts
    union all select 'returns', source_file, arrived_on, kind from superseded.returns
    union all select 'reviews', source_file, arrived_on, kind from superseded.reviews
    union all select 'shipments', source_file, arrived_on, kind from superseded.shipments
    union all select 'suppliers', source_file, arrived_on, kind from superseded.suppliers)
select feed, source_file, arrived_on, kind, count(*) as row_count
from replaced
group by all
order by row_count desc, feed, arrived_on, source_file, kind
