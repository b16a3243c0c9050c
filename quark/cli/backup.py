"""``quark admin backup`` and ``quark admin restore``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from quark import jsonio
from quark.cli.admin_store import on_a_service
from quark.cli.output import object_of, states

if TYPE_CHECKING:
    from quark.service.backup.manifest import Manifest
    from quark.service.config import ServiceConfig

_FOLDER = click.Path(path_type=Path, file_okay=False)
_SCHEMA = object_of(
    begun_at="string",
    ended_at="string",
    engines="object",
    file_count="integer",
    payload_count="integer",
    payload_bytes="integer",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")


@click.command("backup")
@states(_SCHEMA)
@click.argument("target", type=_FOLDER)
@on_a_service("db", "points", "blobs")
@click.option("--previous", type=_FOLDER, help="An older backup: payloads that it has are linked.")
@click.option("--no-payloads", is_flag=True, help="Leave payloads out.")
@_JSON
def backup(
    target: Path,
    config: ServiceConfig,
    previous: Path | None,
    no_payloads: bool,
    as_json: bool,
) -> None:
    """Copy all that a service keeps into the new folder TARGET. The service may go on meanwhile.

    \b
    quark admin backup --root /srv/quark /backup/monday
    quark admin backup --root /srv/quark --previous /backup/monday /backup/tuesday
    """
    from quark.service.backup.taking import back_up

    _say(back_up(config, target, previous=previous, payloads=not no_payloads), "kept", as_json)


@click.command("restore")
@states(_SCHEMA)
@click.argument("source", type=_FOLDER)
@on_a_service("db", "points", "blobs", make=True)
@_JSON
def restore(
    source: Path,
    config: ServiceConfig,
    as_json: bool,
) -> None:
    """Bring the backup SOURCE back below an empty folder, and into an empty database.

    \b
    quark admin restore --root /srv/quark-restored /backup/monday
    """
    from quark.service.backup import taking

    _say(taking.restore(source, config), "restored", as_json)


def _say(manifest: Manifest, done: str, as_json: bool) -> None:
    if as_json:
        said = {
            "begun_at": manifest.begun_at,
            "ended_at": manifest.ended_at,
            "engines": manifest.engines,
            "file_count": len(manifest.files),
            "payload_count": manifest.payload_count,
            "payload_bytes": manifest.payload_bytes,
        }
        click.echo(jsonio.dumps(said).decode())
        return
    click.echo(
        f"{done.capitalize()} {len(manifest.files)} files and {manifest.payload_count} payloads "
        f"({manifest.payload_bytes / 1e6:.1f} MB), as of {manifest.begun_at}."
    )
