-- How late do new rows arrive in each feed?
-- Columns: feed, days_late, row_count, share
-- Reads: the warehouse

with arrived as (
    select 'ad_spend' as feed, key_hash, event_on, arrived_on from bronze.ad_spend
    union all select 'campaigns', key_hash, event_on, arrived_on from bronze.campaigns
    union all select 'customer_merges', key_hash, event_on, arrived_on from bronze.customer_merges
    union all select 'customers', key_hash, event_on, arrived_on from bronze.customers
    union all select 'events', key_hash, event_on, arrived_on from bronze.events
    union all select 'exchange_rates', key_hash, event_on, arrived_on from bronze.exchange_rates
    union all select 'inventory_movements', key_hash, event_on, arrived_on from bronze.inventory_movements
    union all select 'order_items', key_hash, event_on, arrived_on from bronze.order_items
    union all select 'orders', key_hash, event_on, arrived_on from bronze.orders
    union all select 'payments', key_hash, event_on, arrived_on from bronze.payments
    union all select 'products', key_hash, event_on, arrived_on from bronze.products
    union all select 'purchase_receipts', key_hash, event_on, arrived_on from bronze.purchase_receipts
    union all select 'returns', key_hash, event_on, arrived_on from bronze.returns
    union all select 'reviews', key_hash, event_on, arrived_on from bronze.reviews
    union all select 'shipments', key_hash, event_on, arrived_on from bronze.shipments
    union all select 'suppliers', key_hash, event_on, arrived_on from bronze.suppliers),
-- A later version of the same order, shipment or day of spend is not a new row.
new as (
    select feed, min(arrived_on - event_on) as days_late
    from arrived
    where key_hash is not null
    group by feed, key_hash)
select feed, days_late, count(*) as row_count, round(count(*) / sum(count(*)) over (partition by feed), 4) as share
from new
where days_late is not null
group by feed, days_late
order by feed, days_late
