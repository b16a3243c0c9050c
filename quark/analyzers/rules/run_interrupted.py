"""Run interrupted: the run ended before its script was through.

Observes how the run ended, and the events that tell of it: an exception, a process that is gone
without a word (killed, out of memory, machine lost), a signal. What happened before the run was
last resumed does not count, nor does what a run that goes on has got over. A keyboard interrupt
is somebody's decision, and an ``info``.
Source: ours; what ends a run is in its own records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from quark.analyzers.findings import Finding
from quark.analyzers.rule import Rule
from quark.analyzers.step_times import last_row_us

if TYPE_CHECKING:
    from quark.analyzers.evidence import RunEvidence
    from quark.analyzers.thresholds import AnalyzerThresholds

#: What tells of an end, the weightiest first, and what it means.
_ENDS = {
    "out_of_memory": ("error", "Memory ran out."),
    "run_lost": (
        "error",
        "It was probably killed: out of memory, a time limit, or a machine that went down.",
    ),
    "runtime_error": ("error", "The script probably has a fault, or met data it cannot take."),
    "run_failed": ("error", "The script said that it failed."),
    "preempting": ("warning", "The machine was probably needed for something else."),
    "runtime_interruption": (
        "warning",
        "The process was probably ended from outside: a time limit, a scheduler.",
    ),
}
#: Exceptions that mean it. Older releases of torch raise a RuntimeError that says it.
_OF_MEMORY = frozenset({"MemoryError", "OutOfMemoryError"})
_LONGEST_MESSAGE = 300


def run_interrupted(evidence: RunEvidence, limits: AnalyzerThresholds) -> Iterator[Finding]:
    """Yield at most one finding for the run."""
    run, events = evidence.run, evidence.events
    if run.status == "completed":
        return
    since_us = max(run.resume_times_us, default=0)
    if run.status == "running":  # what was logged of and got over is no end
        since_us = max(since_us, last_row_us(evidence) or 0)
    told: dict[str, tuple[int, Mapping[str, Any]]] = {}
    for place, event_type in enumerate(events.object("event_type")):
        if event_type in _ENDS and int(events.time_us[place]) >= since_us:
            payload = events.object("payload")[place] or {}
            told[event_type] = (int(events.step[place]), payload)
    last_step = evidence.last_step
    if not told:
        if run.status in ("failed", "interrupted"):
            yield _finding("warning", f"The run ended as {run.status}.", "", last_step, None)
        return
    event_type = next(one for one in _ENDS if one in told)
    step, payload = told[event_type]
    severity, inference = _ENDS[event_type]
    message = str(payload.get("message") or event_type)[:_LONGEST_MESSAGE]
    exception = payload.get("exception_type")
    if exception == "KeyboardInterrupt" or message == "SIGINT ended the process.":
        severity, inference = "info", "Somebody probably stopped it."
    elif exception == "TrainingStoppedError":
        severity, inference = "info", "Quark ended the training, as it was asked to."
    elif exception in _OF_MEMORY or (exception and "out of memory" in message.lower()):
        inference = _ENDS["out_of_memory"][1]
    if exception:
        message = f"{exception}: {message}"
    yield _finding(severity, message, inference, last_step if step < 0 else step, event_type)


def _finding(
    severity: str, message: str, inference: str, step: int | None, event_type: str | None
) -> Finding:
    where = "" if step is None else f" The last step was {step}."
    return Finding(
        rule_id="run_interrupted",
        severity=severity,
        fact=f"{message.rstrip('.')}.{where}",
        inference=inference or "The script probably ended it so.",
        step_range=None if step is None else (step, step),
        source=event_type or "status",
    )


RULE = Rule(
    rule_id="run_interrupted",
    category="runtime",
    title="Run interrupted",
    check=run_interrupted,
    advice=(
        "Read the run's log: `runtime_error` events hold the traceback.",
        "If the process was killed, look into the kernel's log (dmesg) or the scheduler's for out "
        "of memory and time limits.",
        "Save checkpoints, and go on with TrainingSession.resume_run(...) or resume='allow'.",
    ),
)
