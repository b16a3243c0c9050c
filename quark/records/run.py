"""Projects, runs, and the records that change a run during its life.

A run's row in a store is the fold of its ``run`` record and every update after it, in order
(:func:`fold_run`); so a run can be rebuilt from its journal alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar

from quark import jsonio
from quark.records.base import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectRecord:
    """A project: what runs are grouped by. It lives in a workspace."""

    id: str
    name: str
    workspace: str = "local"
    root_path: str = ""
    created_at: str = ""
    updated_at: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the project as a plain dict."""
        return {item.name: jsonio.to_plain(getattr(self, item.name)) for item in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord(Record):
    """One training run: its identity, lineage, lifecycle, configuration and last summary.

    ``id`` and ``run_id`` are the same. ``run_path`` is relative to the storage directory, so that
    a store can be moved. ``summary`` holds what was set explicitly and, once the run has ended,
    the final values.
    """

    KIND: ClassVar[str] = "run"
    ESSENTIAL: ClassVar[bool] = True

    project_id: str
    project_name: str
    workspace: str = "local"
    status: str = "running"
    parent_run_id: str | None = None
    lineage_root_run_id: str | None = None
    resume_count: int = 0
    run_path: str = ""
    git_commit: str | None = None
    strict_mode: bool = False
    tags: tuple[str, ...] = ()
    name: str | None = None
    notes: str | None = None
    group: str | None = None
    job_type: str | None = None
    created_at: str = ""
    updated_at: str = ""
    ended_at: str | None = None
    end_reason: str | None = None
    exit_code: int | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunUpdateRecord(Record):
    """New values for some fields of a run; ``add_tags`` is a union, so ranks do not race."""

    KIND: ClassVar[str] = "run_update"
    ESSENTIAL: ClassVar[bool] = True

    changes: Mapping[str, Any] = field(default_factory=dict)
    add_tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigUpdateRecord(Record):
    """Top-level configuration keys that were set or removed."""

    KIND: ClassVar[str] = "config_update"
    ESSENTIAL: ClassVar[bool] = True

    values: Mapping[str, Any] = field(default_factory=dict)
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryUpdateRecord(Record):
    """Top-level summary keys that were set or removed."""

    KIND: ClassVar[str] = "summary_update"
    ESSENTIAL: ClassVar[bool] = True

    values: Mapping[str, Any] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    step: int | None = None  # the row that was open then, where rows have numbers
    path: tuple[str, ...] = ()  # the way to what was set inside of a value, if not all of it was


#: What a ``run_update`` may change. Identity and lineage are set once.
CHANGEABLE = frozenset(
    {
        "status",
        "resume_count",
        "git_commit",
        "tags",
        "name",
        "notes",
        "group",
        "job_type",
        "ended_at",
        "end_reason",
        "exit_code",
    }
)

RunChange = RunUpdateRecord | ConfigUpdateRecord | SummaryUpdateRecord


def fold_run(run: RunRecord, change: RunChange) -> RunRecord:
    """Return ``run`` with ``change`` applied; unknown fields of a later version are ignored."""
    if isinstance(change, ConfigUpdateRecord):
        config = _patched(run.config, change.values, change.removed)
        return replace(run, config=config, updated_at=change.timestamp)
    if isinstance(change, SummaryUpdateRecord):
        summary = _patched(run.summary, change.values, change.removed)
        return replace(run, summary=summary, updated_at=change.timestamp)
    known = {name: value for name, value in change.changes.items() if name in CHANGEABLE}
    tags = tuple(known.pop("tags", run.tags))
    tags += tuple(tag for tag in dict.fromkeys(change.add_tags) if tag not in tags)
    return replace(run, **known, tags=tags, updated_at=change.timestamp)


def _patched(
    current: Mapping[str, Any], values: Mapping[str, Any], removed: tuple[str, ...]
) -> dict[str, Any]:
    patched = {**current, **values}
    for key in removed:
        patched.pop(key, None)
    return patched


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """A project and a run as they were when this was read, and where they are kept.

    Writers and analyzers take it in the place of a session.
    """

    storage_dir: str
    store_root: str
    db_path: str
    project: ProjectRecord
    run: RunRecord

    @property
    def project_id(self) -> str:
        return self.project.id

    @property
    def project_name(self) -> str:
        return self.project.name

    @property
    def run_id(self) -> str:
        return self.run.id

    @property
    def status(self) -> str:
        return self.run.status

    @property
    def run_path(self) -> Path:
        """The run's folder, absolute."""
        return Path(self.storage_dir) / self.run.run_path

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain dicts, the project and the run included."""
        return {
            "storage_dir": self.storage_dir,
            "store_root": self.store_root,
            "db_path": self.db_path,
            "project": self.project.to_dict(),
            "run": self.run.to_dict(),
        }
