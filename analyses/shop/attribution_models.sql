-- How much of each channel's revenue depends on the attribution model?
-- Columns: channel, first, last, last_non_direct, linear, position_based, time_decay, markov, shapley

select
    channel,
    (sum(revenue) filter (model = 'first'))::decimal(18, 2) as first,
    (sum(revenue) filter (model = 'last'))::decimal(18, 2) as last,
    (sum(revenue) filter (model = 'last_non_direct'))::decimal(18, 2) as last_non_direct,
    (sum(revenue) filter (model = 'linear'))::decimal(18, 2) as linear,
    (sum(revenue) filter (model = 'position_based'))::decimal(18, 2) as position_based,
    (sum(revenue) filter (model = 'time_decay'))::decimal(18, 2) as time_decay,
    (sum(revenue) filter (model = 'markov'))::decimal(18, 2) as markov,
    (sum(revenue) filter (model = 'shapley'))::decimal(18, 2) as shapley
from kpi.attribution
where channel <> 'unknown'
group by all
order by linear desc, channel
