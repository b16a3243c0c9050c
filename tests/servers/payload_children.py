"""Senders and readers of payloads in processes of their own, which say what they took.

``python -m tests.servers.payload_children ACTION URL KEY FILE``
"""

from __future__ import annotations

import hashlib
import io
import sys
from pathlib import Path

import psutil

from quark.persistence.http_blobs import HttpBlobs
from quark.persistence.service_client import ServiceClient


def rss_bytes() -> int:
    size: int = psutil.Process().memory_info().rss
    return size


def peak_bytes() -> int:
    """The most memory that this process ever had."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def main(action: str, url: str, key: str, path: str) -> None:
    client = ServiceClient(url, key, timeout_seconds=60)
    blobs = HttpBlobs(client)
    blobs.exists("0" * 64)  # what is imported for the first request is no growth
    began = rss_bytes()
    if action == "put_file":
        sha256 = blobs.put_file(Path(path)).sha256
    elif action == "put_stream":
        with open(path, "rb") as file:
            sha256, _ = blobs.put(io.BufferedReader(file.raw))
    else:
        with open(path, "rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        blobs.copy_to(sha256, Path(f"{path}.copy"))
    print(sha256, peak_bytes() - began, flush=True)
    blobs.close()
    client.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
