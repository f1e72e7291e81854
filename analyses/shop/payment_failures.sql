-- Which payment methods fail most, and what amounts were at stake?
-- Columns: method, attempts, failed, failure_rate, failed_amount, fees

select
    method,
    sum(attempts)::bigint as attempts,
    sum(failed_count)::bigint as failed,
    round(sum(failed_count) / nullif(sum(attempts), 0), 4) as failure_rate,
    sum(failed_amount) as failed_amount,
    sum(fees) as fees
from kpi.daily_payments
group by all
order by failure_rate desc nulls last, method
