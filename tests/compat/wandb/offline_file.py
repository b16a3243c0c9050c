"""Reads the file that the real wandb writes offline: what was logged, as its backend understood it.

The framing is LevelDB's log with a plain CRC-32; the records are protobuf messages of the installed
wandb. Only for comparing: the importer has a reader of its own.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from struct import Struct
from typing import Any

_FILE_HEADER_BYTES = 7
_BLOCK_BYTES = 32_768
_CHUNK = Struct("<IHB")  # checksum, length, type
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


@dataclass
class OfflineRun:
    """What one run's file says."""

    run_id: str = ""
    project: str = ""
    name: str = ""
    notes: str = ""
    group: str = ""
    job_type: str = ""
    tags: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    exit_code: int | None = None


def read_offline_run(path: Path) -> OfflineRun:
    """Read a ``run-<id>.wandb`` file."""
    from wandb.proto import wandb_internal_pb2  # its messages are made at run time

    run = OfflineRun()
    for payload in _records(path.read_bytes()):
        record = getattr(wandb_internal_pb2, "Record")()  # noqa: B009 - mypy does not see it
        record.ParseFromString(payload)
        _apply(run, record)
    return run


def _records(data: bytes) -> Iterator[bytes]:
    position, parts = _FILE_HEADER_BYTES, list[bytes]()
    while position + _CHUNK.size <= len(data):
        room = _BLOCK_BYTES - position % _BLOCK_BYTES
        if room < _CHUNK.size:
            position += room
            continue
        checksum, length, kind = _CHUNK.unpack_from(data, position)
        if not (checksum or length or kind):
            position += room
            continue
        start = position + _CHUNK.size
        payload = data[start : start + length]
        assert zlib.crc32(bytes([kind]) + payload) == checksum, f"damaged at {position}"
        position = start + length
        if kind in (_FULL, _FIRST):
            parts = []
        parts.append(payload)
        if kind in (_FULL, _LAST):
            yield b"".join(parts)


def _apply(run: OfflineRun, record: Any) -> None:
    kind = record.WhichOneof("record_type")
    if kind == "run":
        said = record.run
        run.run_id, run.project, run.name = said.run_id, said.project, said.display_name
        run.notes, run.group, run.job_type = said.notes, said.run_group, said.job_type
        run.tags = tuple(said.tags)
        _update(run.config, said.config)
    elif kind == "config":
        _update(run.config, record.config)
    elif kind == "summary":
        _update(run.summary, record.summary)
    elif kind == "history":
        row: dict[str, Any] = {}
        for item in record.history.item:
            row[".".join(item.nested_key) or item.key] = json.loads(item.value_json)
        row["_step"] = record.history.step.num
        run.history.append(row)
    elif kind == "exit":
        run.exit_code = record.exit.exit_code


def _update(values: dict[str, Any], change: Any) -> None:
    for item in change.update:
        *path, last = list(item.nested_key) or [item.key]
        inner = values
        for part in path:
            found = inner.get(part)
            inner[part] = found if isinstance(found, dict) else {}
            inner = inner[part]
        inner[last] = json.loads(item.value_json)
    for item in change.remove:
        *path, last = list(item.nested_key) or [item.key]
        inner = values
        for part in path:
            inner = inner.get(part, {})
        inner.pop(last, None)
