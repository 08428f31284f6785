"""`sqal certificate`: verify a certificate's file, or what its printed code says, with nothing but a public key."""

import sys
from pathlib import Path

import click

from cloud.certificate import CertificateError, Summary, check, check_code
from cloud.certificate_file import check_appearance, read_file
from cloud.ledger_keys import check_signature
from contract.chain import ChainError
from contract.checkpoint import Checkpoint
from sqal.commands.ledger import trusted_keys


@click.group()
def certificate() -> None:
    """Verify certificates; needs no database and no network."""


@certificate.command("verify")
@click.argument("file")
@click.option("--key", "texts", multiple=True, required=True, help="The ledger's public key, or a file of such keys.")
def verify(file: str, texts: tuple[str, ...]) -> None:
    """Verify FILE (HTML, PDF or JSON), or the URL that a printed code says; exit code 1 when it proves nothing."""
    try:
        keys = trusted_keys(texts)
        if "#1." in file:
            summary, checkpoint = check_code(file, keys, check_signature)
        else:
            data = Path(file).read_bytes()
            document, kind = read_file(data)
            summary, checkpoint = check(document, keys, check_signature)
            check_appearance(document, kind, data)
    except CertificateError as error:
        click.echo(f"✗ not valid: {error}")
        sys.exit(1)
    except (ChainError, OSError, UnicodeDecodeError) as error:
        raise click.ClickException(str(error)) from error
    _tell(summary, checkpoint, is_whole="#1." not in file)


def _tell(summary: Summary, checkpoint: Checkpoint, *, is_whole: bool) -> None:
    click.echo(f"✓ valid: {summary.subject}, lot {summary.lot}, grade {summary.grade}, score {summary.score:.4f}")
    if is_whole:
        click.echo(f"  {summary.samples} samples recomputed, each proven to be in the ledger {checkpoint.origin}")
    else:
        click.echo(f"  stated of {summary.samples} samples; the statement is proven to be in {checkpoint.origin}")
    click.echo(f"  checkpoint of {checkpoint.size} entries, {checkpoint.time.isoformat()}")
