-- Which rows of which files are quarantined, and why?
-- Columns: feed, reason, source_file, row_count

with rejected as (
    select 'ad_spend' as feed, reasons, source_file from quarantine.ad_spend
    union all select 'campaigns', reasons, source_file from quarantine.campaigns
    union all select 'customer_merges', reasons, source_file from quarantine.customer_merges
    union all select 'customers', reasons, source_file from quarantine.customers
    union all select 'events', reasons, source_file from quarantine.events
    union all select 'exchange_rates', reasons, source_file from quarantine.exchange_rates
    union all select 'inventory_movements', reasons, source_file from quarantine.inventory_movements
    union all select 'order_items', reasons, source_file from quarantine.order_items
    union all select 'orders', reasons, source_file from quarantine.orders
    union all select 'payments', reasons, source_file from quarantine.payments
    union all select 'products', reasons, source_file from quarantine.products
    union all select 'purchase_receipts', reasons, source_file from quarantine.purchase_receipts
    union all select 'returns', reasons, source_file from quarantine.returns
    union all select 'reviews', reasons, source_file from quarantine.reviews
    union all select 'shipments', reasons, source_file from quarantine.shipments
    union all select 'suppliers', reasons, source_file from quarantine.suppliers)
select feed, regexp_replace(each.reason, '^line \d+: ', '') as reason, source_file, count(*) as row_count
from rejected, unnest(reasons) as each (reason)
group by all
order by row_count desc, feed, reason, source_file
