"""``quark gc``: payloads of a folder that nothing refers to any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from quark.cli.checks import counted, in_bytes
from quark.cli.consent import ask
from quark.cli.output import Output, object_of, with_output
from quark.cli.target import with_store

if TYPE_CHECKING:
    from quark.catalog.garbage import Garbage
    from quark.storage.protocols import Store

_SCHEMA = object_of(
    dry_run="boolean",
    version_count="integer",
    payload_count="integer",
    payload_bytes="integer",
)
_SHOWN = 10


@click.command("gc")
@with_store
@click.option(
    "--grace-hours",
    type=click.FloatRange(min=0),
    default=24.0,
    show_default=True,
    help="How long a payload stays that nothing refers to.",
)
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@with_output(_SCHEMA)
def gc(store: Store, grace_hours: float, dry_run: bool, yes: bool, out: Output) -> None:
    """Remove payloads that nothing refers to, and versions of artifacts that have outlived their
    time.

    Says what would go and how much that is, and asks. A training may go on meanwhile: what was
    logged or asked for within --grace-hours stays. Those of a service are removed on its own
    machine, by quark admin gc.

    \b
    quark gc --dry-run
    quark gc --yes
    """
    from quark.catalog.garbage import check_collectable, find_garbage
    from quark.catalog.removal import collect, expired

    check_collectable(store)
    seconds = grace_hours * 3600.0
    versions = expired(store)
    found = find_garbage(store, grace_seconds=seconds)
    said = {
        "dry_run": dry_run,
        "version_count": len(versions),
        "payload_count": len(found.payloads),
        "payload_bytes": found.size_bytes,
    }
    if not out.as_json:
        _tell(found, [str(version.name) for version in versions], out)
    nothing = not (versions or found.payloads)
    if dry_run or nothing:
        if out.as_json:
            out.answer(said)
        return
    if not yes:
        ask("Remove this?")
    done = collect(store, grace_seconds=seconds)
    said.update(
        version_count=done.version_count,
        payload_count=done.payload_count,
        payload_bytes=done.payload_bytes,
    )
    if out.as_json:
        out.answer(said)
        return
    out.text(
        f"{counted(done.payload_count, 'payload')} ({in_bytes(done.payload_bytes)}) and "
        f"{counted(done.version_count, 'version')} of artifacts were removed."
    )


def _tell(found: Garbage, versions: list[str], out: Output) -> None:
    if not (found.payloads or versions):
        out.text("There is nothing to remove: something refers to every payload.")
        return
    largest = sorted(found.payloads.items(), key=lambda item: -item[1])
    for sha256, size_bytes in largest[:_SHOWN]:
        out.text(f"{sha256[:16]}…  {in_bytes(size_bytes):>9}")
    if len(largest) > _SHOWN:
        out.text(f"and {counted(len(largest) - _SHOWN, 'more', 'more')}")
    if versions:
        shown = ", ".join(versions[:_SHOWN]) + (" …" if len(versions) > _SHOWN else "")
        out.text(f"{counted(len(versions), 'version')} of artifacts outlived their time: {shown}")
    out.text(
        f"{counted(len(found.payloads), 'payload')} that nothing refers to, "
        f"{in_bytes(found.size_bytes)}."
    )
