"""``quark run list``: the runs of a store, filtered, sorted and cut."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from quark.cli.output import Column, Output, list_of, object_of, with_output
from quark.cli.target import with_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quark.records import RunRecord
    from quark.storage.model import RunQuery
    from quark.storage.protocols import Store

_SCHEMA = list_of(
    object_of(
        id="string",
        name="string|null",
        project="string",
        status="string",
        created_at="string",
        ended_at="string|null",
        duration_seconds="number|null",
        tags=list_of("string"),
        group="string|null",
        values="object",
    )
)
_PAGE = 200
_UNITS_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_AGE = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")


@click.command(name="list")
@click.option("--project", "-p", help="Only those of this project.")
@click.option(
    "--status",
    type=click.Choice(["running", "completed", "failed", "interrupted"]),
    help="Only those that are so.",
)
@click.option("--tag", "tags", multiple=True, help="Only those with this tag; several: with all.")
@click.option("--group", help="Only those of this group.")
@click.option("--since", metavar="AGE|TIME", help="Begun since then: 90m, 12h, 7d, 2026-01-31.")
@click.option(
    "--sort",
    metavar="NAME",
    default="-created",
    show_default=True,
    help="By a value, such as summary.loss; - before it: downwards.",
)
@click.option(
    "--column", "-c", "columns", multiple=True, metavar="NAME", help="Show a value, too: config.lr."
)
@click.option("--limit", type=click.IntRange(min=0), default=50, show_default=True, help="0: all.")
@click.option("--archived", is_flag=True, help="Those that are put away, too.")
@with_store
@with_output(_SCHEMA)
def list_runs(
    out: Output,
    store: Store,
    project: str | None,
    status: str | None,
    tags: tuple[str, ...],
    group: str | None,
    since: str | None,
    sort: str,
    columns: tuple[str, ...],
    limit: int,
    archived: bool,
) -> None:
    """List runs, the newest first.

    Values have names: id, name, project, status, created, ended, updated, duration, tags, group,
    job_type, notes, exit_code, end_reason, git_commit, parent, config.KEY, summary.KEY. A metric
    without a summary counts by its last value.

    \b
    quark run list --project digits --status running
    quark run list --sort summary.val/loss -c config.lr -c summary.val/loss --limit 10
    quark run list --since 7d --tag baseline --json
    """
    from quark.cli.run_values import check_name, duration_seconds, sort_key, value_of
    from quark.storage.model import RunQuery
    from quark.storage.run_edit import ARCHIVED_TAG

    columns = tuple(map(check_name, columns))
    downwards, by = sort.startswith("-"), check_name(sort.removeprefix("-"))
    query = RunQuery(project=project, status=status, group=group, tags=tags)
    since_text = None if since is None else _since(since)
    hides = not archived and ARCHIVED_TAG not in tags
    cut = limit or None
    shown: list[RunRecord] = []
    for run in _runs(store, query):
        if since_text is not None and run.created_at < since_text:
            break  # the newest come first
        if hides and ARCHIVED_TAG in run.tags:
            continue
        shown.append(run)
        if sort == "-created" and cut is not None and len(shown) > cut:
            break
    more = False if cut is None else len(shown) > cut
    if sort != "-created":
        order = [(sort_key(value_of(store, run, by)), run) for run in shown]
        there = [pair for pair in order if pair[0][0] < 3]
        there.sort(key=lambda pair: pair[0], reverse=downwards)
        shown = [run for _, run in (*there, *(pair for pair in order if pair[0][0] == 3))]
    shown = shown[:cut]
    values = {run.id: {name: value_of(store, run, name) for name in columns} for run in shown}
    if out.as_json:
        out.answer(
            [
                {
                    "id": run.id,
                    "name": run.name,
                    "project": run.project_name,
                    "status": str(run.status),
                    "created_at": run.created_at,
                    "ended_at": run.ended_at,
                    "duration_seconds": duration_seconds(run),
                    "tags": list(run.tags),
                    "group": run.group,
                    "values": values[run.id],
                }
                for run in shown
            ]
        )
        return
    is_filtered = any((project, status, tags, group, since))
    empty = (
        "No run fits. Take a filter away."
        if is_filtered
        else "There are no runs yet. Train with TrainingSession.start_run() or `quark run SCRIPT`."
    )
    out.rows(shown, _table(columns, values), empty=empty)
    if more:
        out.note(f"There are more; --limit 0 shows all, --limit N that many. Shown: {cut}.")


def _table(columns: tuple[str, ...], values: dict[str, dict[str, Any]]) -> list[Column]:
    from quark.cli.run_values import duration_seconds
    from quark.report.lines import seconds_in_words

    def took(run: RunRecord) -> str | None:
        seconds = duration_seconds(run)
        return None if seconds is None else seconds_in_words(seconds)

    def asked(name: str) -> Column:
        numbers = [one[name] for one in values.values() if one[name] is not None]
        numeric = bool(numbers) and all(isinstance(one, (int, float)) for one in numbers)
        return Column(
            name.upper() if "." not in name else name, lambda r: values[r.id][name], numeric
        )

    return [
        Column("ID", lambda run: run.id),
        Column("NAME", lambda run: run.name),
        Column("PROJECT", lambda run: run.project_name, minor=True),
        Column("STATUS", lambda run: str(run.status), fit="whole"),
        Column("CREATED (UTC)", _created, fit="whole", minor=True),
        Column("DURATION", took, numeric=True, minor=True),
        *map(asked, columns),
        Column("TAGS", lambda run: ", ".join(run.tags), minor=True),
    ]


def _created(run: RunRecord) -> str:
    return run.created_at[:19].replace("T", " ")


def _runs(store: Store, query: RunQuery) -> Iterator[RunRecord]:
    """Yield runs, the newest first, a page at a time; one that comes meanwhile shows none twice."""
    seen: set[str] = set()
    offset = 0
    while True:
        page = store.records.list_runs(replace(query, limit=_PAGE, offset=offset))
        for run in page:
            if run.id not in seen:
                seen.add(run.id)
                yield run
        if len(page) < _PAGE:
            return
        offset += _PAGE


def _since(text: str) -> str:
    """Return the moment that is meant, as runs have it."""
    from quark.clock import SYSTEM_CLOCK, format_timestamp, parse_timestamp

    age = _AGE.fullmatch(text)
    try:
        if age:
            seconds = float(age[1]) * _UNITS_SECONDS[age[2]]
            return format_timestamp(SYSTEM_CLOCK.time_us() - int(seconds * 1e6))
        return format_timestamp(parse_timestamp(text))
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(
            f"{text!r} is neither an age such as 90m, 12h or 7d nor a time such as 2026-01-31 or "
            "2026-01-31T12:00Z.",
            param_hint="--since",
        ) from error
