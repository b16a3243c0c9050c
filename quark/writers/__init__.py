"""The native writers of scalars and events; each writes into a session or a run's context."""

from quark.writers.events import EventLogger
from quark.writers.metrics import MetricsLogger

__all__ = ["EventLogger", "MetricsLogger"]
