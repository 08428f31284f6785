"""`sqal spool`: look into a device's durable queue, also while its agent runs."""

import json
from pathlib import Path
from typing import BinaryIO

import click

from edge.spool_check import SpoolReport, UnreadableSpoolError, bodies, examine

SPOOL_FILE = "spool.db"


@click.group()
def spool() -> None:
    """Look into the durable queue of a device."""


@spool.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
def verify(path: Path) -> None:
    """Check every message in the spool at PATH (the file, or the state directory of an agent).

    Exit status 0: all sound; 1: something is wrong, told line by line; 2: there is no readable spool.
    """
    report = _examine(path)
    for fault in report.faults:
        click.echo(fault)
    if report.faults_total > len(report.faults):
        click.echo(f"… and {report.faults_total - len(report.faults)} more")
    if report.faults_total:
        click.echo(f"{report.path}: {report.faults_total} faults in {report.rows} messages")
        raise SystemExit(1)
    click.echo(f"{report.path}: {report.rows} messages, all sound")


@spool.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of words.")
def stats(path: Path, as_json: bool) -> None:
    """Tell what waits in the spool at PATH (the file, or the state directory of an agent)."""
    report = _examine(path)
    if as_json:
        click.echo(json.dumps(_as_dict(report)))
        return
    click.echo(f"{report.path}: {report.rows} messages, {report.body_bytes:,} bytes in a file of {report.file_bytes:,}")
    click.echo("  " + ", ".join(f"{count} {kind}" for kind, count in sorted(report.kinds.items())))
    if report.oldest:
        click.echo(f"  measured from {report.oldest} to {report.newest}")
    if report.timeless:
        click.echo(f"  {report.timeless} wait until the clock is known")
    for boot in report.boots:
        gaps = f", {boot.gap_seqs} told as lost" if boot.gap_seqs else ""
        click.echo(f"  boot {boot.boot_id}: {boot.rows} held, seq {boot.first_seq} to {boot.last_seq}{gaps}")


@spool.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("-o", "--output", type=click.File("wb"), default="-", help="Where to; standard output by default.")
def export(path: Path, output: BinaryIO) -> None:
    """Write every message in the spool at PATH as it would be sent, one JSON object a line.

    What fails its checksum is left out and said; exit status 1 then. One that waits for the clock is stamped 1970.
    """
    unreadable = written = 0
    try:
        for number, body in bodies(path / SPOOL_FILE if path.is_dir() else path):
            if body is None:
                unreadable += 1
                click.echo(f"position {number}: the bytes fail their checksum", err=True)
                continue
            output.write(body + b"\n")
            written += 1
    except UnreadableSpoolError as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from None
    click.echo(f"{written} messages written, {unreadable} unreadable", err=True)
    raise SystemExit(1 if unreadable else 0)


def _examine(path: Path) -> SpoolReport:
    try:
        return examine(path / SPOOL_FILE if path.is_dir() else path)
    except UnreadableSpoolError as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from None


def _as_dict(report: SpoolReport) -> dict[str, object]:
    return {
        "rows": report.rows,
        "body_bytes": report.body_bytes,
        "file_bytes": report.file_bytes,
        "kinds": dict(report.kinds),
        "timeless": report.timeless,
        "oldest": report.oldest or None,
        "newest": report.newest or None,
        "faults": report.faults_total,
        "boots": [
            {
                "boot_id": str(boot.boot_id),
                "rows": boot.rows,
                "first_seq": boot.first_seq,
                "last_seq": boot.last_seq,
                "gap_seqs": boot.gap_seqs,
            }
            for boot in report.boots
        ],
    }
