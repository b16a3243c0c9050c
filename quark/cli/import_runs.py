"""``quark import``: runs that were exported, into the store that the settings name."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quark.cli.checks import counted
from quark.cli.lazy import Entry, LazyGroup
from quark.cli.output import Output, object_of, with_output
from quark.cli.progress import progress_on
from quark.cli.target import with_settings

if TYPE_CHECKING:
    from quark.session.sync_result import SyncProgress, SyncResult
    from quark.settings import Settings

_SCHEMA = object_of(
    target="string",
    run_ids="array",
    sent_count="integer",
    skipped_count="integer",
    payload_count="integer",
    artifact_count="integer",
    file_count="integer",
    sweep_document_count="integer",
    waiting="array",
)


@click.group(
    name="import",
    cls=LazyGroup,
    entries=(
        Entry(
            "quark", "quark.cli.import_runs:import_quark", "Read what `quark export` has written."
        ),
    ),
)
def import_runs() -> None:
    """Read runs from elsewhere into a store."""


@click.command("quark")
@click.argument("export", metavar="DIR|FILE|-")
@with_settings
@with_output(_SCHEMA)
def import_quark(export: str, settings: Settings, out: Output) -> int:
    """Read what `quark export` has written.

    Into the embedded store of --storage-dir, which is made if it is not there, into a service with
    --url or --target, or else into the store that new runs here would go to. All of it is checked
    first: what is damaged or cut off is refused, and nothing is written.

    A second time changes nothing. A run of the same id with other content is never overwritten;
    one that has gone on since is left as it is.

    \b
    quark import quark orchid/ --storage-dir ~/runs
    quark import quark two-runs.tar.gz --target team
    ssh host quark export rosy-orchid-1 --to - | quark import quark -
    """
    from quark.errors import SessionStoreError
    from quark.persistence.open import open_store, with_own_workspace
    from quark.session import run_import

    if export == "-" and sys.stdin.isatty():
        raise click.UsageError("- reads an archive from stdin; pipe one in, or name a file.")
    if export != "-" and not Path(export).exists():
        raise SessionStoreError(f"{export} does not exist; name what `quark export` has written.")
    store = open_store(with_own_workspace(replace(settings, mode="online")))
    try:
        with progress_on("importing", quiet=out.as_json) as tell:

            def progress(state: SyncProgress) -> None:
                tell(state.done_count, state.total_count)

            if export == "-":
                result = run_import.import_stream(sys.stdin.buffer, store, progress=progress)
            else:
                result = run_import.import_runs(Path(export), store, progress=progress)
        place = store.target
    finally:
        store.close()
    if out.as_json:
        out.answer({"target": place, **asdict(result)})
    else:
        out.text(_told(result, place))
    for reason in result.waiting:
        out.note(f"Left out: {reason}")
    return 1 if result.waiting else 0


def _told(result: SyncResult, place: str) -> str:
    runs = counted(len(result.run_ids), "run")
    if not (result.sent_count or result.payload_count or result.file_count):
        return f"{runs} in {place} already: nothing was to be done."
    return (
        f"Imported {runs} into {place}: {counted(result.sent_count, 'record')}, "
        f"{counted(result.payload_count, 'payload')}, {counted(result.file_count, 'file')}, "
        f"{counted(result.artifact_count, 'version')} of artifacts."
    )
