"""What holds for every test: seeded examples, and nothing of the machine's own Dagster, settings or data."""

import os
import tempfile

from hypothesis import settings

_NO_DATA = tempfile.TemporaryDirectory(prefix="ecom-tests-")

for variable in [name for name in os.environ if name.startswith("ECOM_")]:
    del os.environ[variable]
os.environ["ECOM_DATA"] = _NO_DATA.name
os.environ.pop("DAGSTER_HOME", None)
os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"

settings.register_profile("ecom", derandomize=True, deadline=None)
settings.load_profile("ecom")
