"""``quark workspace``: whose runs there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from quark.cli.output import Column, Output, list_of, object_of, with_output
from quark.cli.target import opened, with_settings

if TYPE_CHECKING:
    from quark.settings import Settings

_ROW = object_of(name="string", own="boolean", created_at="string|null", run_count="integer|null")


@click.group("workspace")
def workspace() -> None:
    """The workspaces that can be seen.

    \b
    quark workspace ls
    """


@workspace.command("ls")
@with_settings
@with_output(list_of(_ROW))
def list_workspaces(settings: Settings, out: Output) -> None:
    """List the workspaces that can be seen.

    Of a service that is the key's own; its administrators see all. Of a folder those that runs
    were logged for.

    \b
    quark workspace ls
    quark workspace ls --url https://quark.example.com --json
    """
    from quark.persistence.open import is_service_url

    remote = is_service_url(settings.persistence_url)
    rows = _of_service(settings) if remote else _of_folder(settings)
    if out.as_json:
        out.answer(rows)
        return
    columns = [
        Column("", lambda row: "*" if row["own"] else ""),
        Column("NAME", lambda row: row["name"]),
        Column("CREATED (UTC)", lambda row: (row["created_at"] or "-")[:16].replace("T", " ")),
    ]
    if not remote:
        columns.append(Column("RUNS", lambda row: row["run_count"], numeric=True))
    out.rows(rows, columns, empty="There are no workspaces yet; the first run makes one.")


def _of_service(settings: Settings) -> list[dict[str, Any]]:
    from quark.persistence.http_store import HttpStore
    from quark.persistence.wire import API_PREFIX

    with opened(settings) as store:
        assert isinstance(store, HttpStore)
        own = store.own_workspace()
        found = store.http.get(f"{API_PREFIX}/workspaces")["workspaces"]
    return [
        {
            "name": one["name"],
            "own": one["name"] == own,
            "created_at": one["created_at"],
            "run_count": None,
        }
        for one in found
    ]


def _of_folder(settings: Settings) -> list[dict[str, Any]]:
    from quark.storage.model import RunQuery

    rows: dict[str, dict[str, Any]] = {}
    with opened(settings) as store:
        for run in store.records.list_runs(RunQuery(newest_first=False)):
            row = rows.setdefault(
                run.workspace,
                {
                    "name": run.workspace,
                    "own": run.workspace == settings.workspace,
                    "created_at": run.created_at,
                    "run_count": 0,
                },
            )
            row["run_count"] += 1
    return list(rows.values())
