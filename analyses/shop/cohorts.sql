-- How many customers of each monthly cohort come back, and what are their net sales so far?
-- Columns: cohort, month_offset, customers, active_customers, retention_rate, net_sales_per_customer

select cohort, month_offset, customers, active_customers, retention_rate, net_sales_per_customer
from kpi.monthly_cohorts
order by cohort, month_offset
