"""``quark.live.watch``: say what is to follow the alerts of one run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from quark.errors import InvalidRunStateError
from quark.live.extension import rules_following
from quark.live.reactions import Reaction, checked_listener
from quark.session import registry

if TYPE_CHECKING:
    from quark.analyzers.engine import AnalyzerEngineConfig
    from quark.records import AlertRecord
    from quark.session import TrainingSession


def watch(
    session: TrainingSession | None = None,
    *,
    on_alert: str | Callable[[AlertRecord], object] | None = None,
    stop_severity: str = "error",
    config: AnalyzerEngineConfig | None = None,
) -> bool:
    """Say what is to follow the alerts of a run while it goes on.

    Args:
        session: The run; by default the one that was started last.
        on_alert: ``"warn"`` says a line for each rule, ``"stop"`` also ends the training before
            its next optimizer step with a ``TrainingStoppedError``, ``"record"`` only keeps the
            alert. Something that can be called is called with each ``AlertRecord``, as with
            :func:`quark.on_alert`, beside what follows anyway; a second one comes beside the
            first. By default what the setting ``on_alert`` says.
        stop_severity: From which severity on ``"stop"`` stops: ``"error"`` or ``"critical"``.
        config: Thresholds and metric keys to judge with. It counts if nothing was judged yet.

    Returns:
        Whether the run is judged in this process while it goes on. It is not where the mode is
        ``disabled`` or ``offline``, with ``QUARK_LIVE_RULES=0``, and in a process that only joined
        the run.

    Raises:
        SchemaValidationError: A word is not known.
        InvalidRunStateError: There is no run.

    >>> import tempfile
    >>> from quark import TrainingSession
    >>> with TrainingSession.start_run(project="demo", storage_dir=tempfile.mkdtemp()) as session:
    ...     watch(session, on_alert="stop", stop_severity="critical")
    True
    """
    found = session or registry.latest()
    if found is None:
        raise InvalidRunStateError(
            "No run is open in this process; call start_run(project=...) first or pass session=."
        )
    rules = rules_following(found)
    action = on_alert if isinstance(on_alert, str) else found.handle.settings.on_alert
    listeners = rules.reaction.listeners if rules is not None else ()
    if on_alert is not None and not isinstance(on_alert, str):
        action = rules.reaction.action if rules is not None else action
        listeners = (*listeners, checked_listener(on_alert))
    reaction = Reaction(action=action, stop_severity=stop_severity, listeners=listeners)
    if rules is None or found.ended:
        return False
    rules.react(reaction, config)
    return found.handle.settings.mode == "online"
