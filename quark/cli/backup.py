"""``quark admin backup`` and ``quark admin restore``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from quark import jsonio

if TYPE_CHECKING:
    from quark.service.backup.manifest import Manifest

_FOLDER = click.Path(path_type=Path, file_okay=False)
_ROOT = click.option("--root", type=_FOLDER, required=True, help="The service's folder.")
_DB = click.option("--db", "db_url", help="postgresql://… if the service keeps records there.")
_POINTS = click.option("--points", "points_url", help="clickhouse://… if points are there.")
_BLOBS = click.option("--blobs", "blobs_url", help="s3://… if payloads are there.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")


@click.command("backup")
@click.argument("target", type=_FOLDER)
@_ROOT
@_DB
@_POINTS
@_BLOBS
@click.option("--previous", type=_FOLDER, help="An older backup: payloads that it has are linked.")
@click.option("--no-payloads", is_flag=True, help="Leave payloads out.")
@_JSON
def backup(
    target: Path,
    root: Path,
    db_url: str | None,
    points_url: str | None,
    blobs_url: str | None,
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
    from quark.service.config import ServiceConfig

    config = ServiceConfig(root=root, db_url=db_url, points_url=points_url, blobs_url=blobs_url)
    _say(back_up(config, target, previous=previous, payloads=not no_payloads), "kept", as_json)


@click.command("restore")
@click.argument("source", type=_FOLDER)
@_ROOT
@_DB
@_POINTS
@_BLOBS
@_JSON
def restore(
    source: Path,
    root: Path,
    db_url: str | None,
    points_url: str | None,
    blobs_url: str | None,
    as_json: bool,
) -> None:
    """Bring the backup SOURCE back below an empty folder, and into an empty database.

    \b
    quark admin restore --root /srv/quark-restored /backup/monday
    """
    from quark.service.backup import taking
    from quark.service.config import ServiceConfig

    config = ServiceConfig(root=root, db_url=db_url, points_url=points_url, blobs_url=blobs_url)
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
