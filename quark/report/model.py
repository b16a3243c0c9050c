"""What a report says. Data alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from quark import jsonio

if TYPE_CHECKING:
    from quark.records import AlertRecord, HealthScoreRecord, PhaseRecord

REPORT_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The metric that is drawn, thinned out: ``steps`` ascend."""

    key: str
    steps: tuple[int, ...]
    values: tuple[float, ...]
    first: float
    last: float
    best: float
    best_step: int
    point_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness:
    """What this process logged and what the store has of it, in journal frames.

    ``lost`` maps what was lost, and why, to a count; it is empty unless something was.
    ``point_count`` is how many points the store has of the run, of all processes.
    """

    logged: int
    stored: int
    point_count: int
    metric_count: int
    lost: Mapping[str, int] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether everything that was logged is stored."""
        return self.logged == self.stored and not self.lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What Quark itself took. None where it could not be measured.

    ``log_us_per_call`` is measured at the end on the run's last row; ``training_us_per_step`` is
    that times the calls of a step, and what hooks and probes measured of themselves.
    ``background_percent`` is of one core.
    """

    log_call_count: int
    step_count: int
    log_us_per_call: float | None = None
    hooks_seconds: float = 0.0
    training_us_per_step: float | None = None
    training_percent: float | None = None
    background_percent: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What another part has to say at the end of a run: a line with a label of at most seven
    characters, and details that only ``report.md`` has room for."""

    label: str
    text: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that is printed and kept at the end of a run."""

    run_id: str
    run_name: str | None
    project: str
    status: str
    generated_at: str
    started_at: str | None
    duration_seconds: float | None
    last_step: int | None
    folder: str
    judged: bool  # False: too short a run for any rule to speak
    curve: Curve | None
    phases: tuple[PhaseRecord, ...]
    alerts: tuple[AlertRecord, ...]
    health_scores: tuple[HealthScoreRecord, ...]
    completeness: Completeness | None  # None: read back from the store, which knows only its own
    cost: Cost | None
    metric_roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    faults: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain dicts and lists."""
        plain: dict[str, Any] = {"report_version": REPORT_VERSION}
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if name in ("phases", "alerts", "health_scores"):
                plain[name] = [record.to_dict() for record in value]
            elif name in ("curve", "completeness", "cost"):
                plain[name] = None if value is None else asdict(value)
            elif name == "notes":
                plain[name] = [asdict(note) for note in value]
            else:
                plain[name] = value
        if self.completeness is not None:
            plain["completeness"]["complete"] = self.completeness.complete
        return dict(jsonio.to_plain(plain))
