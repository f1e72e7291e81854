-- How late do the rows of each feed arrive?
-- Columns: feed, days_late, row_count, share
-- Reads: the warehouse

with arrived as (
    select 'ad_spend' as feed, arrived_on - event_on as days_late from bronze.ad_spend
    union all select 'campaigns', arrived_on - event_on from bronze.campaigns
    union all select 'customers', arrived_on - event_on from bronze.customers
    union all select 'events', arrived_on - event_on from bronze.events
    union all select 'inventory_movements', arrived_on - event_on from bronze.inventory_movements
    union all select 'order_items', arrived_on - event_on from bronze.order_items
    union all select 'orders', arrived_on - event_on from bronze.orders
    union all select 'payments', arrived_on - event_on from bronze.payments
    union all select 'products', arrived_on - event_on from bronze.products
    union all select 'purchase_receipts', arrived_on - event_on from bronze.purchase_receipts
    union all select 'returns', arrived_on - event_on from bronze.returns
    union all select 'reviews', arrived_on - event_on from bronze.reviews
    union all select 'shipments', arrived_on - event_on from bronze.shipments
    union all select 'suppliers', arrived_on - event_on from bronze.suppliers)
select feed, days_late, count(*) as row_count, round(count(*) / sum(count(*)) over (partition by feed), 4) as share
from arrived
where days_late is not null
group by feed, days_late
order by feed, days_late
