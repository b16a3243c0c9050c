"""chdb, ClickHouse's engine of today, behind HTTP in a process of its own.

It is large, so it may live in another environment: ``QUARK_TEST_CHDB_PYTHON`` names its Python.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.ports import lasting_port
from tests.support.servers.clickhouse import ClickHouseServers
from tests.support.servers.process import listens, start

_PROGRAM = Path(__file__).with_name("chdb_program.py")


@functools.cache
def chdb() -> ClickHouseServers:
    """Return the server, started by the first call."""
    python = os.environ.get("QUARK_TEST_CHDB_PYTHON") or sys.executable
    probe = "import importlib.util as u; raise SystemExit(u.find_spec('chdb') is None)"
    if subprocess.run([python, "-c", probe], check=False).returncode:
        pytest.skip(
            f"chdb is not installed for {python}: pip install chdb, in an environment of its own "
            "(889 MB), and name its Python in QUARK_TEST_CHDB_PYTHON"
        )
    folder = Path(tempfile.mkdtemp(prefix="quark-chdb-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)  # runs after the server's end
    port = lasting_port()
    command = [python, "-I", str(_PROGRAM), str(folder), str(port)]
    start(command, folder / "terminal.log", lambda: listens(port))
    return ClickHouseServers(f"127.0.0.1:{port}")
