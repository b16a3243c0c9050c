"""moto's server: Amazon's API in one process, objects in memory. One for each pytest process."""

from __future__ import annotations

import functools
import importlib.util
import sys
import tempfile
from pathlib import Path

import httpx
import pytest

from tests.support.ports import lasting_port
from tests.support.servers.object_store import BUCKET, ObjectStoreServer
from tests.support.servers.process import listens, start


@functools.cache
def moto() -> ObjectStoreServer:
    """Return the server, started by the first call."""
    if importlib.util.find_spec("moto") is None or importlib.util.find_spec("obstore") is None:
        pytest.skip('moto and obstore are not installed: pip install "moto[server,s3]" obstore')
    port = lasting_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    log = Path(tempfile.gettempdir()) / f"quark-moto-{port}.log"
    process = start(command, log, lambda: listens(port))
    endpoint = f"http://127.0.0.1:{port}"
    httpx.put(f"{endpoint}/{BUCKET}", timeout=60).raise_for_status()
    return ObjectStoreServer(endpoint, process.pid)
