from ecom_assets.gold.fact_sessions import transform
from ecom_assets.silver.sessions import Sessions
from ecom_assets_tests.samples import rows, run, sample


def test_a_session_lasts_from_its_first_event_to_its_last():
    sessions = sample(Sessions, {"started_at": "2024-01-01 23:59:30", "ended_at": "2024-01-02 00:01:00.9"})

    assert rows(run(transform, sessions), "duration_seconds") == [90]
