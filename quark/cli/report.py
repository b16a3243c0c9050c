"""``quark report``: what happened in a run, what is wrong with it, what to try."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from quark.cli.output import Output, object_of, with_output
from quark.cli.target import opened, with_settings

if TYPE_CHECKING:
    from quark.settings import Settings

_SCHEMA = object_of(
    run_id="string",
    project="string",
    status="string",
    judged="boolean",
    alerts="array",
    health_scores="array",
    phases="array",
    curve="object|null",
)


@click.command(name="report")
@click.argument("run_text", metavar="RUN")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "md", "json"]),
    default="text",
    show_default=True,
    help="As text, as Markdown with all details, or as --json.",
)
@click.option("--output", "-o", metavar="FILE", default="-", help="Where to; - is stdout.")
@with_settings
@with_output(_SCHEMA)
def report(run_text: str, form: str, output: str, settings: Settings, out: Output) -> None:
    """Print the report of a run.

    It says what the last judgement of the run found; `quark run show` has what was logged.

    \b
    quark report rosy-orchid-1
    quark report k3x9q0ab --format md -o report.md
    """
    from quark import jsonio
    from quark.cli.run_choice import chosen_run
    from quark.report.lines import plain, report_lines
    from quark.report.markdown import markdown
    from quark.report.stored import stored_report

    with opened(settings) as store:
        found = stored_report(store, chosen_run(store, run_text).id)
    if out.as_json or form == "json":
        text = jsonio.dumps(found.to_dict(), indent=True).decode() + "\n"
    elif form == "md":
        text = markdown(found)
    else:
        text = "\n".join(plain(report_lines(found, more=_page(settings, found.run_id)))) + "\n"
    if output == "-":
        click.echo(text, nl=False)
    else:
        Path(output).write_text(text, encoding="utf-8")
        out.note(f"written to {output}")


def _page(settings: Settings, run_id: str) -> str | None:
    """Return the run's page in the dashboard of the service that keeps it; None for a folder."""
    from urllib.parse import quote, urlsplit

    from quark.persistence.open import is_service_url

    if not is_service_url(settings.persistence_url):
        return None
    url = urlsplit(str(settings.persistence_url))
    path = f"{url.path.rstrip('/')}/ui/runs/{quote(run_id, safe='')}"
    return url._replace(path=path, fragment="").geturl()
