"""What holds for every test: seeded examples, and nothing of the machine's own Dagster."""

import os

from hypothesis import settings

os.environ.pop("DAGSTER_HOME", None)
os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"

settings.register_profile("ecom", derandomize=True, deadline=None)
settings.load_profile("ecom")
