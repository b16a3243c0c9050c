"""What can be done with runs from a page, with one or with many: words, tags, ends, removal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from quark import jsonio
from quark.clock import SYSTEM_CLOCK, format_timestamp
from quark.dashboard.asked import Asked
from quark.dashboard.place import Place
from quark.errors import InvalidRunStateError, QuarkError, SchemaValidationError
from quark.naming import check_tag
from quark.records import TERMINAL_STATUSES, RunRecord, RunStatus
from quark.storage.run_edit import ARCHIVED_TAG, RunEdit, edit_content
from quark.storage.stop_requests import (
    StopRequest,
    ask_to_stop,
    find_stop_request,
    take_stop_back,
)

#: Runs that one request may name.
MAX_RUNS = 500
_MAX_TAGS = 100
_MAX_NAME_CHARACTERS = 512
_MAX_NOTES_CHARACTERS = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of an action on one run: whether it changed anything, and what to say of it.

    ``command``: what has to be typed where the run was trained, if that is the way on.
    """

    changed: bool
    message: str
    command: str | None = None


Action = Callable[[Place, str, Mapping[str, Any]], Done]


def possible(place: Place, asked: Asked) -> dict[str, Any]:
    """Return which actions a run allows now, and whether its training was asked to end.

    ``written``: whether a process is there that trains it; None if that cannot be told.
    """
    run = place.store.records.get_run(asked["run_id"])
    stop = find_stop_request(place.store.documents, run.id)
    written = _is_written(place, run)
    names: list[str] = []
    if place.may_write:
        archived = ARCHIVED_TAG in run.tags
        names = ["tag", "untag", "rename", "note", "group", "unarchive" if archived else "archive"]
        if run.status == RunStatus.RUNNING:
            names.append("stop" if stop is None else "resume")
            if not written:
                names.append("finish")
        elif run.status != RunStatus.COMPLETED:
            names.append("resume")
        if not written or run.status != RunStatus.RUNNING:
            names.append("delete")
    return {
        "actions": names,
        "archived": ARCHIVED_TAG in run.tags,
        "written": written,
        "stop": None if stop is None else _plain_stop(stop),
    }


def act(place: Place, asked: Asked) -> dict[str, Any]:
    """Carry out one action on one run.

    Asked in the body: ``action``, and what it needs: ``tags`` (tag, untag), ``name`` (rename),
    ``notes`` (note), ``group`` (group), ``reason`` (stop), ``status`` (finish), ``force`` (delete).
    """
    run_id = asked["run_id"]
    done = _action(asked.body)(place, run_id, asked.body)
    removed = asked.body["action"] == "delete"
    return {
        "run_id": run_id,
        "changed": done.changed,
        "message": done.message,
        "command": done.command,
        "run": None if removed else jsonio.to_plain(place.store.records.get_run(run_id).to_dict()),
    }


def act_on_many(place: Place, asked: Asked) -> dict[str, Any]:
    """Carry out one action on every run of ``run_ids``; each succeeds or fails alone."""
    run_ids = _texts(asked.body, "run_ids", MAX_RUNS, "runs")
    action = _action(asked.body)
    results: list[dict[str, Any]] = []
    for run_id in dict.fromkeys(run_ids):
        try:
            done = action(place, run_id, asked.body)
        except QuarkError as error:
            results.append({"run_id": run_id, "changed": False, "error": str(error)})
        else:
            results.append({"run_id": run_id, "changed": done.changed, "message": done.message})
    return {
        "results": results,
        "changed": sum(one["changed"] for one in results),
        "failed": sum("error" in one for one in results),
    }


def _action(body: Mapping[str, Any]) -> Action:
    name = body.get("action")
    found = ACTIONS.get(name) if isinstance(name, str) else None
    if found is None:
        raise SchemaValidationError(
            f"action {str(name)[:80]!r} is not known; it must be one of {', '.join(ACTIONS)}."
        )
    return found


# -- words and tags


def _tag(place: Place, run_id: str, body: Mapping[str, Any]) -> Done:
    return _add_tags(place, run_id, [check_tag(tag) for tag in _tags(body)])


def _untag(place: Place, run_id: str, body: Mapping[str, Any]) -> Done:
    return _remove_tags(place, run_id, _tags(body))


def _archive(place: Place, run_id: str, body: Mapping[str, Any]) -> Done:
    done = _add_tags(place, run_id, [ARCHIVED_TAG])
    return Done(changed=done.changed, message=f"Archived, as the tag {ARCHIVED_TAG!r} says.")


def _unarchive(place: Place, run_id: str, body: Mapping[str, Any]) -> Done:
    done = _remove_tags(place, run_id, [ARCHIVED_TAG])
    return Done(changed=done.changed, message="Back in the list.")


def _add_tags(place: Place, run_id: str, tags: list[str]) -> Done:
    def edit(run: RunRecord) -> RunEdit | None:
        missing = tuple(tag for tag in dict.fromkeys(tags) if tag not in run.tags)
        return RunEdit(add_tags=missing) if missing else None

    return Done(changed=_change(place, run_id, edit), message="Tagged.")


def _remove_tags(place: Place, run_id: str, tags: list[str]) -> Done:
    def edit(run: RunRecord) -> RunEdit | None:
        left = tuple(tag for tag in run.tags if tag not in tags)
        return None if left == run.tags else RunEdit(tags=left)

    return Done(changed=_change(place, run_id, edit), message="Tags removed.")


def _rename(place: Place, run_id: str, body: Mapping[str, Any]) -> Done:
    return _set(place, run_id, "name", _words(body, "name", _MAX_NAME_CHARACTERS))


def _note(place: Place, run_id: str, body: Mapping[str, Any]) -> Done:
    return _set(place, run_id, "notes", _words(body, "notes", _MAX_NOTES_CHARACTERS))


def _group(place: Place, run_id: str, body: Mapping[str, Any]) -> Done:
    return _set(place, run_id, "group", _words(body, "group", _MAX_NAME_CHARACTERS))


def _set(place: Place, run_id: str, field: str, value: str | None) -> Done:
    def edit(run: RunRecord) -> RunEdit | None:
        return None if getattr(run, field) == value else RunEdit(fields={field: value})

    return Done(changed=_change(place, run_id, edit), message="Saved.")


# -- ends


def _stop(place: Place, run_id: str, body: Mapping[str, Any]) -> Done:
    run = place.store.records.get_run(run_id)
    if run.status != RunStatus.RUNNING:
        raise InvalidRunStateError(f"Run {run_id!r} is {run.status!r}, so there is nothing to end.")
    now_us = SYSTEM_CLOCK.time_us()
    reason = _words(body, "reason", _MAX_NAME_CHARACTERS) or ""
    request = StopRequest(run_id=run_id, asked_us=now_us, by=place.user, reason=reason)
    held = ask_to_stop(place.store.documents, request)
    place.writing.note("run.stop", run_id=run_id)
    message = "Asked to stop. The training ends at its next step."
    if _is_written(place, run) is False:
        message = (
            "Asked to stop. But no process of this machine writes the run; if none does elsewhere, "
            "mark it as ended."
        )
    return Done(changed=held == request, message=message)


def _resume(place: Place, run_id: str, body: Mapping[str, Any]) -> Done:
    """Take back that a run was to end; say how one that has ended goes on.

    What was recorded of a run's command is not started from here: it may be anybody's.
    """
    run = place.store.records.get_run(run_id)
    if run.status == RunStatus.RUNNING:
        if not take_stop_back(place.store.documents, run_id):
            raise InvalidRunStateError(f"Run {run_id!r} is running; nobody asked it to stop.")
        place.writing.note("run.stop.take_back", run_id=run_id)
        return Done(changed=True, message="The request to stop was taken back.")
    if run.status == RunStatus.COMPLETED:
        raise InvalidRunStateError(
            f"Run {run_id!r} is completed, which is final. Start a new run with "
            f"parent_run_id={run_id!r} to go on from it."
        )
    taken = take_stop_back(place.store.documents, run_id)
    return Done(
        changed=taken,
        message="It can go on where its program is: run this command there.",
        command=f"quark run resume {_quoted(run_id)}",
    )


def _finish(place: Place, run_id: str, body: Mapping[str, Any]) -> Done:
    """Say that a run has ended whose process cannot say it any more."""
    status = body.get("status", RunStatus.FAILED.value)
    ends = sorted(one.value for one in TERMINAL_STATUSES)
    if status not in ends:
        raise SchemaValidationError(
            f"status {str(status)[:80]!r} is no end of a run; it must be one of {', '.join(ends)}."
        )
    if _is_written(place, place.store.records.get_run(run_id)):
        raise InvalidRunStateError(
            f"A process still trains run {run_id!r}. Stop it; it then says itself how it ended."
        )
    reason = {"end_reason": f"ended from the dashboard by {place.user}"}
    changed = _change(
        place,
        run_id,
        lambda run: (
            None if run.status == status else RunEdit(status=RunStatus(status), fields=reason)
        ),
    )
    take_stop_back(place.store.documents, run_id)
    return Done(changed=changed, message=f"Marked as {status}.")


def _delete(place: Place, run_id: str, body: Mapping[str, Any]) -> Done:
    run = place.store.records.get_run(run_id)
    is_open = run.status == RunStatus.RUNNING and _is_written(place, run) is not False
    if is_open and body.get("force") is not True:
        raise InvalidRunStateError(
            f"Run {run_id!r} is running. Stop it first; or, if nothing trains it any more, say "
            "that it is to be deleted all the same."
        )
    place.writing.delete(run_id)
    take_stop_back(place.store.documents, run_id)
    place.writing.note("run.delete", run_id=run_id)
    return Done(changed=True, message="Deleted.")


#: What may be asked for by name.
ACTIONS: dict[str, Action] = {
    "tag": _tag,
    "untag": _untag,
    "rename": _rename,
    "note": _note,
    "group": _group,
    "archive": _archive,
    "unarchive": _unarchive,
    "stop": _stop,
    "resume": _resume,
    "finish": _finish,
    "delete": _delete,
}


def _change(place: Place, run_id: str, edit: Callable[[RunRecord], RunEdit | None]) -> bool:
    def decide() -> Any:
        run = place.store.records.get_run(run_id)
        wanted = edit(run)
        return None if wanted is None else edit_content(run, wanted, SYSTEM_CLOCK.time_us())

    return place.writing.change(run_id, decide)


def _is_written(place: Place, run: RunRecord) -> bool | None:
    """Say whether a process trains a run; only asked where the run says that one does."""
    return place.writing.is_being_written(run.id) if run.status == RunStatus.RUNNING else False


def _plain_stop(stop: StopRequest) -> dict[str, Any]:
    return {"asked_at": format_timestamp(stop.asked_us), "by": stop.by, "reason": stop.reason}


def _tags(body: Mapping[str, Any]) -> list[str]:
    return _texts(body, "tags", _MAX_TAGS, "tags")


def _texts(body: Mapping[str, Any], name: str, limit: int, what: str) -> list[str]:
    found = body.get(name)
    if (
        not isinstance(found, list)
        or not 0 < len(found) <= limit
        or not all(isinstance(one, str) and one for one in found)
    ):
        raise SchemaValidationError(f"{name} must be a list of 1 to {limit} {what}.")
    return found


def _words(body: Mapping[str, Any], name: str, limit: int) -> str | None:
    """Return a text, None for an empty one."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise SchemaValidationError(f"{name} must be a text, or null to remove it.")
    if value is not None and len(value) > limit:
        raise SchemaValidationError(
            f"{name} has {len(value)} characters; at most {limit} are kept. Shorten it."
        )
    return (value or "").strip() or None


def _quoted(run_id: str) -> str:
    """Return a run's id as a shell takes it; ids may hold blanks and quotes."""
    if run_id.replace("-", "").replace("_", "").replace(".", "").isalnum() and run_id.isascii():
        return run_id if not run_id.startswith("-") else f"-- {run_id}"
    return "'" + run_id.replace("'", "'\\''") + "'"
