"""``quark run delete``: taking runs out of a store for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from quark.cli.checks import counted
from quark.cli.consent import ask
from quark.cli.output import Output, list_of, object_of, shown, with_output
from quark.cli.target import opened, with_settings

if TYPE_CHECKING:
    from quark.cli.asked_run import AskedRun
    from quark.records import RunRecord
    from quark.settings import Settings

_SCHEMA = object_of(deleted=list_of("string"))


@click.command(name="delete")
@click.argument("texts", nargs=-1, required=True, metavar="RUN...")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Also those that a process of this machine writes.")
@with_settings
@with_output(_SCHEMA)
def delete(out: Output, settings: Settings, texts: tuple[str, ...], yes: bool, force: bool) -> None:
    """Delete runs, with all that belongs to them.

    Payloads that other runs use, too, and artifacts in the catalog stay; `quark gc` removes
    payloads that nothing uses. Nothing is deleted unless all of them are found.

    \b
    quark run delete rpwnn ir8kb
    quark run delete --yes "$RUN"
    """
    from quark.cli.asked_run import AskedRun
    from quark.cli.run_choice import chosen_run, described
    from quark.errors import InvalidRunStateError
    from quark.storage.stop_requests import take_stop_back

    with opened(settings) as store:
        runs = {run.id: run for run in (chosen_run(store, text) for text in texts)}
        asked = [AskedRun(store, settings, run_id) for run_id in runs]
        busy = [one.run_id for one in asked if one.is_written_here]
        if busy and not force:
            raise InvalidRunStateError(
                f"Run {busy[0]!r} is being written by a process of this machine. "
                f"`quark run stop {busy[0]}` asks it to end; --force deletes the run beside it."
            )
        if not yes:
            for run in runs.values():
                out.note(f"  {_with_size(run, described(run), asked)}")
            what = "this run" if len(runs) == 1 else f"these {len(runs)} runs"
            ask(f"Delete {what} for good?")
        for run_id in runs:
            store.records.delete_run(run_id)
            take_stop_back(store.documents, run_id)
    if out.as_json:
        out.answer({"deleted": list(runs)})
    else:
        for run_id in runs:
            out.text(run_id)


def _with_size(run: RunRecord, line: str, asked: list[AskedRun]) -> str:
    one = next(one for one in asked if one.run_id == run.id)
    count = sum(stats.count for stats in one.store.points.keys(run.id).values())
    return f"{shown(line)}, {counted(count, 'point')}"
