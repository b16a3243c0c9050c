"""Checks that a field's annotation does not say: by name, by kind, and between fields.

A check returns the rule that a value breaks, as the words after "it must", or nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

from quark.clock import parse_timestamp
from quark.errors import SchemaValidationError
from quark.naming import (
    MAX_KEY_BYTES,
    check_event_type,
    check_project_name,
    check_run_id,
    check_segment,
    check_tag,
    split_artifact_name,
    split_key,
)
from quark.schema.types import Check, whole
from quark.schema.words import RUN_STATUSES, WORDS

_SHA256 = re.compile(r"[0-9a-f]{64}")

#: Strings that may be empty: free text, and what is filled in later.
_MAY_BE_EMPTY = frozenset(
    {
        "created_at",
        "description",
        "dtype",
        "metadata_relative_path",
        "module_name",  # of the model itself, in torch
        "payload_relative_path",
        "root_path",
        "run_path",
        "settings",
        "sha256",
        "text",
        "updated_at",
    }
)
_FREE_TEXT = frozenset({"notes", "summary", "end_reason", "status", "dtype", "gpu_name"})


def _not_blank(value: Any) -> str:
    return "" if value else "not be empty"


def _timestamp(value: Any) -> str:
    try:
        parse_timestamp(value)
    except ValueError:
        return "be a time in ISO 8601, such as '2026-05-07T00:00:00Z'"
    return ""


def _timestamp_or_empty(value: Any) -> str:
    return _timestamp(value) if value else ""


def _named(check: Callable[[str], object]) -> Check:
    def run(value: Any) -> str:
        try:
            check(value)
        except SchemaValidationError as error:
            return f"follow the grammar of names ({error})"
        return ""

    return run


def _one_of(words: tuple[str, ...]) -> Check:
    rule = f"be one of {', '.join(map(repr, words))}"
    return lambda value: "" if value in words else rule


def _each_one_of(words: tuple[str, ...]) -> Check:
    rule = f"hold only {', '.join(map(repr, words))}"
    return lambda value: "" if all(word in words for word in value) else rule


def _store_key(value: Any) -> str:
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        return "be text that can be written as UTF-8"
    fine = 0 < size <= MAX_KEY_BYTES
    return "" if fine else f"have 1 to {MAX_KEY_BYTES} bytes as UTF-8, not {size}"


def _tags(value: Any) -> str:
    return next((rule for rule in map(_named(check_tag), value) if rule), "")


def _sha256(value: Any) -> str:
    fine = not value or _SHA256.fullmatch(value)
    return "" if fine else "be 64 lowercase hexadecimal digits, or empty"


def _finite(value: Any) -> str:
    return "" if math.isfinite(value) else "be finite"


def _score(value: Any) -> str:
    return "" if 0 <= value <= 100 else "be from 0 to 100"


def _share(value: Any) -> str:
    return "" if 0 <= value <= 1 or math.isnan(value) else "be from 0 to 1"


def _percent(value: Any) -> str:
    return "" if 0 <= value <= 100 or math.isnan(value) else "be from 0 to 100"


def _size(value: Any) -> str:
    return "" if value >= 0 or math.isnan(value) else "not be below 0"


_BY_NAME: dict[str, Check] = {
    "run_id": _named(check_run_id),
    "timestamp": _timestamp,
    "ended_at": _timestamp,
    "created_at": _timestamp_or_empty,
    "updated_at": _timestamp_or_empty,
    "project_name": _named(check_project_name),
    "event_type": _named(check_event_type),
    "metric_key": _named(split_key),
    "artifact_key": _named(split_artifact_name),
    "artifact_type": _named(lambda value: check_segment("Artifact type", value)),
    "sha256": _sha256,
    "tags": _tags,
    "add_tags": _tags,
    "exit_code": whole,
    "update_to_value_ratio": _size,
}
_BY_KIND: dict[tuple[str, str], Check] = {
    ("run", "id"): _named(check_run_id),
    ("project", "name"): _named(check_project_name),
    ("metric", "value"): _finite,
    ("history_value", "key"): _store_key,
    ("metric_definition", "name"): _store_key,
    ("health_score", "score"): _score,
}
_BY_ENDING: tuple[tuple[str, Check], ...] = (
    ("_ratio", _share),
    ("_percent", _percent),
    ("_ms", _size),
    ("norm", _size),
    ("std", _size),
    ("variance", _size),
)


def extra_checks(kind: str, field: str, hint: Any) -> Iterator[Check]:
    """Yield what a field must keep to beyond its type; the checks expect a value of that type."""
    if (kind, field) in WORDS:
        words = WORDS[kind, field]
        yield _each_one_of(words) if field == "summary" else _one_of(words)
    elif hint is str and field not in _MAY_BE_EMPTY and field not in _FREE_TEXT:
        yield _not_blank
    if (kind, field) in _BY_KIND:
        yield _BY_KIND[kind, field]
    elif field in _BY_NAME:
        yield _BY_NAME[field]
    elif hint in (float, float | None):
        yield from (check for ending, check in _BY_ENDING if field.endswith(ending))


def broken_between_fields(kind: str, record: Any) -> tuple[str, str] | None:
    """Return a field that does not fit another, and the rule; None if all fit together."""
    if kind == "metric" and record.step is None and record.epoch is None:
        return "step", "be set, or epoch must be: a metric belongs to at least one of them"
    if kind == "metric":
        return _key_fits(record, "metric_key", "metric_name")
    if kind == "artifact":
        return _key_fits(record, "artifact_key", "artifact_name")
    if kind == "run" and record.run_id != record.id:
        return "run_id", f"be the same as id, which is {record.id!r}"
    if kind == "run_update":
        return _change_fits(record.changes)
    if kind == "system_telemetry" and record.boundary == "step" and record.step is None:
        return "step", "be set, since boundary is 'step'"
    if kind == "parameter_distribution":
        return _bins_fit(record)
    start, end = getattr(record, "step_start", None), getattr(record, "step_end", None)
    if start is not None and end is not None and end < start:
        return "step_end", f"not be before step_start, which is {start}"
    return None


def _key_fits(record: Any, key_field: str, name_field: str) -> tuple[str, str] | None:
    name = split_artifact_name(getattr(record, key_field))
    if record.namespace != name.namespace:
        return "namespace", f"be {name.namespace!r}, since {key_field} is {name.key!r}"
    if getattr(record, name_field) != name.name:
        return name_field, f"be {name.name!r}, since {key_field} is {name.key!r}"
    return None


def _change_fits(changes: Any) -> tuple[str, str] | None:
    status, tags = changes.get("status"), changes.get("tags", ())
    if status is not None and status not in RUN_STATUSES:
        return "changes", f"set status to one of {', '.join(map(repr, RUN_STATUSES))}"
    if not isinstance(tags, (list, tuple)):
        return "changes", "set tags to a list or tuple"
    rule = _tags(tags)
    return ("changes", rule) if rule else None


def _bins_fit(record: Any) -> tuple[str, str] | None:
    if record.counts and len(record.bin_edges) != len(record.counts) + 1:
        return "bin_edges", f"have one element more than counts, which has {len(record.counts)}"
    if any(high < low for low, high in zip(record.bin_edges, record.bin_edges[1:], strict=False)):
        return "bin_edges", "not decrease"
    if record.sample_count > record.total_count:
        return "sample_count", f"not be above total_count, which is {record.total_count}"
    return None
