"""Loads the fixtures of `tests/kit`: one plugin per resource, a test names what it needs and nothing else."""

pytest_plugins = ["tests.kit.fix_broker", "tests.kit.fix_chaos", "tests.kit.fix_database", "tests.kit.fix_messaging"]
