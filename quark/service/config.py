"""What a service is told when it starts."""

from __future__ import annotations

import ipaddress
import math
import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from quark.errors import SettingsError
from quark.persistence.wire import MAX_BODY_BYTES
from quark.service.limits import GuardLimits, setting

MIB = 1024 * 1024

#: Fields that may be 0; all other numbers must be more.
_ORIGIN = re.compile(r"https?://[^/\s*@?#]+")
_MAY_BE_ZERO = frozenset({"port", "merge_processes", "min_free_bytes", "read_processes"})


def _secret(default: Any, doc: str) -> Any:
    """What may hold a password, so that it is not shown."""
    return field(default=default, repr=False, metadata={"doc": doc})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceConfig:
    """Where a service keeps things, where it listens, and what it refuses.

    Each field is a flag of ``quark serve``, a variable ``QUARK_SERVE_…`` and a key of its
    configuration file; so are those of ``guards``.

    Raises:
        SettingsError: A value is not allowed.

    >>> ServiceConfig(root=Path("/srv/quark"), port=70000)
    Traceback (most recent call last):
    ...
    quark.errors.SettingsError: port is 70000, but must be 0 to 65535; 0 takes a free one.
    """

    root: Path = field(
        metadata={
            "doc": "The folder below which everything lies that is in no other engine: stores, "
            "payloads, and what is still coming in."
        }
    )
    new_root: bool = setting(
        True,
        "Make a store where none was, and say so. With --no-new-root that is refused: it is a disk "
        "that is not mounted, or a slip.",
    )
    host: str = setting("127.0.0.1", "The address to listen on.")
    port: int = setting(8321, "The port to listen on; 0 takes a free one.")
    uds: Path | None = field(
        default=None, metadata={"doc": "A unix socket to listen on, in the place of a port."}
    )
    tls_cert: Path | None = field(
        default=None, metadata={"doc": "A file with the certificate chain, PEM."}
    )
    tls_key: Path | None = field(
        default=None, metadata={"doc": "A file with its private key, PEM."}
    )
    behind_proxy: tuple[str, ...] = setting(
        (), "Addresses or networks of proxies that speak TLS and whose forwarded headers hold."
    )
    allow_plain_http: bool = setting(
        False, "Listen beyond this machine without TLS: user keys can be read on the way."
    )
    workers: int = setting(1, "Processes that share the port and the stores.")
    db_url: str | None = _secret(
        None, "postgresql://… for records and points; embedded files below the root if left out."
    )
    points_url: str | None = _secret(
        None, "clickhouse://… for points; where the records are if left out."
    )
    blobs_url: str | None = _secret(
        None, "s3://… for payloads; a folder below the root if left out."
    )
    fsync: bool = setting(
        False,
        "Let each batch in the embedded files survive a loss of power when it is answered. "
        "Otherwise the newest may be lost with the power, though not with the process.",
    )
    min_free_bytes: int = setting(
        256 * MIB, "With less free below the root, /readyz says that the disk is full."
    )
    max_body_bytes: int = setting(MAX_BODY_BYTES, "The largest body of a request, as sent.")
    max_unpacked_bytes: int = setting(8 * MAX_BODY_BYTES, "The largest body, unpacked.")
    max_payload_bytes: int = setting(1 << 40, "The largest payload.")
    max_part_bytes: int = setting(16 * MIB, "The largest part in which one is sent.")
    max_keys_per_run: int = setting(100_000, "How many metric keys a run may have.")
    max_json_depth: int = setting(64, "How deep records and other JSON may be nested.")
    max_open_runs: int = setting(512, "How many runs' files each store keeps open.")
    body_timeout_seconds: float = setting(60.0, "How long a request's body may take.")
    shutdown_timeout_seconds: float = setting(
        30.0, "How long requests under way may take when the service is told to stop."
    )
    ingest_queue: int = setting(
        1024, "Batches that wait or are being stored before others are put off."
    )
    ingest_queue_bytes: int = setting(256 * MIB, "How many bytes these may have.")
    ingest_threads: int = setting(4, "How many runs are written at once.")
    max_backlog_points: int = setting(
        16_000_000, "Points of one run that may wait to be packed before its batches are put off."
    )
    merge_processes: int = setting(
        1, "Processes that pack points, for each worker; 0: the worker itself does it."
    )
    read_processes: int = setting(
        1, "Processes that read long series, for each worker; 0: the worker itself does it."
    )
    threads: int = setting(40, "How many requests that are no batches are answered at once.")
    analysis_workers: int = setting(1, "Processes that analyse runs.")
    analysis_timeout_seconds: float = setting(300.0, "How long the analysis of a run may take.")
    analysis_memory_bytes: int = setting(
        4096 * MIB, "How much memory each of them may ask for (on Linux)."
    )
    analysis_queue: int = setting(64, "Analyses that wait before others are put off.")
    metrics_public: bool = setting(False, "Answer /metrics without a user key.")
    points_retention: tuple[str, ...] = setting(
        (), "WORKSPACE=DAYS: how long ClickHouse keeps the points of a workspace; else for ever."
    )
    audit_retention_days: int = setting(365, "How long entries of the audit log stay.")
    cors_origins: tuple[str, ...] = setting(
        (), "Other hosts whose pages may ask this service, as https://host."
    )
    guards: GuardLimits = field(default_factory=GuardLimits)

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise SettingsError(f"port is {self.port}, but must be 0 to 65535; 0 takes a free one.")
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue
            if not math.isfinite(value):
                raise SettingsError(f"{item.name} is {value}, but must be a finite number.")
            if value < 0 or (value == 0 and item.name not in _MAY_BE_ZERO):
                raise SettingsError(f"{item.name} is {value}, but must be more than 0.")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise SettingsError("tls_cert and tls_key must be given together.")
        if self.ingest_queue_bytes < self.max_body_bytes:
            raise SettingsError(
                f"ingest_queue_bytes is {self.ingest_queue_bytes}, but must be at least "
                f"max_body_bytes, which is {self.max_body_bytes}, or no batch of that size fits."
            )
        for origin in self.cors_origins:
            _check_origin(origin)
        for proxy in self.behind_proxy:
            _check_network(proxy)
        if self.points_retention and self.points_url is None:
            raise SettingsError(
                "points_retention needs points_url: only ClickHouse removes points by itself."
            )
        for rule in self.points_retention:
            _days_of(rule)

    def retention_days(self, workspace: str) -> int | None:
        """Return for how many days the points of a workspace stay; None: for ever.

        >>> config = ServiceConfig(
        ...     root=Path("/srv"), points_url="clickhouse://ch/quark", points_retention=("team=90",)
        ... )
        >>> config.retention_days("team"), config.retention_days("vision")
        (90, None)
        """
        return dict(map(_days_of, self.points_retention)).get(workspace)

    @property
    def is_private(self) -> bool:
        """Whether user keys stay secret on their way: TLS, here or in a proxy, or no network."""
        return (
            self.tls_cert is not None
            or self.uds is not None
            or bool(self.behind_proxy)
            or _is_loopback(self.host)
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _days_of(rule: str) -> tuple[str, int]:
    workspace, _, days = rule.partition("=")
    if not workspace or not days.isdecimal() or not int(days):
        raise SettingsError(
            f"points_retention has {rule!r}, but must be WORKSPACE=DAYS with at least a day, such "
            "as team=90."
        )
    return workspace, int(days)


def _check_origin(text: str) -> None:
    if not _ORIGIN.fullmatch(text):
        raise SettingsError(
            f"cors_origins has {text!r}, but must have origins, such as https://lab.example.com or "
            "http://localhost:3000: no path, and no '*', as that would let every page in."
        )


def _check_network(text: str) -> None:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise SettingsError(
            f"behind_proxy names {text!r}, which is no address and no network such as 10.0.0.0/8."
        ) from error
