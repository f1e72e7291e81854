-- How many customers of each month's newcomers come back, and what have they brought so far?
-- Columns: cohort, month_offset, customers, active_customers, retention_rate, net_sales_per_customer

select cohort, month_offset, customers, active_customers, retention_rate, net_sales_per_customer
from kpi.monthly_cohorts
order by cohort, month_offset
