"""Asking before something goes for good. A script says yes with ``--yes``; none is waited for."""

from __future__ import annotations

import click


def ask(question: str) -> None:
    """Go on if somebody says yes.

    Raises:
        Abort: They do not.
        UsageError: Nobody is there who could.
    """
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort as error:
        if isinstance(error.__context__, EOFError):
            click.echo(err=True)
            raise click.UsageError("Nobody answers; pass --yes to say yes.") from error
        raise
    if not agreed:
        raise click.Abort
