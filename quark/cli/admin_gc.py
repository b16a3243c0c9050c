"""``quark admin gc``: removing payloads that nothing refers to, on the service's own machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from quark import jsonio
from quark.cli.admin_store import on_a_service
from quark.cli.consent import ask
from quark.cli.local_user import local_actor
from quark.cli.output import list_of, object_of, states
from quark.errors import DamagedFileError

if TYPE_CHECKING:
    from quark.service.collecting import StoreGarbage
    from quark.service.config import ServiceConfig

_STORE = object_of(
    workspace="string",
    storage_dir="string",
    version_count="integer",
    payload_count="integer",
    payload_bytes="integer",
    upload_count="integer|null",
)
_SCHEMA = object_of(dry_run="boolean", damaged="integer", stores=list_of(_STORE))


@click.command("gc")
@states(_SCHEMA)
@on_a_service("db", "points", "blobs")
@click.option("--workspace", help="Only this workspace's stores; all of them if left out.")
@click.option(
    "--grace-hours",
    type=click.FloatRange(min=1),
    default=24.0,
    show_default=True,
    help="How long a payload stays that nothing refers to.",
)
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def gc(
    config: ServiceConfig,
    workspace: str | None,
    grace_hours: float,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove payloads that nothing refers to, versions of artifacts that have outlived their
    time, and uploads that were abandoned. The service may go on meanwhile.

    What was sent or asked for within --grace-hours stays, and what was since the oldest run began
    that goes on. This reads the records of every run: once a night is often enough.

    \b
    quark admin gc --root /srv/quark --dry-run
    quark admin gc --root /srv/quark --yes
    """
    from quark.service.collecting import collect_store, look, store_keys
    from quark.service.identity.engine import Identity
    from quark.service.stores import Stores

    stores = Stores(config)
    seconds = grace_hours * 3600.0
    found: list[StoreGarbage] = []
    done: list[StoreGarbage] = []
    damaged = 0
    try:
        identity = Identity(stores.control)
        if workspace is not None:
            identity.directory.workspace(workspace)
        names = [workspace] if workspace else [one.name for one in identity.directory.workspaces()]
        keys = [key for name in names for key in store_keys(config, stores, name)]
        for key in keys:
            try:
                found.append(look(stores, key, grace_seconds=seconds))
            except DamagedFileError as error:
                damaged += 1
                click.echo(f"{key.namespace}: nothing is removed: {error}", err=True)
        if not as_json:
            _tell(found, "would go" if dry_run else "can go")
        if not (dry_run or yes):
            ask("Remove this?")
        if not dry_run:
            for one in found:
                removed = collect_store(config, stores, one.key, grace_seconds=seconds)
                done.append(removed)
                detail = {"storage_dir": one.key.storage_dir, **_counts(removed)}
                identity.audit.record(
                    "payload.collect", local_actor(), workspace=one.key.workspace, detail=detail
                )
    finally:
        stores.close()
    if as_json:
        rows = [{**one.key._asdict(), **_counts(one)} for one in (found if dry_run else done)]
        click.echo(jsonio.dumps({"dry_run": dry_run, "damaged": damaged, "stores": rows}).decode())
    elif not dry_run:
        _tell(done, "were removed")
    if damaged:
        raise click.ClickException(f"{damaged} of {len(keys)} stores could not be collected.")


def _counts(one: StoreGarbage) -> dict[str, Any]:
    return {
        "version_count": one.version_count,
        "payload_count": one.payload_count,
        "payload_bytes": one.payload_bytes,
        "upload_count": one.upload_count,
    }


def _tell(found: Sequence[StoreGarbage], what: str) -> None:
    for one in found:
        if one.payload_count or one.version_count or one.upload_count:
            click.echo(f"{one.key.namespace}: {_words(one)} {what}.")
    count = sum(one.payload_count for one in found)
    size = sum(one.payload_bytes for one in found) / 1e6
    click.echo(f"In all {count} payloads ({size:.1f} MB) of {len(found)} stores {what}.")


def _words(one: StoreGarbage) -> str:
    words = [f"{one.payload_count} payloads ({one.payload_bytes / 1e6:.1f} MB)"]
    if one.version_count:
        words.append(f"{one.version_count} versions of artifacts that have outlived their time")
    if one.upload_count:
        words.append(f"{one.upload_count} abandoned uploads")
    return ", ".join(words)
