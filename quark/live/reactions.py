"""What is to follow an alert while a run goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from quark.errors import SchemaValidationError
from quark.settings import ALERT_REACTIONS

if TYPE_CHECKING:
    from types import TracebackType

    from quark.records import AlertRecord

    Listener = Callable[[AlertRecord], object]

#: Severities at which a training may be stopped; a warning is too little for that.
STOP_SEVERITIES = ("error", "critical")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """What follows the alerts of one run.

    Raises:
        SchemaValidationError: A word is not one of those that there are.
    """

    action: str = "warn"
    stop_severity: str = "error"  # the least at which ``action="stop"`` stops
    listeners: tuple[Listener, ...] = ()

    def __post_init__(self) -> None:
        _check_word("on_alert", self.action, ALERT_REACTIONS)
        _check_word("stop_severity", self.stop_severity, STOP_SEVERITIES)

    def stops(self, severity: str) -> bool:
        """Say whether an alert of ``severity`` ends the training."""
        if self.action != "stop" or severity not in STOP_SEVERITIES:
            return False
        return STOP_SEVERITIES.index(severity) >= STOP_SEVERITIES.index(self.stop_severity)


class AlertSubscription:
    """A listener to alerts until it is closed; also a context manager."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        _subscribed[id(self)] = listener

    def close(self) -> None:
        """Listen no longer; a second call does nothing."""
        _subscribed.pop(id(self), None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


_subscribed: dict[int, Listener] = {}


def on_alert(listener: Listener) -> AlertSubscription:
    """Have ``listener`` called with each alert that comes up while a run of this process goes on.

    It is called on the thread that delivers what is logged, with the
    :class:`~quark.records.AlertRecord`, soon after the alert came up: it should be quick, and may
    log, send a message, or note that the loop is to end. What it raises is said once, counted
    among the run's faults, and otherwise ignored. Alerts that come up only at the end of a run are
    not told; ``AnalyzerEngine(session).read_alerts()`` has those.

    Args:
        listener: Anything that can be called with one argument.

    Returns:
        A subscription; ``close()`` ends it, and so does leaving its ``with`` block.

    Raises:
        SchemaValidationError: ``listener`` cannot be called.

    >>> from quark import on_alert
    >>> seen = []
    >>> with on_alert(lambda alert: seen.append(alert.rule_id)):
    ...     pass  # train
    """
    return AlertSubscription(checked_listener(listener))


def listeners_of_all_runs() -> tuple[Listener, ...]:
    """Return who listens to every run, in the order of their coming."""
    return tuple(_subscribed.values())


def checked_listener(listener: Listener) -> Listener:
    """Return ``listener`` if it can be called.

    Raises:
        SchemaValidationError: It cannot.
    """
    if not callable(listener):
        raise SchemaValidationError(
            f"on_alert got {listener!r}, but needs something that can be called with an "
            f"AlertRecord. {', '.join(map(repr, ALERT_REACTIONS))} are for quark.live.watch()."
        )
    return listener


def _check_word(name: str, word: object, words: tuple[str, ...]) -> None:
    if word not in words:
        raise SchemaValidationError(
            f"{name} is {word!r}, but must be one of {', '.join(map(repr, words))}."
        )
