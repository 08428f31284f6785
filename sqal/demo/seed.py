"""What a demo's database holds before the first piece: sites, devices and a running lot for each.

Only tables that SQAL itself made are written; on a database of the customer's with its own sites and lots this fails
with PostgreSQL's own words rather than altering them.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime

import psycopg

from sqal.demo.plan import Site

SITES = """
INSERT INTO sites_euralis (code, nom) VALUES (%(code)s, %(name)s)
ON CONFLICT (code) DO NOTHING"""
DEVICES = """
INSERT INTO sqal_devices (device_id, device_name, firmware_version, site_code, status, config_profile)
VALUES (%(device)s, %(device_name)s, 'v1.2.3', %(code)s, 'active', 'standard')
ON CONFLICT (device_id) DO NOTHING"""
FIRST_LOT = 123  # the lot of the customer's examples; a day's lots follow it
LOTS = """
INSERT INTO lots_gavage (id, code_lot, site_code, debut_lot, nb_canards, itm_moyen)
SELECT GREATEST(%(first_lot)s, (SELECT COALESCE(MAX(id), 0) + 1 FROM lots_gavage)),
    %(lot)s::text, %(code)s, %(began)s, 240, %(itm)s
WHERE NOT EXISTS (SELECT FROM lots_gavage WHERE code_lot = %(lot)s::text)"""
LOT_SEQUENCE = "SELECT setval(pg_get_serial_sequence('lots_gavage', 'id'), (SELECT MAX(id) FROM lots_gavage))"
LOT_IDS = "SELECT code_lot, id FROM lots_gavage WHERE code_lot = ANY(%s)"


def seed(dsn: str, sites: Sequence[Site]) -> dict[str, int]:
    """Put `sites`, their devices and a lot each into the database; the lot's id by device. Repeating it adds nothing.

    Raises psycopg.Error.
    """
    today = datetime.now(UTC).date()
    rows = [_row(site, today) for site in sites]
    with psycopg.connect(dsn) as connection:
        cursor = connection.cursor()
        for statement in (SITES, DEVICES, LOTS):
            cursor.executemany(statement, rows)
        cursor.execute(LOT_SEQUENCE)
        ids = dict(cursor.execute(LOT_IDS, ([row["lot"] for row in rows],)).fetchall())
    return {site.device: int(ids[row["lot"]]) for site, row in zip(sites, rows, strict=True)}


def _row(site: Site, today: date) -> dict[str, object]:
    return {
        "code": site.code,
        "name": site.name,
        "device": site.device,
        "device_name": f"Capteur Site {site.name} ({site.code})",
        "first_lot": FIRST_LOT,
        "lot": f"{site.code}-{today:%y%m%d}",
        "began": today,
        "itm": site.itm,
    }
