"""`python -m bench ledger`: what the ledger costs ingest, how fast it grows, proves and is verified.

A million entries are queued as ingest queues them (one sample each, of a lot), appended and signed by the real writer,
proven from a cold tree by the statements of the API, and verified from the first byte. The cost for ingest is that
of the same samples through the same running ingester, once with the function that queues digests, once with an empty
one.
"""

import asyncio
import random
import statistics
import tempfile
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from psycopg.rows import tuple_row

from bench.figures import Figure, median, percentile
from bench.ingest_rig import Ingester, Rig, drive, fresh, rig
from cloud.ledger import Ledger
from cloud.ledger_keys import check_signature, create_keys, read_keys
from cloud.ledger_report import Trust
from cloud.ledger_service import open_ledger_session
from cloud.ledger_tree import StoredTree
from cloud.ledger_verify import verify_ledger
from cloud.settings import LedgerSettings
from cloud.store.queries import Queries
from contract import Sample
from contract.chain import leaf_hash, verify_inclusion
from contract.checkpoint import parse_note
from sqal.resources import resource_path

ENTRIES, QUICK_ENTRIES = 1_000_000, 20_000
INGESTED, QUICK_INGESTED = 20_000, 4_000
PAIRS, QUICK_PAIRS = 5, 1
PROOFS, QUICK_PROOFS = 500, 50
START = datetime(2026, 3, 1, tzinfo=UTC)
LOT = 7
# What ingest would have stored and queued, put there by one statement so that the bench is about the ledger.
SAMPLES = """
INSERT INTO sqal_sensor_samples (time, sample_id, device_id, lot_id, vl53l8ch_distance_matrix,
    vl53l8ch_reflectance_matrix, vl53l8ch_amplitude_matrix, as7341_channels, fusion_final_score, fusion_final_grade,
    boot_id, seq)
SELECT %(start)s::TIMESTAMPTZ + n * interval '1 ms', 'bench-' || n, 'ESP32_LL_01', %(lot)s, matrix, matrix, matrix,
    '{1000,1001,1002,1003,1004,1005,1006,1007,1008,1009}', 0.5 + (n %% 5000) / 10000.0, 'B',
    '01890a5d-ac96-774b-bcce-b302099a8057', n
FROM generate_series(%(first)s::BIGINT, %(last)s::BIGINT) AS n,
    (SELECT array_agg(row_of) AS matrix
        FROM (SELECT ARRAY[1, 2, 3, 4, 5, 6, 7, 8]::SMALLINT[] AS row_of FROM generate_series(1, 8)) AS eight) AS one"""
ENQUEUE = """
SELECT sqal_ledger_enqueue(array_agg(time), array_agg(sample_id)) FROM sqal_sensor_samples
WHERE seq BETWEEN %(first)s AND %(last)s"""
PART = 10_000
NOTHING_QUEUED = """
CREATE OR REPLACE FUNCTION sqal_ledger_enqueue(p_times TIMESTAMPTZ[], p_sample_ids TEXT[]) RETURNS BIGINT
LANGUAGE SQL AS 'SELECT 0::BIGINT'"""


def run(quick: bool) -> list[Figure]:
    """All figures; `quick` a fiftieth of the entries."""
    with tempfile.TemporaryDirectory(prefix="sqal-bench-") as folder, rig(Path(folder)) as ours:
        ours.run(
            "INSERT INTO lots_gavage (id, code_lot, site_code, debut_lot, itm_moyen)"  # noqa: S608  # a constant
            f" VALUES ({LOT}, 'LL-7', 'LL', '2026-03-01', 14.5)"
        )
        cost = asyncio.run(_cost(ours, QUICK_PAIRS if quick else PAIRS, QUICK_INGESTED if quick else INGESTED))
        ours.run("TRUNCATE sqal_sensor_samples, sqal_ledger_queue")
        return [*cost, *asyncio.run(_tree(ours, QUICK_ENTRIES if quick else ENTRIES, quick))]


async def _cost(ours: Rig, pairs: int, count: int) -> list[Figure]:
    """Share of ingest's rate that queueing takes; runs alternate, so that a slow minute hits both sides."""
    with_ledger = str(ours.value("SELECT pg_get_functiondef('sqal_ledger_enqueue'::regproc)"))
    shares: list[float] = []
    rates: list[float] = []
    ingester = Ingester(ours)
    try:
        await ingester.wait_ready()
        await drive(ours, _of_lot(fresh(count // 4, 0)))  # plans and pages are warm before anything counts
        for seed in range(1, pairs + 1):
            seconds: dict[str, float] = {}
            sides = [("without", NOTHING_QUEUED), ("with", with_ledger)]
            for name, function in sides if seed % 2 else sides[::-1]:
                ours.run(function)
                ours.run("TRUNCATE sqal_sensor_samples, sqal_ledger_queue")
                seconds[name] = await drive(ours, _of_lot(fresh(count, seed)))
            shares.append(seconds["with"] / seconds["without"] - 1)
            rates.append(count / seconds["with"])
    finally:
        ingester.stop()
        ours.run(with_ledger)
    lost = 100 * median(shares)
    note = f"{count} samples of a lot a run, median of {len(shares)} pairs with and without queueing"
    return [
        Figure("ingest with the ledger", median(rates), "/s", note=note),
        Figure("what the ledger costs ingest", lost, "%", "<= 5", lost <= 5, note),
    ]


def _of_lot(samples: Sequence[Sample]) -> list[Sample]:
    return [msgspec.structs.replace(each, lot_id=LOT) for each in samples]


async def _tree(ours: Rig, entries: int, quick: bool) -> list[Figure]:
    queries = Queries(resource_path("sql") / "queries")
    folder = ours.folder / "ledger"
    settings = LedgerSettings(key_file=str(folder / "key"), checkpoint_file=str(folder / "checkpoint"))
    create_keys(folder / "key", settings.origin)
    signers = read_keys(folder / "key")
    for first in range(1, entries + 1, PART):
        with psycopg.connect(ours.dsn, autocommit=True) as connection:
            place: dict[str, Any] = {"start": START, "lot": LOT, "first": first, "last": first + PART - 1}
            connection.execute(SAMPLES, place)
            connection.execute(ENQUEUE, place)
    ours.run("VACUUM ANALYZE sqal_sensor_samples")
    async with await open_ledger_session(ours.dsn) as connection:
        ledger = Ledger(connection, queries, settings, signers, lambda: datetime.now(UTC))
        await ledger.open()
        began = time.perf_counter()
        while await ledger.write_round() is not None:
            pass
        append_s = time.perf_counter() - began
        assert ledger.latest is not None
        note = ledger.latest
    ours.run("VACUUM ANALYZE sqal_ledger")
    checkpoint = parse_note(note)
    proofs_s = await _prove(ours, queries, checkpoint.size, checkpoint.root, QUICK_PROOFS if quick else PROOFS)
    began = time.perf_counter()
    trust = Trust([each.public for each in signers], check_signature, [note])
    report = verify_ledger(ours.dsn, trust, now=START + timedelta(days=1), retention=timedelta(days=90))
    verify_hz = report.entries / (time.perf_counter() - began)
    assert report.is_valid, report.findings[:3]
    assert report.samples == entries, "the bench lost samples"
    p99_ms = percentile(proofs_s, 0.99) * 1e3
    many = f"{checkpoint.size} entries"
    return [
        Figure("appended and signed", checkpoint.size / append_s, "/s", note=f"{many}, durable, rounds of 10000"),
        Figure("a proof of inclusion, median", statistics.median(proofs_s) * 1e3, "ms", note=f"cold tree, of {many}"),
        Figure("a proof of inclusion, p99", p99_ms, "ms", "<= 5", p99_ms <= 5, f"{len(proofs_s)} of {many}"),
        Figure("verified", verify_hz, "/s", ">= 50000", verify_hz >= 50_000, f"{many} and their samples, all checks"),
    ]


async def _prove(ours: Rig, queries: Queries, size: int, root: bytes, count: int) -> list[float]:
    """Seconds of proofs of entries drawn by chance, each from a tree of which nothing is read yet."""
    rng = random.Random(uuid.UUID("01890a5d-ac96-774b-bcce-b302099a8057").int)
    taken: list[float] = []
    async with await psycopg.AsyncConnection.connect(ours.dsn, autocommit=True, row_factory=tuple_row) as connection:

        async def read(name: str, values: dict[str, Any]) -> list[bytes]:
            cursor = await connection.execute(queries[name], values, binary=True)
            return [row[0] for row in await cursor.fetchall()]

        for n in range(count + 20):  # the first few prepare the statements
            index = rng.randrange(size)
            began = time.perf_counter()
            proof = await StoredTree(read, size).inclusion(index)
            if n >= 20:
                taken.append(time.perf_counter() - began)
            cursor = await connection.execute("SELECT entry FROM sqal_ledger WHERE leaf_index = %s", (index,))
            row = await cursor.fetchone()
            assert row is not None
            assert verify_inclusion(leaf_hash(bytes(row[0])), index, size, proof, root)
    return taken
