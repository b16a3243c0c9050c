"""Prints and keeps the report when a run ends."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from quark import ui
from quark.clock import thread_cpu_seconds

if TYPE_CHECKING:
    from quark.report.model import Report
    from quark.session import TrainingSession
    from quark.storage.batch import Batch

_THREADS = "quark-"
#: After so many reports a process, in a sweep perhaps, is told of further runs in a line each.
WHOLE_REPORTS = 3

_told_count = 0


def tell_whole_reports_again() -> None:
    """Begin to count anew."""
    global _told_count
    _told_count = 0


class EndReport:
    """An extension of a session that does nothing until the run ends."""

    def __init__(self) -> None:
        self._cpu_before: dict[int, float] = {}

    def on_start(self, session: TrainingSession) -> None:
        """Note what Quark's threads have taken before."""
        self._cpu_before = _cpu_seconds()

    def on_batch(self, session: TrainingSession, batch: Batch) -> None:
        """Nothing: what is logged is read at the end."""

    def on_end(self, session: TrainingSession, status: str) -> None:
        """Analyse the run, keep ``report.md`` and ``report.json`` in its folder, and print it: as a
        line, from the fourth run of a process on."""
        if session.handle.settings.mode != "online" or session.flush():
            return  # not all is stored yet that could be read
        from quark.report.build import build_report  # rules and numpy: at the end only

        spent = sum(
            seconds - self._cpu_before.get(thread, 0.0)
            for thread, seconds in _cpu_seconds().items()
        )
        report = build_report(session, status, background_seconds=spent or None)
        _keep(session, report)
        if not session.handle.quiet:
            _print(report)
            session.handle.reported = True


def _keep(session: TrainingSession, report: Report) -> None:
    from quark import jsonio
    from quark.report.markdown import markdown

    session.run_path.mkdir(parents=True, exist_ok=True)
    (session.run_path / "report.json").write_bytes(
        jsonio.dumps(report.to_dict(), indent=True) + b"\n"
    )
    (session.run_path / "report.md").write_text(markdown(report), encoding="utf-8")


def _print(report: Report) -> None:
    from quark.report.lines import report_line, report_lines

    global _told_count
    _told_count += 1
    if _told_count > WHOLE_REPORTS:
        ui.show([report_line(report)])
        return
    encoding = getattr(sys.stderr, "encoding", None) or "ascii"
    ui.show(report_lines(report, ascii_only=not encoding.lower().startswith("utf")))


def _cpu_seconds() -> dict[int, float]:
    """Return what each of Quark's threads has taken of the processor so far, by thread."""
    found = {}
    for thread in threading.enumerate():
        if thread.name.startswith(_THREADS) and thread.native_id is not None:
            seconds = thread_cpu_seconds(thread.native_id)
            if seconds is not None:
                found[thread.native_id] = seconds
    return found
