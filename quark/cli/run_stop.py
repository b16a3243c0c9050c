"""``quark run stop``: asking a training, wherever it runs, to end at its next step."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import click

from quark.cli.asked_run import with_run
from quark.cli.output import Output, object_of, with_output

if TYPE_CHECKING:
    from quark.cli.asked_run import AskedRun
    from quark.records import RunRecord

_SCHEMA = object_of(id="string", status="string", stop_requested="boolean", by="string|null")
_LOOK_SECONDS = 0.5


@click.command(name="stop")
@with_run
@click.option("--reason", default="", help="Why; the training says it, and its run keeps it.")
@click.option("--wait", type=click.FloatRange(0), metavar="SECONDS", help="Until it has ended.")
@click.option("--cancel", is_flag=True, help="Take the request back.")
@with_output(_SCHEMA)
def stop(out: Output, asked: AskedRun, reason: str, wait: float | None, cancel: bool) -> None:
    """Ask a training to stop at its next step.

    It looks for this every few seconds, and ends before its next optimizer step of torch, or where
    its loop asks with quark.live.should_stop(); one that does neither for a minute is interrupted
    as by Ctrl-C. Its run is then `interrupted`, and can be resumed.

    \b
    quark run stop rpwnn --reason "loss is flat" --wait 60
    quark run stop rpwnn --cancel
    """
    from quark.cli.local_user import machine_user
    from quark.clock import SYSTEM_CLOCK
    from quark.errors import InvalidRunStateError, SessionStoreError
    from quark.storage.stop_requests import StopRequest, ask_to_stop, take_stop_back

    documents = asked.store.documents
    run = asked.read()
    if cancel:
        was_there = take_stop_back(documents, run.id)
        if out.as_json:
            out.answer(
                {"id": run.id, "status": str(run.status), "stop_requested": False, "by": None}
            )
        else:
            out.text("taken back" if was_there else "nobody had asked")
        return
    if run.status != "running":
        raise InvalidRunStateError(
            f"Run {run.id!r} is {run.status!r}; only a run that is running can be stopped."
        )
    request = StopRequest(
        run_id=run.id, asked_us=SYSTEM_CLOCK.time_us(), by=machine_user(), reason=reason
    )
    holding = ask_to_stop(documents, request)
    if asked.store.run_dir(run.id) is not None and not asked.is_written_here:
        out.note(
            f"No process of this machine writes run {run.id}. If none does elsewhere, "
            f"`quark run finish {run.id} --status interrupted` ends it."
        )
    if wait is not None:
        run = _ended(asked, wait)
        if run.status == "running":
            raise SessionStoreError(
                f"Run {run.id!r} has been asked to stop, and goes on after {wait:g} s. It ends at "
                "its next step."
            )
    if out.as_json:
        out.answer(
            {"id": run.id, "status": str(run.status), "stop_requested": True, "by": holding.by}
        )
    else:
        out.text("asked to stop" if run.status == "running" else str(run.status))


def _ended(asked: AskedRun, wait_seconds: float) -> RunRecord:
    """Wait until the run has ended, or the time is over; return it."""
    from quark.clock import SYSTEM_CLOCK

    deadline = SYSTEM_CLOCK.monotonic() + wait_seconds
    pause = threading.Event()
    run = asked.read()
    while run.status == "running" and SYSTEM_CLOCK.monotonic() < deadline:
        pause.wait(_LOOK_SECONDS)
        run = asked.read()
    return run
