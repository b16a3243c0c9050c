"""``python -m benchmarks.payloads``: payloads up and down through a service, in MB/s.

One file, client, service and object store on this machine. The object stores are those of the
tests; what is not installed is left out.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.measure import table
from quark.persistence.http_blobs import HttpBlobs
from quark.persistence.service_client import ServiceClient
from quark.service.app import create_app
from quark.service.config import ServiceConfig
from quark.storage.folder_blobs import FolderBlobs
from tests.support.identity import first_key
from tests.support.processes import ServiceProcess
from tests.support.servers.moto import moto
from tests.support.servers.object_store import VARIABLES
from tests.support.servers.rclone import rclone

_MB = 1_000_000
_MIB = 1 << 20


def run(rounds: int, size_mib: int = 256) -> list[dict[str, Any]]:
    """Return one row for each place that payloads can be in; the best of the rounds."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="quark-bench-") as folder:
        rows.append(_folder_alone(Path(folder), rounds, size_mib))
        for place, arguments, direct in _places():
            rows.append(_row(Path(folder), place, arguments, direct, rounds, size_mib))
    return rows


def _places() -> Iterator[tuple[str, tuple[str, ...], bool]]:
    yield "service, folder", (), True
    for name, start in (("moto", moto), ("rclone", rclone)):
        try:
            server = start()
        except pytest.skip.Exception:
            continue
        for direct in (True, False):
            way = "straight to it" if direct else "through the service"
            url = server.url(f"bench-{name}-{direct}")
            yield f"service, {name}, {way}", ("--blobs", url), direct


def _row(
    folder: Path,
    place: str,
    arguments: tuple[str, ...],
    direct: bool,
    rounds: int,
    size_mib: int,
) -> dict[str, Any]:
    root = Path(tempfile.mkdtemp(dir=folder)) / "root"
    service = ServiceProcess(root, *arguments, environment=VARIABLES)
    app = create_app(ServiceConfig(root=root))
    service.key = first_key(app)
    app.state.service.close()
    up, down, again = [], [], []
    with service:
        client = ServiceClient(service.url, service.key, timeout_seconds=120)
        blobs = HttpBlobs(client, direct=direct)
        for number in range(rounds):
            path = _file(folder / f"payload-{number}", size_mib)
            began = time.perf_counter()
            sha256 = blobs.put_file(path).sha256
            up.append(time.perf_counter() - began)
            began = time.perf_counter()
            blobs.put_file(path)
            again.append(time.perf_counter() - began)
            began = time.perf_counter()
            blobs.copy_to(sha256, folder / "copy")
            down.append(time.perf_counter() - began)
            path.unlink()
        blobs.close()
        client.close()
    return _figures(place, size_mib, up, down, again)


def _folder_alone(folder: Path, rounds: int, size_mib: int) -> dict[str, Any]:
    blobs = FolderBlobs(folder / "alone")
    up, down, again = [], [], []
    for number in range(rounds):
        path = _file(folder / f"payload-{number}", size_mib)
        began = time.perf_counter()
        sha256 = blobs.put_file(path).sha256
        blobs.sync([sha256])
        up.append(time.perf_counter() - began)
        began = time.perf_counter()
        blobs.put_file(path)
        again.append(time.perf_counter() - began)
        began = time.perf_counter()
        blobs.copy_to(sha256, folder / "copy")
        down.append(time.perf_counter() - began)
        path.unlink()
    return _figures("no service, folder", size_mib, up, down, again)


def _figures(
    place: str, size_mib: int, up: list[float], down: list[float], again: list[float]
) -> dict[str, Any]:
    size_mb = size_mib * _MIB / _MB
    return {
        "payloads in": place,
        "up MB/s": round(size_mb / min(up)),
        "down MB/s": round(size_mb / min(down)),
        "again s": round(min(again), 2),
    }


def _file(path: Path, size_mib: int) -> Path:
    with path.open("wb") as file:
        for _ in range(size_mib):
            file.write(os.urandom(_MIB))
    return path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mib", type=int, default=256)
    chosen = parser.parse_args()
    print(table("Payloads through a service", run(chosen.rounds, chosen.mib)))
