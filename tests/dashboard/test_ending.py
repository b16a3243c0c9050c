"""``quark ui`` ends by Ctrl-C without a word, also while it works something out."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from quark.storage.embedded import EmbeddedStore
from tests.storage.building import batch, run_record

#: Its one view takes longer than the dashboard waits when it is to end.
_SLOW = """
import threading
from quark.dashboard import app, routes

def slow(place, asked):
    print("under way", flush=True)
    threading.Event().wait(2.5)
    return {}

app.VIEWS = (routes.View("GET", "/slow", slow),)
from quark.cli.main import main
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are others there")
def test_who_presses_ctrl_c_while_a_view_is_worked_out_sees_no_fault(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path / ".quark")
    store.append(batch(1, 1, run_record()))
    store.close()
    command = [sys.executable, "-c", _SLOW, "ui", "--storage-dir", str(tmp_path), "--no-browser"]
    started = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    )
    try:
        assert started.stdout is not None
        found = re.search(r":(\d+)/ui/enter\?token=(\S+)", started.stdout.readline())
        assert found is not None
        with socket.create_connection(("127.0.0.1", int(found[1])), timeout=60) as line:
            cookie = f"Cookie: quark_ui_{found[1]}={found[2]}"
            line.sendall(
                f"GET /ui/api/slow HTTP/1.1\r\nHost: localhost\r\n{cookie}\r\n\r\n".encode()
            )
            assert started.stdout.readline() == "under way\n"

            started.send_signal(signal.SIGINT)
            _, said = started.communicate(timeout=60)
    finally:
        started.kill()
        started.communicate()

    assert (started.returncode, said) == (0, "Ctrl-C ends it.\n")
