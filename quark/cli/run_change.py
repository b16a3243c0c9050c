"""``quark run finish`` and ``quark run tag``: changing what a run says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from quark.cli.asked_run import with_run
from quark.cli.output import Output, list_of, object_of, shown, with_output

if TYPE_CHECKING:
    from quark.cli.asked_run import AskedRun
    from quark.records import RunRecord
    from quark.storage.frame_content import FrameContent

_ENDED = {**object_of(id="string", status="string", exit_code="integer|null", ended_at="string")}
_TAGGED = object_of(id="string", tags=list_of("string"))


@click.command(name="finish")
@with_run
@click.option(
    "--status",
    type=click.Choice(["completed", "failed", "interrupted"]),
    help="What it becomes; by default completed, or failed with an exit code that is not 0.",
)
@click.option("--exit-code", type=click.IntRange(-(2**31), 2**31 - 1), help="Of its program.")
@click.option("--reason", help="Why it ended.")
@click.option("--force", is_flag=True, help="Also while a process of this machine writes it.")
@with_output(_ENDED)
def finish(
    out: Output,
    asked: AskedRun,
    status: str | None,
    exit_code: int | None,
    reason: str | None,
    force: bool,
) -> None:
    """End a run that nobody ends: one of `quark run start`, or whose machine is gone.

    One that has ended so already stays as it is.

    \b
    quark run finish rpwnn
    quark run finish rpwnn --exit-code 3
    quark run finish rpwnn --status interrupted --reason "power cut"
    """
    from quark.clock import SYSTEM_CLOCK
    from quark.errors import InvalidRunStateError
    from quark.records import RunStatus
    from quark.storage.run_edit import RunEdit, edit_content
    from quark.storage.stop_requests import take_stop_back

    if asked.is_written_here and not force:
        raise InvalidRunStateError(
            f"Run {asked.run_id!r} is being written by a process of this machine, which will end "
            f"it. `quark run stop {asked.run_id}` asks it to; --force ends the run beside it."
        )
    given = {"exit_code": exit_code, "end_reason": reason}
    edit = RunEdit(
        status=RunStatus(status or ("failed" if exit_code else "completed")),
        fields={name: value for name, value in given.items() if value is not None},
    )

    def decide(run: RunRecord) -> FrameContent | None:
        if run.status == edit.status:
            out.note(f"Run {run.id} has ended already.")  # by whoever trained
            return None
        if run.status != "running":
            raise InvalidRunStateError(
                f"Run {run.id!r} is {run.status!r} already; only a run that is running ends."
            )
        return edit_content(run, edit, SYSTEM_CLOCK.time_us())

    from quark.cli.run_writing import change_run

    asked.read()
    run = change_run(asked.store, asked.run_id, decide)
    take_stop_back(asked.store.documents, run.id)
    if out.as_json:
        out.answer(
            {
                "id": run.id,
                "status": str(run.status),
                "exit_code": run.exit_code,
                "ended_at": run.ended_at,
            }
        )
    else:
        out.text(str(run.status))


@click.command(
    name="tag", context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]}
)
@with_run
@click.argument("words", nargs=-1, required=True, metavar="+TAG|-TAG...")
@with_output(_TAGGED)
def tag(out: Output, asked: AskedRun, words: tuple[str, ...]) -> None:
    """Add tags to a run, and take some away: +TAG or TAG adds, -TAG removes.

    Prints the tags that it has then. `archived` puts a run away: lists leave it out.

    \b
    quark run tag rpwnn +baseline -draft
    quark run tag rpwnn archived
    """
    from quark.cli.run_writing import change_run
    from quark.clock import SYSTEM_CLOCK
    from quark.naming import check_tag
    from quark.storage.run_edit import RunEdit, edit_content

    removed = {check_tag(word[1:]) for word in words if word.startswith("-")}
    added = [
        check_tag(word.removeprefix("+"))
        for word in words
        if not word.startswith("-") and word.removeprefix("+") not in removed
    ]

    def decide(run: RunRecord) -> FrameContent | None:
        if removed & set(run.tags):
            kept = [one for one in run.tags if one not in removed]
            edit = RunEdit(tags=tuple(dict.fromkeys([*kept, *added])))
        else:  # a union, which takes nothing away that somebody else adds meanwhile
            edit = RunEdit(add_tags=tuple(one for one in added if one not in run.tags))
        return edit_content(run, edit, SYSTEM_CLOCK.time_us())

    run = change_run(asked.store, asked.run_id, decide)
    if out.as_json:
        out.answer({"id": run.id, "tags": list(run.tags)})
    elif run.tags:
        for one in run.tags:
            out.text(shown(one))
    else:
        out.note(f"Run {run.id} has no tags now.")
