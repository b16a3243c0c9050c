"""``quark logs``: what a run wrote to its terminal, and what was logged with a severity."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from quark.cli.asked_run import with_run
from quark.cli.output import Output, lines_of, object_of, shown, with_output

if TYPE_CHECKING:
    from quark.cli.asked_run import AskedRun
    from quark.storage.model import StoredRecord

_SCHEMA = lines_of(
    object_of(time="string", stream="string", severity="string", step="integer|null", text="string")
)
_SEVERITIES = ("debug", "info", "warning", "error", "critical")
_STREAMS = ("stdout", "stderr", "log")

_severity = click.option(
    "--severity",
    type=click.Choice(_SEVERITIES),
    help="Lines that are at least so; of what was printed, by the words of logging libraries.",
)
_stream = click.option(
    "--stream", "streams", type=click.Choice(_STREAMS), multiple=True, help="Only of these."
)


@click.group("logs")
def logs() -> None:
    """What a run printed and logged.

    \b
    quark logs tail rpwnn -f
    quark logs export rpwnn --severity warning -o warnings.txt
    """


@logs.command("tail")
@with_run
@_severity
@_stream
@click.option("--lines", "-n", type=click.IntRange(min=0), default=20, show_default=True)
@click.option("--follow", "-f", is_flag=True, help="Go on until the run ends.")
@with_output(_SCHEMA)
def tail_logs(
    out: Output,
    asked: AskedRun,
    severity: str | None,
    streams: tuple[str, ...],
    lines: int,
    follow: bool,
) -> None:
    """Print the last lines of a run, and those that come.

    \b
    quark logs tail rpwnn -f
    quark logs tail rpwnn -n 100 --stream stderr
    """
    from quark.cli.following import NewRecords, rounds

    asked.read()
    records = NewRecords(asked.store, asked.run_id, ("console_line", "event"))
    found = 0
    for number, _ in enumerate(rounds(asked, follow=follow)):
        new = _fitting(records.take(), severity, streams)
        for line in deque(new, maxlen=lines) if number == 0 else new:
            found += 1
            out.line(line) if out.as_json else out.text(_line(line))
    if not found and not follow and lines:
        out.note(_nothing(bool(severity or streams)))


@logs.command("export")
@with_run
@_severity
@_stream
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    default="-",
    help="A file, or - for stdout. [default: -]",
)
@with_output(_SCHEMA)
def export_logs(
    out: Output,
    asked: AskedRun,
    severity: str | None,
    streams: tuple[str, ...],
    output: Path,
) -> None:
    """Write all lines of a run to a file, or to stdout (-): as text as it was, or JSON lines.

    \b
    quark logs export rpwnn > run.log
    quark logs export rpwnn --json -o run.jsonl
    """
    from quark import jsonio
    from quark.cli.following import NewRecords

    asked.read()
    records = NewRecords(asked.store, asked.run_id, ("console_line", "event"))
    count = 0
    with written(output) as file:
        for line in _fitting(records.take(), severity, streams):
            count += 1
            text = jsonio.dumps(line) if out.as_json else line["text"].encode("utf-8", "replace")
            file.write(text + b"\n")
    if not count:
        out.note(_nothing(bool(severity or streams)))
    elif str(output) != "-":
        out.note(f"Wrote {count} lines to {output}.")


@contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """Open a file that is there as a whole or not at all; ``-`` is stdout."""
    if str(path) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    from quark import ids

    draft = path.with_name(f".{path.name}.{ids.random_id()}.tmp")
    try:
        with draft.open("wb") as file:
            yield file
        draft.replace(path)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        draft.unlink(missing_ok=True)


def _fitting(
    records: Iterator[StoredRecord], severity: str | None, streams: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    least = 0 if severity is None else _SEVERITIES.index(severity)
    for record in records:
        line = _read(record)
        if line is None or (streams and line["stream"] not in streams):
            continue
        if _SEVERITIES.index(line["severity"]) >= least:
            yield line


def _read(record: StoredRecord) -> dict[str, Any] | None:
    from quark import jsonio
    from quark.clock import format_timestamp
    from quark.dashboard.views.logs import level_of  # the same words on every face

    body = jsonio.loads(record.body)
    if record.kind == "console_line":
        text = str(body.get("text", ""))
        stream = "stderr" if body.get("stream") == "stderr" else "stdout"
        severity = level_of(text)
    elif body.get("event_type") == "user_log":
        text = str((body.get("payload") or {}).get("message", ""))
        stream, severity = "log", str(body.get("severity"))
    else:
        return None
    return {
        "time": format_timestamp(record.time_us),
        "stream": stream,
        "severity": severity if severity in _SEVERITIES else "info",
        "step": record.step,
        "text": text,
    }


def _line(line: dict[str, Any]) -> str:
    from quark.dashboard.views.logs import plain_text

    mark = {"stdout": "", "stderr": "err  ", "log": f"{line['severity']}  "}[line["stream"]]
    text = plain_text(line["text"]).expandtabs()
    return f"{line['time'][11:19]}  {mark}{shown(text)}".rstrip()


def _nothing(is_filtered: bool) -> str:
    if is_filtered:
        return "No line fits."
    return (
        "Nothing was printed or logged yet. session.add_log() logs a line; what is printed is kept "
        "of runs of wandb.init()."
    )
