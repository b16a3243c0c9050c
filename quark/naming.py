"""The grammar of metric and artifact keys, and what may name events, tags, projects and runs.

A key is one or more segments joined by ``/``. A segment starts with a letter or a digit and goes
on with letters, digits, ``.``, ``_`` or ``-``; ASCII only. What stands before the last ``/`` is
the namespace. A caller gives either the whole key or a bare name and its namespace, never a name
with ``/`` *and* a namespace: ``("train/loss", "train")`` could mean two different keys.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from quark.errors import SchemaValidationError

#: What a store takes; see ``quark.storage.model``.
MAX_KEY_BYTES = 512
MAX_TAG_CHARACTERS = 256
MAX_PROJECT_CHARACTERS = 256
MAX_RUN_ID_CHARACTERS = 128

#: Keys that stay split. A run of 10,000 keys must not push its own out again and again.
_CACHED_KEYS = 32_768

_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EVENT_TYPE = re.compile(r"[a-z][a-z0-9_./-]*")
_SEGMENT_RULE = "must start with a letter or digit and hold only letters, digits, '.', '_' or '-'"
#: Not in a run id: it is a folder's name, also on Windows, and a part of paths and URLs.
_NOT_IN_RUN_ID = frozenset('/\\:*?"<>|#%')


class MetricName(NamedTuple):
    """A key and its two parts: ``key`` is ``namespace + "/" + name``, or ``name`` alone."""

    key: str
    namespace: str | None
    name: str


def split_key(metric: str, namespace: str | None = None) -> MetricName:
    """Return the key, namespace and name of a metric.

    Args:
        metric: The full key, or the bare name if ``namespace`` is given.
        namespace: One or more segments.

    Raises:
        SchemaValidationError: It does not follow the grammar.

    >>> split_key("train/loss")
    MetricName(key='train/loss', namespace='train', name='loss')
    >>> split_key("latency_ms", "serving/shadow").key
    'serving/shadow/latency_ms'
    >>> split_key("loss").namespace is None
    True
    """
    try:
        return _split_metric(metric, namespace)
    except TypeError:  # an argument that cannot even be hashed
        return _split("Metric key", metric, namespace)


def split_artifact_name(name: str, namespace: str | None = None) -> MetricName:
    """Return the key, namespace and name of an artifact; the grammar is that of metrics.

    Raises:
        SchemaValidationError: It does not follow the grammar.

    >>> split_artifact_name("activation", "layers/encoder").key
    'layers/encoder/activation'
    """
    return _split("Artifact name", name, namespace)


def check_segment(what: str, value: str) -> str:
    """Return ``value`` if it is one segment; ``what`` begins the message if it is not.

    Raises:
        SchemaValidationError: It is not.

    >>> check_segment("Artifact type", "tensor_summary")
    'tensor_summary'
    """
    if not _follows(_SEGMENT, value):
        raise SchemaValidationError(f"{what} {value!r} is not valid: it {_SEGMENT_RULE}.")
    return value


def check_event_type(event_type: str) -> str:
    """Return ``event_type`` if it may name an event.

    Raises:
        SchemaValidationError: It may not.

    >>> check_event_type("checkpoint_saved")
    'checkpoint_saved'
    """
    if not _follows(_EVENT_TYPE, event_type):
        raise SchemaValidationError(
            f"Event type {event_type!r} is not valid: it must start with a lowercase letter and "
            "hold only lowercase letters, digits, '_', '.', '/' or '-'."
        )
    return event_type


def check_tag(tag: str) -> str:
    """Return ``tag`` if it may tag a run: any text that is not blank, of at most 256 characters.

    Raises:
        SchemaValidationError: It may not.
    """
    return _check_text("Tag", tag, MAX_TAG_CHARACTERS)


def check_project_name(project: str) -> str:
    """Return ``project`` if it may name a project.

    Refused are: what is no string, is blank, is longer than 256 characters, begins or ends with
    a blank (two projects that look alike), holds a line break or another character that cannot
    be printed, or holds ``/`` (it separates workspace, project and run in paths).

    Raises:
        SchemaValidationError: It is one of these.

    >>> check_project_name("image classifier (v2)")
    'image classifier (v2)'
    """
    _check_text("Project name", project, MAX_PROJECT_CHARACTERS)
    if project != project.strip() or not project.isprintable() or "/" in project:
        raise SchemaValidationError(
            f"Project name {project!r} is not valid: it must not begin or end with a blank, nor "
            "hold '/' or characters that cannot be printed. Use '-' or '.' to join words."
        )
    return project


def check_run_id(run_id: str) -> str:
    """Return ``run_id`` if it may name a run, and with it the run's folder.

    Raises:
        SchemaValidationError: It is blank, too long, starts with ``.``, begins or ends with a
            blank, or holds a character that is not safe in paths and URLs.

    >>> check_run_id("run_4k2j9x0a7bqc")
    'run_4k2j9x0a7bqc'
    """
    _check_text("Run id", run_id, MAX_RUN_ID_CHARACTERS)
    unsafe = not run_id.isprintable() or not _NOT_IN_RUN_ID.isdisjoint(run_id)
    if unsafe or run_id.startswith(".") or run_id.endswith(".") or run_id != run_id.strip():
        raise SchemaValidationError(
            f"Run id {run_id!r} is not valid: it must not begin or end with '.' or a blank, nor "
            f"hold any of {' '.join(sorted(_NOT_IN_RUN_ID))} or characters that cannot be "
            "printed. Leave it out to get a fresh one."
        )
    return run_id


@lru_cache(maxsize=_CACHED_KEYS)
def _split_metric(metric: str, namespace: str | None) -> MetricName:
    return _split("Metric key", metric, namespace)


def _follows(rule: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and rule.fullmatch(value) is not None


def _split(what: str, name: object, namespace: object) -> MetricName:
    if not isinstance(name, str) or not isinstance(namespace, (str, type(None))):
        wrong = namespace if isinstance(name, str) else name
        raise SchemaValidationError(
            f"{what} {wrong!r} is not valid: it must be a string, not {type(wrong).__name__}."
        )
    if namespace is not None and "/" in name:
        raise SchemaValidationError(
            f"{what} {name!r} is not valid with namespace {namespace!r}: give either the full key "
            "or a name without '/' and its namespace."
        )
    key = name if namespace is None else f"{namespace}/{name}"
    segments = key.split("/")
    for segment in segments:
        if _SEGMENT.fullmatch(segment) is None:
            raise SchemaValidationError(
                f"{what} {_shown(key)} is not valid: segment {_shown(segment)} {_SEGMENT_RULE}."
            )
    if len(key) > MAX_KEY_BYTES:
        raise SchemaValidationError(
            f"{what} {_shown(key)} is not valid: it has {len(key)} characters, and at most "
            f"{MAX_KEY_BYTES} are kept. Shorten it."
        )
    *outer, last = segments
    return MetricName(str(key), "/".join(outer) or None, last)


def _check_text(what: str, value: object, limit: int) -> str:
    if not isinstance(value, str) or not value.strip():
        raise SchemaValidationError(
            f"{what} {value!r} is not valid: it must be a string that is not blank."
        )
    if len(value) > limit:
        raise SchemaValidationError(
            f"{what} {_shown(value)} is not valid: it has {len(value)} characters, and at most "
            f"{limit} are allowed. Shorten it."
        )
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise SchemaValidationError(
            f"{what} {value!r} is not valid: it cannot be written as UTF-8 ({error.reason}). "
            "Decode it properly before it gets here."
        ) from error
    return value


def _shown(value: str) -> str:
    return repr(value) if len(value) <= 120 else repr(value[:100]) + "..."
