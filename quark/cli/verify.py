"""``quark verify``: logged = stored = served."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quark.cli.checks import CHECK, Check, counted, has_problem, show_checks
from quark.cli.output import Output, list_of, object_of, with_output
from quark.cli.progress import progress_on
from quark.cli.target import opened, with_settings
from quark.errors import QuarkError, RunNotFoundError

if TYPE_CHECKING:
    from quark.cli.verify_payloads import Payloads
    from quark.records import RunRecord
    from quark.settings import Settings
    from quark.storage.protocols import Store

_RUN = object_of(
    run_id="string",
    ok="boolean",
    point_count="integer",
    record_count="integer",
    checks=list_of(CHECK),
)
_SCHEMA = object_of(ok="boolean", runs=list_of(_RUN))
#: How often a run is looked up that differs from the list of runs.
_LOOKS = 3


@click.command("verify")
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@with_settings
@click.option("--quick", is_flag=True, help="See that payloads are there; do not read them.")
@with_output(_SCHEMA)
def verify(runs: tuple[str, ...], settings: Settings, quick: bool, out: Output) -> int:
    """Check that what was logged is stored and served.

    Of each RUN, or of all: the journals on this machine against what the store has; gaps in what
    each writer logged; that every point decodes and every record can be read, and that as many are
    served as are kept; the SHA-256 of payloads and of artifacts that it logged. Changes nothing.
    Ends with 1 if something is missing or damaged.

    \b
    quark verify k3x9q0ab
    quark verify --quick --url https://quark.example.com
    """
    from quark.cli.run_choice import chosen_run
    from quark.cli.verify_journal import journaled_runs
    from quark.cli.verify_payloads import Payloads
    from quark.persistence.open import is_service_url, storage_dir
    from quark.storage.layout import store_root

    rows: list[dict[str, Any]] = []
    remote = is_service_url(settings.persistence_url)
    with opened(settings) as store, progress_on("verifying", quiet=out.as_json) as tell:
        listed = {run.id: run for run in store.records.list_runs()}
        chosen = [chosen_run(store, text).id for text in runs] or list(listed)
        payloads = Payloads(store, read=not quick)
        here = None if remote else store.run_dir("any")
        root = store_root(storage_dir(settings)) if here is None else here.parent.parent
        if here is not None and not runs:
            there = sorted(path.parent.name for path in root.glob("runs/*/run.db"))
            chosen += [name for name in there if name not in listed]
        if not runs:
            chosen += [name for name in journaled_runs(store, root) if name not in chosen]
        for number, run_id in enumerate(chosen, 1):
            row = _verified(store, run_id, payloads, root, embedded=not remote)
            rows.append(row)
            tell(number, len(chosen))
        check_list(store, rows, listed)
    ok = all(row["ok"] for row in rows)
    if out.as_json:
        out.answer({"ok": ok, "runs": rows})
    else:
        _show(rows, out)
    return 0 if ok else 1


def _verified(
    store: Store, run_id: str, payloads: Payloads, root: Path, *, embedded: bool
) -> dict[str, Any]:
    from quark.cli.verify_journal import check_journal
    from quark.cli.verify_points import Traces

    traces = Traces()
    checks: list[Check] = []
    try:
        checks += check_journal(store, run_id, root)
        run = store.records.get_run(run_id)
        for check in _checks(store, run, payloads, traces, root, embedded=embedded):
            checks.append(check)
    except RunNotFoundError as error:
        if not has_problem(checks):  # else it was said why: it waits
            checks.append(Check("run", "problem", str(error)))
    except QuarkError as error:
        checks.append(Check("run", "problem", str(error)))
    return {
        "run_id": run_id,
        "ok": not has_problem(checks),
        "point_count": traces.point_count,
        "record_count": traces.record_count,
        "checks": [check._asdict() for check in checks],
    }


def _checks(
    store: Store, run: RunRecord, payloads: Payloads, traces: Any, root: Path, *, embedded: bool
) -> Iterator[Check]:
    from quark.cli.verify_journal import check_frames, check_run_file
    from quark.cli.verify_payloads import check_artifacts, check_payloads
    from quark.cli.verify_points import check_points, check_records

    points = list(check_points(store, run.id, traces))
    records = list(check_records(store, run.id, traces))
    if not has_problem([*points, *records]):
        yield from check_frames(store, run, traces)
    yield from points
    yield from records
    if embedded:
        yield from check_run_file(root, run.id, traces.record_count)
    yield from check_payloads(store, run, payloads)
    yield from check_artifacts(store, run, payloads)


def check_list(
    store: Store, rows: Sequence[dict[str, Any]], listed: Mapping[str, RunRecord]
) -> None:
    """Compare the list of runs with the runs themselves, and add to each row what is wrong.

    A run that begins, goes on or ends meanwhile differs from a list that was made before. So who
    differs is looked up in a new list, and only who differs from each is listed wrongly.
    """
    suspects = {row["run_id"]: row for row in rows}
    found: dict[str, Check] = {}
    for look in range(_LOOKS):
        if look:
            listed = {run.id: run for run in store.records.list_runs()}
        found = {}
        for run_id in suspects:
            with contextlib.suppress(QuarkError):  # its row says that it cannot be read
                said = _wrong_in_list(listed.get(run_id), store.records.get_run(run_id))
                if said:
                    found[run_id] = Check("list", "problem", said, "quark reindex")
        suspects = {run_id: suspects[run_id] for run_id in found}
    for run_id, check in found.items():
        suspects[run_id]["checks"].append(check._asdict())
        suspects[run_id]["ok"] = False


def _wrong_in_list(listed: RunRecord | None, now: RunRecord) -> str | None:
    if listed is None:
        return "the list of runs does not have it"
    if listed != now and (listed.updated_at == now.updated_at or now.status != "running"):
        return "the list of runs says something else of it"
    return None


def _show(rows: list[dict[str, Any]], out: Output) -> None:
    for row in rows:
        checks = [Check(**check) for check in row["checks"]]
        if len(rows) == 1:
            out.text(f"Run {row['run_id']}")
            show_checks(checks)
            continue
        worth_a_line = [check for check in checks if check.state != "ok"]
        said = f"{counted(row['point_count'], 'point')}, {counted(row['record_count'], 'record')}"
        out.text(f"{'ok' if row['ok'] else 'PROBLEM':<8} {row['run_id']}  {said}")
        show_checks(worth_a_line, indent="  ")
    wrong = sum(not row["ok"] for row in rows)
    if not rows:
        out.note("There are no runs yet, so nothing is missing.")
    elif wrong:
        have = "has" if wrong == 1 else "have"
        out.note(f"\n{wrong} of {counted(len(rows), 'run')} {have} a problem.")
    else:
        out.note(f"\nWhat was logged to {counted(len(rows), 'run')} is stored and served.")
