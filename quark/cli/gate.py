"""``quark gate``: may this run pass? For the end of a build."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

import click

from quark.cli.output import Output, object_of, shown, with_output
from quark.cli.target import with_store

if TYPE_CHECKING:
    from quark.analyzers.gate import GateResult
    from quark.storage.protocols import Store

_SCHEMA = object_of(
    passed="boolean", candidate_run_id="string", baseline_run_ids="array", checks="array"
)

_XML = '<?xml version="1.0" encoding="UTF-8"?>'


@click.command(name="gate")
@click.option(
    "--run", "run_text", metavar="RUN", help="Which run; the project's newest if left out."
)
@click.option("--project", "-p", metavar="NAME", help="The project of the run and of past ones.")
@click.option(
    "--baseline",
    "baselines",
    metavar="RUN",
    multiple=True,
    help="A past run; or latest:N, tag:NAME, or best:KEY:min and best:KEY:max. Repeatable.",
)
@click.option(
    "--assert",
    "assertions",
    metavar="KEY<=VALUE",
    multiple=True,
    help="What must hold, such as 'val/loss<=0.3'. Repeatable.",
)
@click.option(
    "--metric",
    "metrics",
    metavar="KEY",
    multiple=True,
    help="Hold this metric against past runs. Repeatable.",
)
@click.option(
    "--min-baselines",
    metavar="N",
    type=click.IntRange(min=1),
    help="How many past runs there must be to hold it against. [default: 3, or all that are named]",
)
@click.option(
    "--junit", metavar="FILE", help="Also write the checks, or why there are none, as JUnit's XML."
)
@with_store
@with_output(_SCHEMA)
def gate(
    run_text: str | None,
    project: str | None,
    baselines: tuple[str, ...],
    assertions: tuple[str, ...],
    metrics: tuple[str, ...],
    min_baselines: int | None,
    junit: str | None,
    store: Store,
    out: Output,
) -> int:
    """Let a run pass, or not: exit with 0 or 1.

    It must have ended well, reach what is asserted, and be as good as past runs: the latest
    completed ones of its project, unless others are named. With assertions alone it is held
    against no others.

    \b
    quark gate --project nightly --assert 'val/loss<=0.3'
    quark gate --run k3x9q0ab --baseline best:val/loss:min --metric val/loss
    """
    from quark.analyzers.gate import gate_in
    from quark.errors import QuarkError

    try:
        run_id = _candidate(store, run_text, project)
        named = _baselines(store, baselines, project, run_id) if baselines else None
        holds_against_past = bool(metrics or named or not assertions)
        found = gate_in(
            store,
            run_id,
            named,
            project=project if holds_against_past else None,
            metrics=metrics,
            assertions=assertions,
            min_baselines=min_baselines,
        )
    except (QuarkError, click.ClickException) as error:
        if junit is not None:  # a build that reads the file alone must not take it for passed
            with contextlib.suppress(OSError):  # what it was is said all the same
                Path(junit).write_text(_junit_of_error(error), encoding="utf-8")
        raise
    if out.as_json:
        out.answer(found.to_dict())
    else:
        click.echo(found.render(), nl=False)
    if junit is not None:
        Path(junit).write_text(_junit(found), encoding="utf-8")
    return found.exit_code


def _candidate(store: Store, text: str | None, project: str | None) -> str:
    from quark.cli.run_choice import chosen_run
    from quark.errors import RunNotFoundError
    from quark.storage.model import RunQuery

    if text is not None:
        return chosen_run(store, text).id
    if project is None:
        raise click.UsageError("Say which run: --run RUN, or --project NAME for its newest run.")
    newest = store.records.list_runs(RunQuery(project=project, limit=1))
    if not newest:
        raise RunNotFoundError(f"There is no run in project {project!r}; see quark project ls.")
    return newest[0].id


def _baselines(store: Store, texts: tuple[str, ...], project: str | None, run_id: str) -> list[str]:
    from quark.cli.run_choice import chosen_run
    from quark.errors import RunNotFoundError

    found: list[str] = []
    for text in texts:
        kind, _, rest = ("latest:1" if text == "latest" else text).partition(":")
        if kind in ("latest", "tag", "best") and rest:
            chosen = _chosen(store, kind, rest, project, run_id)
            if not chosen:
                raise RunNotFoundError(f"No past run is meant by --baseline {text}.")
            found += chosen
        else:
            found.append(chosen_run(store, text).id)
    return list(dict.fromkeys(one for one in found if one != run_id))


def _chosen(store: Store, kind: str, rest: str, project: str | None, run_id: str) -> list[str]:
    from quark.storage.model import RunQuery

    project = project or store.records.get_run(run_id).project_name
    tags = (rest,) if kind == "tag" else ()
    query = RunQuery(project=project, status="completed", tags=tags)
    past = [run.id for run in store.records.list_runs(query) if run.id != run_id]
    if kind == "tag":
        return past
    if kind == "latest":
        if not rest.isdecimal():
            raise click.UsageError(f"latest:{rest} is not valid: write a number, as in latest:5.")
        return past[: int(rest)]
    key, _, direction = rest.rpartition(":")
    if direction not in ("min", "max") or not key:
        raise click.UsageError(f"best:{rest} is not valid: write best:KEY:min or best:KEY:max.")
    last = {}
    for one in past:
        stats = store.points.keys(one).get(key)
        if stats is not None and stats.last_value == stats.last_value:
            last[one] = stats.last_value
    choose = min if direction == "min" else max
    return [choose(last, key=last.__getitem__)] if last else []


def _junit(found: GateResult) -> str:
    failures = sum(not check.passed for check in found.checks)
    lines = [
        _XML,
        f'<testsuite name="quark gate" tests="{len(found.checks)}" failures="{failures}" '
        'errors="0">',
    ]
    for check in found.checks:
        name = quoteattr(shown(f"{check.kind} {check.metric_key or ''}".strip()))
        head = f"  <testcase classname={quoteattr(found.candidate_run_id)} name={name}"
        if check.passed:
            lines.append(f"{head}/>")
        else:
            lines.append(f"{head}><failure message={quoteattr(shown(check.reason))}/></testcase>")
    return "\n".join([*lines, "</testsuite>", ""])


def _junit_of_error(error: Exception) -> str:
    """Say that nothing could be judged."""
    return (
        f'{_XML}\n<testsuite name="quark gate" tests="1" failures="0" errors="1">\n'
        '  <testcase classname="quark gate" name="judge">'
        f"<error message={quoteattr(shown(str(error)))}/></testcase>\n</testsuite>\n"
    )
