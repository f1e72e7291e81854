-- How many files arrive per feed, on how many days, and which are duplicates?
-- Columns: feed, files, arrival_days, last_arrival, repeated_files

select
    feed,
    count(*) as files,
    count(distinct arrived_on) as arrival_days,
    max(arrived_on) as last_arrival,
    count(duplicate_of) as repeated_files
from ledger.files
group by all
order by feed
