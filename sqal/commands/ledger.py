"""`sqal ledger`: keys, the writer, and the verifier that trusts neither."""

import asyncio
import json
import os
import random
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from cloud.ledger import LedgerError
from cloud.ledger_keys import KeyFileError, Signer, check_signature, create_keys, read_keys, retire_keys, rotate_keys
from cloud.ledger_report import Report, Trust, VerifyError
from cloud.ledger_service import Writing, run_ledger
from cloud.ledger_verify import verify_ledger
from cloud.settings import Settings, SettingsError, load_settings
from cloud.store.queries import Queries
from contract.chain import ChainError
from contract.checkpoint import PublicKey, parse_key
from sqal.resources import resource_path

FOUND_SHOWN = 20


@click.group()
@click.option("--settings", "file", type=click.Path(path_type=Path, dir_okay=False), help="TOML file of the server.")
@click.pass_context
def ledger(context: click.Context, file: Path | None) -> None:
    """Write the ledger, look after its keys, verify it."""
    try:
        context.obj = load_settings(file, os.environ)
    except SettingsError as error:
        raise click.ClickException(str(error)) from error


@ledger.command("keys")
@click.option("--create", is_flag=True, help="Make the first key.")
@click.option("--rotate", is_flag=True, help="Put a new key before the present one; both sign from the next start on.")
@click.option("--retire", is_flag=True, help="Keep only the active key.")
@click.pass_obj
def keys(settings: Settings, *, create: bool, rotate: bool, retire: bool) -> None:
    """Print the public keys, the active one first; make, rotate or retire them."""
    path = Path(settings.ledger.key_file)
    if create + rotate + retire > 1:
        raise click.UsageError("--create, --rotate and --retire exclude each other")
    try:
        if create:
            create_keys(path, settings.ledger.origin)
        elif rotate:
            rotate_keys(path)
        elif retire:
            retire_keys(path)
        for signer in read_keys(path):
            click.echo(str(signer.public))
    except (KeyFileError, OSError) as error:
        raise click.ClickException(str(error)) from error


@ledger.command("run")
@click.option("--create-key", is_flag=True, help="Make a key where there is none yet.")
@click.pass_obj
def run(settings: Settings, *, create_key: bool) -> None:
    """Append what is queued, sign and publish checkpoints, until stopped."""
    try:
        path = Path(settings.ledger.key_file)
        if create_key and not path.exists():
            create_keys(path, settings.ledger.origin)
        signers = read_keys(path)
        asyncio.run(_run(settings, signers))
    except (KeyFileError, SettingsError, LedgerError) as error:
        raise click.ClickException(str(error)) from error


async def _run(settings: Settings, signers: list[Signer]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    rng = random.Random()  # noqa: S311  # jitter
    queries = Queries(resource_path("sql") / "queries")
    try:
        await run_ledger(Writing(settings, queries, signers, rng, lambda: datetime.now(UTC)), stop)
    except* LedgerError as errors:
        raise LedgerError(str(errors.exceptions[0])) from None


@ledger.command("verify")
@click.option("--key", "key_texts", multiple=True, help="Trusted public key, or a file of them.")
@click.option(
    "--checkpoint",
    "notes",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A checkpoint that was kept outside; as many as you have.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def verify(settings: Settings, *, key_texts: tuple[str, ...], notes: tuple[Path, ...], as_json: bool) -> None:
    """Check the whole ledger and every sample against it; exit code 1 when anything was found."""
    began = time.monotonic()
    try:
        trust = Trust(_trusted(settings, key_texts), check_signature, [path.read_text("utf-8") for path in notes])
        retention = timedelta(days=settings.ledger.retention_days)
        report = verify_ledger(settings.database.url, trust, now=datetime.now(UTC), retention=retention)
    except (VerifyError, ChainError, KeyFileError, OSError, UnicodeDecodeError) as error:
        raise click.ClickException(str(error)) from error
    seconds = time.monotonic() - began
    click.echo(_json(report, seconds) if as_json else _text(report, seconds))
    if not report.is_valid:
        sys.exit(1)


def _trusted(settings: Settings, texts: tuple[str, ...]) -> list[PublicKey]:
    if not texts:
        return [signer.public for signer in read_keys(Path(settings.ledger.key_file))]
    return trusted_keys(texts)


def trusted_keys(texts: tuple[str, ...]) -> list[PublicKey]:
    """Public keys, each given as it is or as a file of them, also the API's JSON list. Raises ChainError, OSError."""
    words = [word for text in texts for word in (Path(text).read_text("utf-8").split() if _is_file(text) else [text])]
    return [parse_key(word) for word in (word.strip('[]",') for word in words) if word]


def _is_file(text: str) -> bool:
    return len(text) < 200 and Path(text).is_file()


def _json(report: Report, seconds: float) -> str:
    found = [{"code": each.code, "index": each.index, "detail": each.detail} for each in report.findings]
    names = ("entries", "samples", "checkpoints", "expired", "erased", "older_records", "not_covered", "findings_total")
    figures = {name: getattr(report, name) for name in names}
    first = None if report.first is None else str(report.first)
    covered = None if report.checkpoint is None else report.checkpoint.size
    valid = report.is_valid
    return json.dumps(
        {"valid": valid, **figures, "covered": covered, "first": first, "seconds": round(seconds, 3), "findings": found}
    )


def _text(report: Report, seconds: float) -> str:
    rate = report.entries / max(seconds, 1e-9)
    lines = [
        f"{report.entries} entries, {report.samples} samples, {report.checkpoints} checkpoints",
        f"in {seconds:.1f} s ({rate:,.0f} entries/s)",
        f"{report.expired} samples expired, {report.erased} personal parts erased",
        f"{report.not_covered} entries wait for a checkpoint",
    ]
    if report.older_records:
        lines.append(
            f"{report.older_records} samples have digests of record 1, which covers no sigma, halves and details"
        )
    if report.checkpoint is not None:
        at = report.checkpoint
        lines.append(f"newest trusted checkpoint: {at.size} entries, {at.time.isoformat()}, root {at.root.hex()}")
    lines += [f"✗ {each}" for each in report.findings[:FOUND_SHOWN]]
    if report.first is None:
        lines.append("✓ nothing was changed, dropped, added or reordered")
    else:
        lines.append(f"first: {report.first}   ({report.findings_total} findings)")
    return "\n".join(lines)
