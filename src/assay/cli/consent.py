"""`--sandbox none` is granted only to those who were told what it means."""

from __future__ import annotations

import click

DANGER = (
    "without a sandbox, the builds and tests of packages from the internet run with all your rights: they can read "
    "your files and keys, change or delete what you can, and talk to the network. And nothing stops a candidate "
    "from changing its judge, so verdicts prove nothing."
)


def require(sandbox: str, unsafe: bool) -> None:
    """Refuse `none` without consent, and warn with it. Raises click.UsageError."""
    if sandbox != "none":
        return
    if not unsafe:
        raise click.UsageError(
            f"--sandbox none is dangerous: {DANGER} To do it all the same, add --i-know-this-is-unsafe"
        )
    click.echo(f"warning: {DANGER}", err=True)
