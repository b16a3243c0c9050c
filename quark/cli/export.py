"""``quark export``: runs in a folder or an archive that needs nothing else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quark.cli.output import Output, list_of, object_of, with_output
from quark.cli.progress import progress_on
from quark.cli.target import with_store

if TYPE_CHECKING:
    from quark.session.sync_result import SyncProgress
    from quark.storage.protocols import Store

_RUN = object_of(
    id="string",
    name="string|null",
    project="string",
    workspace="string",
    status="string",
    created_at="string",
)
_SCHEMA = object_of(
    path="string",
    runs=list_of(_RUN),
    file_count="integer",
    size_bytes="integer",
    missing_payloads=list_of("string"),
)
_ARCHIVES = (".tar", ".tar.gz", ".tgz")
_OTHER_ARCHIVES = (".zip", ".7z", ".tar.xz", ".tar.bz2", ".tar.zst", ".gz", ".xz", ".bz2", ".zst")


@click.command("export")
@click.argument("runs", metavar="RUN...", nargs=-1)
@click.option("--all-runs", is_flag=True, help="Export every run that is there.")
@click.option(
    "--to",
    metavar="PATH",
    required=True,
    help="A new folder, a new FILE.tar or FILE.tar.gz, or - for a tar on stdout.",
)
@with_store
@with_output(_SCHEMA)
def export(runs: tuple[str, ...], all_runs: bool, to: str, store: Store, out: Output) -> None:
    """Write runs into a folder or an archive.

    It holds all that there is of them: records, points bit for bit, payloads, the files of their
    folders, the versions of artifacts that they logged or used, the sweeps that they belong to;
    and the SHA-256 of every file. `quark import quark` reads it into any store. A folder can also
    be looked at where it is, with --storage-dir.

    \b
    quark export rosy-orchid-1 --to orchid/
    quark export k3x9q0ab p0w2mmab --to two-runs.tar.gz
    quark export rosy-orchid-1 --to - | ssh host quark import quark -
    """
    from quark.errors import SessionStoreError
    from quark.session.run_export import export_archive, export_runs, export_stream

    if all_runs == bool(runs):
        raise click.UsageError("Name runs to export, or --all-runs.")
    if to == "-" and out.as_json:
        raise click.UsageError("stdout has the archive with --to -; leave --json out.")
    if to == "-" and sys.stdout.isatty():
        raise click.UsageError("A tar is no text for a terminal; name a file, or pipe it on.")
    name = to.lower()
    if name.endswith(_OTHER_ARCHIVES) and not name.endswith(_ARCHIVES):
        raise click.UsageError(f"{to} is no archive that can be written: {', '.join(_ARCHIVES)}.")
    wanted = _wanted(store, runs)
    with progress_on("exporting", quiet=out.as_json) as tell:

        def progress(state: SyncProgress) -> None:
            tell(state.done_count, state.total_count)

        try:
            if to == "-":
                manifest = export_stream(store, wanted, sys.stdout.buffer, progress=progress)
                sys.stdout.buffer.flush()
            else:
                write = export_archive if name.endswith(_ARCHIVES) else export_runs
                manifest = write(store, wanted, Path(to), progress=progress)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise SessionStoreError(f"The export to {to} cannot be written: {error}.") from error
    if manifest.missing_payloads:
        first, count = manifest.missing_payloads[0], len(manifest.missing_payloads)
        out.note(f"{count} payloads are gone from {store.target}, so not in the export: {first} …")
    if out.as_json:
        out.answer(
            {
                "path": str(Path(to).absolute()),
                "runs": [run._asdict() for run in manifest.runs],
                "file_count": len(manifest.files),
                "size_bytes": manifest.size_bytes,
                "missing_payloads": manifest.missing_payloads,
            }
        )
        return
    count = len(manifest.runs)
    said = (
        f"Exported {count} run{'s' * (count != 1)} to {'stdout' if to == '-' else to}: "
        f"{len(manifest.files):,} files, {manifest.size_bytes:,} bytes."
    )
    (out.note if to == "-" else out.text)(said)


def _wanted(store: Store, runs: tuple[str, ...]) -> list[str]:
    from quark.cli.run_choice import chosen_run
    from quark.errors import RunNotFoundError

    if runs:
        return [chosen_run(store, run).id for run in runs]
    found = [run.id for run in store.records.list_runs()]
    if not found:
        raise RunNotFoundError(f"{store.target} holds no runs yet, so there is nothing to export.")
    return found
