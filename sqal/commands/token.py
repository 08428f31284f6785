"""`sqal token`: what programs show to the API."""

from pathlib import Path
from typing import get_args

import click

from cloud.access import AccessScope
from sqal.access import Access
from sqal.commands.user import FILE, ROLE, SITES, access_of, in_words, show


@click.group()
@FILE
@click.pass_context
def token(context: click.Context, file: Path | None) -> None:
    """What programs show to the API: `Authorization: Bearer …`."""
    context.obj = access_of(file)


@token.command("add")
@click.argument("name")
@ROLE
@SITES
@click.option("--scope", "scopes", multiple=True, type=click.Choice(get_args(AccessScope)), help="Less than the role.")
@click.option("--days", default=365.0, show_default=True, type=click.FloatRange(0, 3660, min_open=True))
@click.pass_obj
def add(access: Access, name: str, role: str, sites: tuple[str, ...], scopes: tuple[str, ...], *, days: float) -> None:
    """Make a token and print it; it is not shown again."""
    with in_words():
        number, secret = access.add_token(name, role, sites=list(sites) or None, scopes=list(scopes) or None, days=days)
    click.echo(f"token {number} ({name}), good for {days:g} days:", err=True)
    click.echo(secret)


@token.command("list")
@click.pass_obj
def list_tokens(access: Access) -> None:
    """List the tokens, without their secrets."""
    with in_words():
        show(
            access.tokens(),
            lambda row: (
                f"{row['token_id']:>4} {row['name']:<24} {row['role']:<9} {','.join(row['sites'] or ['every site'])} "
                f" {','.join(row['scopes']):<18}"
                f" {'revoked' if row['revoked_at'] else 'until ' + row['expires_at'].isoformat(timespec='minutes')}"
            ),
        )


@token.command("revoke")
@click.argument("token_id", type=click.IntRange(1))
@click.pass_obj
def revoke(access: Access, token_id: int) -> None:
    """End a token for good; what it holds open ends within a minute."""
    with in_words():
        access.revoke_token(token_id)
    click.echo(f"token {token_id} is revoked")
