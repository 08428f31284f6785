"""Fixtures by resource: `fix_broker`, `fix_database`, `fix_chaos`; free ports in `ports`."""
