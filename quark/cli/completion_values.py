"""What a shell offers for a value: runs, metrics, projects, tags, artifacts, targets.

A shell asks at every press of a key. So nothing here may fail, say anything or wait: a service is
given a second, and what cannot be found out is not offered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from quark.cli.run_choice import LATEST
from quark.errors import QuarkError

if TYPE_CHECKING:
    from quark.storage.protocols import Store

Find = Callable[[click.Context, str], list[CompletionItem]]

_SERVICE_SECONDS = 1.0
_MOST = 200


def complete_values(command: click.Command) -> None:
    """Let the parameters of a command, and of its subcommands, be completed by what they are
    called: ``run`` by runs, ``project`` by projects."""
    if isinstance(command, click.Group) and type(command).get_command is click.Group.get_command:
        for below in command.commands.values():
            complete_values(below)
    for parameter in command.params:
        find = _find(parameter)
        if find is not None and parameter.type is click.STRING:
            parameter._custom_shell_complete = _ask(find)


def _find(parameter: click.Parameter) -> Find | None:
    names = {parameter.name or "", str(parameter.metavar or "").strip("[].").lower()}
    if names & {"run", "runs", "run_id", "baseline", "reference"}:
        return runs
    if names & {"key", "keys", "metric", "metrics"}:
        return metrics
    if names & {"tag", "tags"}:
        return tags
    if "tag_texts" in names or "+tag|-tag" in names:
        return tag_changes
    if names & {"name:alias", "artifact"}:
        return artifacts
    if names & {"project", "projects"}:
        return projects
    if "--target" in parameter.opts or _is_target_name(parameter):
        return targets
    if names & {"storage_dir"}:
        return folders
    return None


def _is_target_name(parameter: click.Parameter) -> bool:
    from quark.cli import target_commands

    group = target_commands.target
    return any(parameter in command.params for command in group.commands.values())


def _ask(
    find: Find,
) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    def complete(
        context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        try:
            return find(context, incomplete)
        except (QuarkError, click.ClickException, OSError):
            return []

    return complete


def runs(context: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return the ids of runs that fit, the newest first; a run that is known by its name, by it."""
    found = [CompletionItem(LATEST, help="the newest")] if LATEST.startswith(incomplete) else []
    with _store(context) as store:
        for run in store.records.list_runs():
            about = f"{run.name or run.id}, {run.project_name}, {run.status}"
            for word in (run.id, run.name or ""):
                if word and word.startswith(incomplete) and (word == run.id or incomplete):
                    found.append(CompletionItem(word, help=_plain(about)))
                    break
            if len(found) == _MOST:
                break
    return [item for item in found if item.value.isprintable()]


def metrics(context: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return the metrics that fit, of the run that the line names."""
    from quark.cli.run_choice import chosen_run

    with _store(context) as store:
        run = chosen_run(store, context.params.get("run_text") or LATEST)
        keys = store.points.keys(run.id)
    fitting = [key for key in keys if key.startswith(incomplete) and key.isprintable()]
    return [CompletionItem(key) for key in fitting[:_MOST]]


def tags(context: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return the tags that runs have and that fit, those of the newest runs first."""
    with _store(context) as store:
        names = dict.fromkeys(tag for run in store.records.list_runs() for tag in run.tags)
    fitting = [name for name in names if name.startswith(incomplete) and name.isprintable()]
    return [CompletionItem(name) for name in fitting[:_MOST]]


def tag_changes(context: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return tags behind the + or - that says what is done with them."""
    sign = incomplete[:1] if incomplete[:1] in ("+", "-") else ""
    found = tags(context, incomplete.removeprefix(sign))
    return [CompletionItem(f"{sign}{item.value}") for item in found]


def artifacts(context: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return the names of artifacts that fit; a version is typed behind it."""
    from quark.catalog.model import CollectionKey
    from quark.catalog.reading import COLLECTION

    with _store(context) as store:
        keys = [CollectionKey.of_document(item.name) for item in store.documents.list(COLLECTION)]
    names = sorted({key.name for key in keys if key.name.startswith(incomplete)})
    return [CompletionItem(name) for name in names[:_MOST] if name.isprintable()]


def projects(context: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return the projects that fit."""
    with _store(context) as store:
        names = dict.fromkeys(project.name for project in store.records.list_projects())
    fitting = [name for name in names if name.startswith(incomplete) and name.isprintable()]
    return [CompletionItem(name) for name in fitting]


def targets(context: click.Context, incomplete: str) -> list[CompletionItem]:
    """Return the targets of config.toml that fit."""
    from quark.cli import config_file

    return [
        CompletionItem(name, help=table.get("persistence_url") or table.get("storage_dir"))
        for name, table in config_file.targets().items()
        if name.startswith(incomplete)
    ]


def folders(context: click.Context, incomplete: str) -> list[CompletionItem]:
    """Let the shell itself look for folders."""
    return [CompletionItem(incomplete, type="dir")]


@contextmanager
def _store(context: click.Context) -> Iterator[Store]:
    """Open the store that the line names so far."""
    from dataclasses import replace

    from quark import ui
    from quark.cli.target import Place, opened

    given = context.params
    place = Place(
        storage_dir=given.get("storage_dir") or given.get("folder"),
        url=given.get("url"),
        workspace=given.get("workspace"),
        target=given.get("target"),
    )
    settings = place.settings()
    ui.set_quiet(True)
    with opened(replace(settings, persistence_timeout_seconds=_SERVICE_SECONDS)) as store:
        yield store


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
