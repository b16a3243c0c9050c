"""``quark reindex``: the list of runs, made again from the runs' own files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from quark.cli.checks import counted
from quark.cli.output import Output, object_of, with_output
from quark.cli.target import existing_root, with_settings
from quark.errors import SessionStoreError

if TYPE_CHECKING:
    from quark.settings import Settings

_SCHEMA = object_of(root="string", run_count="integer", damaged="object", set_aside="string|null")


@click.command("reindex")
@with_settings
@with_output(_SCHEMA)
def reindex_store(settings: Settings, out: Output) -> int:
    """Make the list of runs again from the runs' own files.

    For a folder whose index.db was lost or damaged, or into which runs were copied by hand. A
    training may go on meanwhile. Ends with 1 if a run cannot be read.

    \b
    quark reindex
    quark reindex --storage-dir ~/runs
    """
    from quark.persistence.open import is_service_url
    from quark.storage.reindex import reindex

    if is_service_url(settings.persistence_url):
        raise SessionStoreError(
            f"{settings.persistence_url} keeps its list of runs itself. To make that of a folder "
            "again, name the folder with --storage-dir."
        )
    root = existing_root(settings)
    report = reindex(root)
    if out.as_json:
        out.answer(
            {
                "root": str(root),
                "run_count": report.run_count,
                "damaged": report.damaged,
                "set_aside": None if report.set_aside is None else str(report.set_aside),
            }
        )
    else:
        out.text(f"Listed {counted(report.run_count, 'run')} of {root}.")
        if report.set_aside is not None:
            out.note(f"The old list could not be read and is kept as {report.set_aside}.")
        for name, reason in report.damaged.items():
            out.note(f"{name} cannot be read: {reason}")
    return 1 if report.damaged else 0
