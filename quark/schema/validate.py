"""Says whether a record keeps to the schema. The checks follow from the fields, once a class."""

from __future__ import annotations

import dataclasses
import reprlib
import typing
from typing import Any

from quark.errors import SchemaValidationError
from quark.records import (
    ArchitectureEdge,
    ArchitectureModule,
    ArchitectureNode,
    EvidenceRecord,
    ProjectRecord,
    Record,
    RunContext,
)
from quark.schema.rules import broken_between_fields, extra_checks
from quark.schema.types import Check, check_for, whole

#: By field: the check of its type, and those of a value that is not None.
FieldChecks = tuple[tuple[str, Check, tuple[Check, ...]], ...]
AnyRecord = Record | ProjectRecord | RunContext | EvidenceRecord

#: The kinds of what is no record of its own in a store.
_OTHER_KINDS: dict[type, str] = {
    ProjectRecord: "project",
    RunContext: "run_context",
    EvidenceRecord: "evidence",
    ArchitectureModule: "architecture_module",
    ArchitectureNode: "architecture_node",
    ArchitectureEdge: "architecture_edge",
}
_CHECKS: dict[type, FieldChecks] = {}


def validate_record(record: AnyRecord) -> None:
    """Check a record against the current schema.

    Raises:
        SchemaValidationError: It does not match; the message names the kind of record, the
            field, its value and the rule.

    >>> from quark.records import EvidenceRecord
    >>> validate_record(EvidenceRecord(kind="metric", source="train/loss", summary="It rose."))
    """
    kind = kind_of(record)
    broken = _broken_field(kind, record)
    if broken is not None:
        field, rule = broken
        raise SchemaValidationError(
            f"Record {kind!r} is not valid: {field} is {_shown(getattr(record, field))}, "
            f"but it must {rule}."
        )


def kind_of(record: object) -> str:
    """Return the kind under which ``record`` is dumped.

    Raises:
        SchemaValidationError: It is no record.
    """
    if isinstance(record, Record) and record.KIND:
        return record.KIND
    kind = _OTHER_KINDS.get(type(record))
    if kind is None:
        raise SchemaValidationError(
            f"{_shown(record)} of type {type(record).__name__} is no Quark record; pass one of "
            "the dataclasses of quark.records."
        )
    return kind


def _broken_field(kind: str, record: Any) -> tuple[str, str] | None:
    for field, type_check, extras in _field_checks(kind, type(record)):
        value = getattr(record, field)
        rule = type_check(value)
        if not rule and value is not None:
            rule = next((rule for rule in (check(value) for check in extras) if rule), "")
        if rule:
            return field, rule
    return broken_between_fields(kind, record)


def _field_checks(kind: str, record_type: type[Any]) -> FieldChecks:
    known = _CHECKS.get(record_type)
    if known is not None:
        return known
    hints = typing.get_type_hints(record_type)
    checks = []
    for item in dataclasses.fields(record_type):
        hint = hints[item.name]
        type_check = _whole_or_none if item.name == "exit_code" else check_for(hint, _nested)
        checks.append((item.name, type_check, tuple(extra_checks(kind, item.name, hint))))
    _CHECKS[record_type] = tuple(checks)
    return _CHECKS[record_type]


def _whole_or_none(value: Any) -> str:
    """An exit code: negative where a signal ended the process."""
    return "" if value is None else whole(value)


def _nested(record: Any) -> str:
    kind = kind_of(record)
    broken = _broken_field(kind, record)
    if broken is None:
        return ""
    field, rule = broken
    return f"be valid: its {field} is {_shown(getattr(record, field))}, but must {rule}"


_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 120
_shown = _REPR.repr
