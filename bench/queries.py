"""How soon the database answers what dashboards ask, on as many samples as a plant keeps.

`python -m bench queries` fills one million samples, `python -m bench queries_large` (`make bench-large`) 23 million: 90
days of three devices at 1 Hz, about 17 GB. They are made by SQL in the table that ingest writes, so that its triggers
fill the aggregates and its indexes are those of a real plant. The statements are the API's own, by name.
"""

import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from bench.figures import Figure, median, percentile
from cloud.store.migrate import migrate
from cloud.store.queries import Queries
from sqal.demo.plan import free_port
from sqal.parts.postgres import start_postgres
from sqal.resources import resource_path

P99_MAX_MS = 50.0
DEVICES = 3
DAYS = 90
SAMPLES, QUICK_SAMPLES, LARGE_SAMPLES = 1_000_000, 60_000, DAYS * 86_400 * DEVICES
ROUNDS, QUICK_ROUNDS = 5, 1
ASKED = 100  # times a round
LOT_S = 7_200  # a lot of one device lasts two hours
FOLDER = "SQAL_BENCH_FOLDER"  # where the database of the bench goes; the large one needs 30 GB

MATRIX = """(SELECT array_agg(line ORDER BY y) FROM (SELECT y, array_agg(({middle} + random() * 40)::SMALLINT) AS line
    FROM generate_series(1, 8) AS y, generate_series(1, 8) AS x WHERE picture IS NOT NULL GROUP BY y) AS lines)"""
PICTURES = " ".join(
    (
        "CREATE TEMP TABLE pictures AS SELECT picture,",
        f"{MATRIX.format(middle=880)} AS distance, {MATRIX.format(middle=100)} AS reflectance,",
        f"{MATRIX.format(middle=880)} AS amplitude FROM generate_series(0, 199) AS picture",
    )
)
LOTS = """INSERT INTO lots_gavage (id, code_lot, site_code, itm_moyen, debut_lot)
    SELECT 1 + n * 3 + d, 'L' || n || '-' || d, (ARRAY['LL', 'LS', 'MT'])[d + 1], 15, %(start)s + n * %(lot)s
    FROM generate_series(0, %(lots)s) AS n, generate_series(0, 2) AS d"""
DAY = """INSERT INTO sqal_sensor_samples (time, sample_id, device_id, lot_id, vl53l8ch_distance_matrix,
    vl53l8ch_reflectance_matrix, vl53l8ch_amplitude_matrix, vl53l8ch_volume_mm3, vl53l8ch_surface_uniformity,
    vl53l8ch_quality_score, vl53l8ch_grade, as7341_channels, as7341_freshness_index, as7341_fat_quality_index,
    as7341_oxidation_index, as7341_quality_score, fusion_final_score, fusion_final_grade, fusion_is_compliant,
    site_code, line, ingested_at, boot_id, seq, origin, recipe)
SELECT t, gen_random_uuid()::TEXT, 'ESP32_' || site || '_01', lot, p.distance, p.reflectance, p.amplitude,
    300000 + 2000 * (n %% 200), 0.85, 0.8, 'A', ARRAY[1200, 1500, 1800, 2000, 2200, 1900, 1600, 1400, 15000, 3000],
    0.9, 0.8, 0.1, 0.85, 0.4 + (n %% 601) / 1000.0, (ARRAY['REJECT', 'C', 'B', 'A', 'A+'])[1 + n %% 5], n %% 5 > 0,
    site, 'line1', t + INTERVAL '50 ms', %(boot)s::UUID, n + 1, 'edge', 'foie-gras@1'
FROM generate_series(%(first)s::BIGINT, %(last)s::BIGINT) AS n
    JOIN pictures AS p ON picture = n %% 200  -- a million different ones would take SQL longer than all the rest
    , (VALUES (0, 'LL'), (1, 'LS'), (2, 'MT')) AS d (place, site),
    LATERAL (SELECT %(start)s + n * %(step)s + place * INTERVAL '100 ms' AS t,
        (1 + floor(extract(epoch FROM n * %(step)s) / 7200) * 3 + place)::INTEGER AS lot) AS x"""
ALERT_ROWS = """INSERT INTO sqal_alert_state (alarm_id, device_id, alert_type, site_code, severity, state, first_at,
        last_at, message)
    SELECT gen_random_uuid(), 'D' || n % 500, 'quality_low' || n, 'LL', 'warning',
        CASE WHEN n < 20 THEN 'unacknowledged' ELSE 'cleared' END, NOW() - n * INTERVAL '5 min', NOW(), 'x'
    FROM generate_series(1, 20000) AS n"""

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """What a page asks: statements with their values, drawn anew each time."""

    name: str
    statements: Callable[[random.Random], list[tuple[str, Values]]]
    target: bool = True


def run(quick: bool) -> list[Figure]:
    """Fill a million samples (a few ten thousand when quick), ask, return the figures."""
    return measure(QUICK_SAMPLES if quick else SAMPLES, QUICK_ROUNDS if quick else ROUNDS)


def measure(samples: int, rounds: int) -> list[Figure]:
    """The figures over a database of `samples`."""
    queries = Queries(resource_path("sql") / "queries")
    with tempfile.TemporaryDirectory(dir=os.environ.get(FOLDER)) as folder:
        server = start_postgres(data=Path(folder) / "data", port=free_port(), sync=False)
        try:
            migrate(server.dsn, resource_path("sql") / "migrations", timescale="off")
            with psycopg.connect(server.dsn, autocommit=True, options="-c timezone=UTC") as connection:
                now = datetime.now(UTC).replace(microsecond=0)
                seconds = fill(connection, samples, now)
                note = (
                    f"{samples:,} samples of {DAYS} days and {DEVICES} devices, {ASKED} times a round, {rounds} rounds"
                )
                figures = [Figure("filled", samples / seconds, "samples/s", note="by SQL, aggregates and indexes kept")]
                for question in questions(now):
                    figures += ask(connection, queries, question, rounds, note)
            return figures
        finally:
            server.stop()


def fill(connection: psycopg.Connection[Any], samples: int, now: datetime) -> float:
    """Make the samples up to `now`, a day at a time; the seconds it took."""
    began = time.perf_counter()
    per_device = samples // DEVICES
    start, step = now - timedelta(days=DAYS), timedelta(days=DAYS) / per_device
    connection.execute("SELECT setseed(0.5)")
    connection.execute(PICTURES.encode())
    lots = int(timedelta(days=DAYS).total_seconds() / LOT_S)
    connection.execute(LOTS, {"start": start, "lot": timedelta(seconds=LOT_S), "lots": lots})
    boot = "01890000-0000-7000-8000-000000000001"
    for day in range(DAYS):
        first, last = per_device * day // DAYS, per_device * (day + 1) // DAYS - 1
        connection.execute(DAY, {"first": first, "last": last, "start": start, "step": step, "boot": boot})
        if samples > SAMPLES:
            print(f"day {day + 1} of {DAYS}", file=sys.stderr)
    connection.execute(ALERT_ROWS)
    connection.execute("VACUUM (ANALYZE)")
    return time.perf_counter() - began


def questions(now: datetime) -> list[Question]:
    """What dashboards ask, each over the period that its page shows."""
    day, week, everything = (now - timedelta(days=days) for days in (1, 7, DAYS))
    everybody: Values = {"site_code": None}
    sites = ("LL", "LS", "MT")

    def overview(_rng: random.Random) -> list[tuple[str, Values]]:
        return [
            ("api_period_totals", {"start": day, "end": now, **everybody}),
            ("api_period_totals", {"start": week, "end": now, **everybody}),
            ("api_overview_counts", {"sites": None}),
        ]

    def hourly(rng: random.Random) -> list[tuple[str, Values]]:
        device = f"ESP32_{rng.choice(sites)}_01"
        values = {"start": week, "end": now, "device_id": device, "sites": None, "limit": 1_000}
        return [("api_hourly_stats", values)]

    def site(_rng: random.Random) -> list[tuple[str, Values]]:
        return [("api_site_days", {"start": now - timedelta(days=30), "end": now, "sites": None})]

    def distribution(rng: random.Random) -> list[tuple[str, Values]]:
        return [("api_period_totals", {"start": everything, "end": now, "site_code": rng.choice(sites)})]

    def latest(rng: random.Random) -> list[tuple[str, Values]]:
        return [("api_latest_sample", {"device_id": rng.choice([None, *(f"ESP32_{each}_01" for each in sites)])})]

    def lot(rng: random.Random) -> list[tuple[str, Values]]:
        chosen = {"lot_id": rng.randrange(1, DAYS * 86_400 // LOT_S * DEVICES)}
        return [("api_lot_totals", chosen), ("api_lot_samples", {**chosen, "limit": 100})]

    def samples(rng: random.Random) -> list[tuple[str, Values]]:
        end = now - timedelta(seconds=rng.randrange(80 * 86_400))
        device = f"ESP32_{rng.choice(sites)}_01"
        values = {"start": end - timedelta(hours=1), "end": end, "device_id": device, "sites": None, "limit": 100}
        return [("api_samples", values)]

    def lots(_rng: random.Random) -> list[tuple[str, Values]]:
        return [("api_lots_aggregated", {"start": day, "end": now, "sites": None, "limit": 100})]

    return [
        Question("overview (a day, a week, alerts, devices)", overview),
        Question("hourly, a device, 7 days", hourly),
        Question("site by day, 30 days", site),
        Question("distribution of grades, a site, 90 days", distribution),
        Question("latest sample", latest),
        Question("a lot: figures and 100 samples", lot),
        Question("100 samples of an hour", samples, target=False),
        Question("lots of a day", lots, target=False),
    ]


def ask(
    connection: psycopg.Connection[Any], queries: Queries, question: Question, rounds: int, note: str
) -> list[Figure]:
    """The median over the rounds of the 99th percentile of one question, in ms."""
    rng = random.Random(question.name)
    found: list[float] = []
    for _ in range(rounds):
        times: list[float] = []
        for _ in range(ASKED):
            statements = question.statements(rng)
            began = time.perf_counter()
            for name, values in statements:
                connection.execute(queries[name], values).fetchall()
            times.append((time.perf_counter() - began) * 1e3)
        found.append(percentile(times, 0.99))
    p99 = median(found)
    if question.target:
        return [Figure(f"{question.name}, p99", p99, "ms", f"<= {P99_MAX_MS:g}", p99 <= P99_MAX_MS, note)]
    return [Figure(f"{question.name}, p99", p99, "ms", note=note)]
