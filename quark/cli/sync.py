"""``quark sync``: journals, payloads and drafts that wait, or whole runs, to where they belong."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

import click

from quark import ui
from quark.cli.output import Output, object_of, with_output
from quark.cli.progress import progress_on
from quark.cli.target import Place
from quark.session.sync_result import SyncResult

if TYPE_CHECKING:
    from quark.session.sync_result import SyncProgress

_SCHEMA = object_of(
    run_ids="array",
    sent_count="integer",
    skipped_count="integer",
    payload_count="integer",
    artifact_count="integer",
    file_count="integer",
    sweep_document_count="integer",
    damaged_count="integer",
    refused_count="integer",
    waiting="array",
)


@click.command("sync")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(exists=True))
@click.option(
    "--run", "runs", metavar="RUN", multiple=True, help="Copy this whole run. Repeatable."
)
@click.option("--all-runs", is_flag=True, help="Copy every run of DIR.")
@click.option("--url", metavar="URL", help="The service that is to get it.")
@click.option("--workspace", metavar="NAME", help="The workspace of the service.")
@click.option("--target", metavar="NAME", help="A place of config.toml: see quark target.")
@click.option("--quarantined", is_flag=True, help="Try again what a store refused before.")
@with_output(_SCHEMA)
def sync_folder(
    folder: str,
    runs: tuple[str, ...],
    all_runs: bool,
    url: str | None,
    workspace: str | None,
    target: str | None,
    quarantined: bool,
    out: Output,
) -> int:
    """Deliver what is not where it belongs yet.

    Journals below DIR that were logged offline or left by a process that died, and payloads and
    versions of artifacts that wait, go to the store that they were logged for; to another one with
    --url or --target. With --run or --all-runs whole runs of the folder DIR are copied there.

    Nothing goes twice and nothing is removed before it is stored: end it at any moment and call it
    again. Ends with 1 if something still waits, was refused or cannot be read; it says why.

    \b
    quark sync
    quark sync /mnt/cluster/runs --url https://quark.example.com
    quark sync ~/runs --run k3x9q0ab --target team
    """
    from quark.session.sync import sync

    if runs and all_runs:
        raise click.UsageError("--all-runs copies every run; leave --run out.")
    place = Place(url=url, workspace=workspace, target=target).settings()
    if target is not None:
        url = place.persistence_url or f"file:{quote(str(place.storage_path))}"
        workspace = place.workspace
    wanted = _wanted(folder, runs, all_runs=all_runs)
    ui.set_quiet(True)  # what it would say beside the answer is the answer here
    with progress_on("delivering", quiet=out.as_json) as tell:

        def progress(state: SyncProgress) -> None:
            tell(state.done_count, state.total_count)

        result = sync(
            folder,
            runs=wanted,
            url=url,
            user_key=place.user_key,
            workspace=workspace,
            quarantined=quarantined,
            progress=progress,
        )
    if out.as_json:
        out.answer(asdict(result))
    else:
        _tell(result, folder, out)
    return 1 if result.waiting or result.refused_count or result.damaged_count else 0


def _wanted(
    folder: str, runs: tuple[str, ...], *, all_runs: bool
) -> list[str] | Literal["all"] | None:
    if all_runs:
        return "all"
    if not runs:
        return None
    from quark.cli.run_choice import chosen_run
    from quark.cli.target import opened

    with opened(Place(folder).settings()) as store:
        return [chosen_run(store, run).id for run in runs]


def _tell(result: SyncResult, folder: str, out: Output) -> None:
    if result == SyncResult():
        out.text(f"Nothing waits below {Path(folder).absolute()}.")
        return
    said = result.told()
    out.text(said[0].upper() + said[1:])
    for reason in result.waiting:
        out.note(f"Still waiting: {reason}")
