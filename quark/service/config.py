"""What a service is told when it starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from quark.errors import SettingsError
from quark.persistence.wire import MAX_BODY_BYTES

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig:
    """Where a service keeps things, where it listens, and what it refuses.

    ``root`` is the folder below which everything lies that is in no other engine: the stores of
    all workspaces, payloads, and what is still coming in.

    Raises:
        SettingsError: A value is not allowed.

    >>> ServiceConfig(root=Path("/srv/quark"), port=70000)
    Traceback (most recent call last):
    ...
    quark.errors.SettingsError: port is 70000, but must be 0 to 65535; 0 takes a free one.
    """

    root: Path
    host: str = "127.0.0.1"
    port: int = 8321
    db_url: str | None = None  # postgresql://…; embedded files below ``root`` if None
    points_url: str | None = None  # clickhouse://…; where the records are if None
    blobs_url: str | None = None  # s3://…; a folder below ``root`` if None
    max_body_bytes: int = MAX_BODY_BYTES
    max_unpacked_bytes: int = 8 * MAX_BODY_BYTES
    max_payload_bytes: int = 1 << 40
    max_part_bytes: int = 16 * MIB
    max_keys_per_run: int = 100_000
    max_json_depth: int = 64
    max_open_runs: int = 512
    body_timeout_seconds: float = 60.0
    shutdown_timeout_seconds: float = 30.0
    ingest_queue: int = 256  # batches that wait or are being stored before others are put off
    threads: int = 40
    analysis_workers: int = 1
    analysis_timeout_seconds: float = 300.0
    metrics_public: bool = False  # /metrics without a key

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise SettingsError(f"port is {self.port}, but must be 0 to 65535; 0 takes a free one.")
        for name in (
            "max_body_bytes", "max_unpacked_bytes", "max_payload_bytes", "max_part_bytes",
            "max_keys_per_run", "max_json_depth", "max_open_runs", "body_timeout_seconds",
            "shutdown_timeout_seconds", "ingest_queue", "threads", "analysis_workers",
            "analysis_timeout_seconds",
        ):  # fmt: skip
            value = getattr(self, name)
            if not value > 0:
                raise SettingsError(f"{name} is {value}, but must be more than 0.")
