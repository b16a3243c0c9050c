"""``quark doctor``: what is wrong here, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from quark.cli.checks import CHECK, Check, counted, has_problem, show_checks
from quark.cli.output import Output, list_of, object_of, with_output
from quark.cli.progress import Tell, progress_on
from quark.cli.target import Place, with_place

if TYPE_CHECKING:
    from quark.settings import Settings

_SCHEMA = object_of(ok="boolean", checks=list_of(CHECK))


@click.command("doctor")
@with_place
@with_output(_SCHEMA)
def doctor(place: Place, out: Output) -> int:
    """Look for what is wrong: the store, this machine, the service.

    Changes nothing. Ends with 1 if there is a problem; warnings do not count.

    \b
    quark doctor
    quark doctor --url https://quark.example.com
    quark doctor --json | jq '.checks[] | select(.state != "ok")'
    """
    with progress_on("looking at runs", quiet=out.as_json) as tell:
        checks = list(_checks(place, tell))
    if out.as_json:
        rows = [check._asdict() for check in checks]
        out.answer({"ok": not has_problem(checks), "checks": rows})
        return 1 if has_problem(checks) else 0
    show_checks(checks)
    problems = sum(check.state == "problem" for check in checks)
    warnings = sum(check.state == "warning" for check in checks)
    if problems or warnings:
        out.note(f"\n{counted(problems, 'problem')}, {counted(warnings, 'warning')}.")
    else:
        out.note("\nAll is well.")
    return 1 if problems else 0


def _checks(place: Place, tell: Tell) -> Iterator[Check]:
    from quark.errors import SettingsError

    try:
        settings = place.settings()
    except SettingsError as error:
        yield Check(
            "settings",
            "problem",
            str(error),
            "No command or training starts before this is mended; what follows was looked at as "
            "if only the options of this command had been said.",
        )
        yield from _checks_of(place.settings_of_options(), tell, can_read_config=False)
    else:
        yield from _checks_of(settings, tell, can_read_config=True)


def _checks_of(settings: Settings, tell: Tell, *, can_read_config: bool) -> Iterator[Check]:
    from quark.cli.doctor_machine import check_config, check_machine
    from quark.cli.doctor_service import check_service
    from quark.cli.doctor_store import check_leftovers, check_store
    from quark.persistence.open import embedded_storage_dir, is_service_url, storage_dir
    from quark.storage.layout import store_root

    remote = is_service_url(settings.persistence_url)
    folder = storage_dir(settings) if remote else embedded_storage_dir(settings)
    if can_read_config:
        yield check_config(settings)
    yield from check_machine(folder)
    root = store_root(folder)
    if remote:
        yield from check_service(settings)
    else:
        yield from check_store(root, tell)
    yield from check_leftovers(root, for_service=remote)
