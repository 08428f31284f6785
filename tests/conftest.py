"""Loads the fixtures of `tests/kit`: one plugin per resource, a test names what it needs and nothing else."""

from hypothesis import HealthCheck, settings

# Property tests draw the same examples every run, and a busy machine does not fail them.
settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

# In an order in which none imports a later one: pytest must see each before it is imported.
pytest_plugins = [
    "tests.kit.fix_broker",
    "tests.kit.fix_chaos",
    "tests.kit.fix_database",
    "tests.kit.fix_messaging",
    "tests.kit.fix_ingest",
    "tests.kit.fix_receivers",
    "tests.kit.fix_timescale",
    "tests.kit.fix_line",
    "tests.kit.fix_serve",
    "tests.kit.fix_spool",
    "tests.kit.fix_pki",
    "tests.kit.fix_ledger",
    "tests.kit.fix_closed",
]
