"""``quark serve`` in a process of its own, to be killed, hindered and started again."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

import psutil

from quark.persistence.http_store import HttpStore
from quark.persistence.service_client import ServiceClient
from tests.support.ports import lasting_port

_COMMAND = (sys.executable, "-c", "from quark.cli.main import main; main()")
_START_SECONDS = 150.0


class ServiceProcess:
    """A service on one port and one root, however often it is started. Owns its process.

    ``prelude`` is Python that runs in the process before the service does: limits, for example.
    """

    def __init__(
        self,
        root: Path,
        *arguments: str,
        port: int | None = None,
        environment: Mapping[str, str] | None = None,
        prelude: str = "",
        log: Path | None = None,
    ) -> None:
        self.root = root
        self.port = port or lasting_port()
        self.arguments = arguments
        self.prelude = prelude
        self.log = log or root.parent / f"{root.name}.log"
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self.key: str | None = None

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def rss_bytes(self) -> int:
        """The memory that the process has now."""
        size: int = psutil.Process(self.pid).memory_info().rss
        return size

    def store(self, storage_dir: str | None = None, *, timeout_seconds: float = 120.0) -> HttpStore:
        """Return a store that speaks to it."""
        place = f"?storage_dir={storage_dir}" if storage_dir else ""
        return HttpStore(
            ServiceClient(f"{self.url}{place}", self.key, timeout_seconds=timeout_seconds)
        )

    def start(self) -> float:
        """Start it; return after how many seconds it answered."""
        if self.key is None:
            self.key = _first_key(self.root, self.arguments, self._environment)
        command = [*_COMMAND, "serve", "--root", str(self.root), "--port", str(self.port)]
        if self.prelude:
            program = f"{self.prelude}\nfrom quark.cli.main import main; main()"
            command = [sys.executable, "-c", program, *command[3:]]
        began = time.monotonic()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *self.arguments],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
            )
        wait_until(self._answers, seconds=_START_SECONDS, what="the service answers")
        return time.monotonic() - began

    def kill(self) -> None:
        """End it without warning."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self, *, seconds: float = 120.0) -> int:
        """Have it end in good order; return its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def wait(self, seconds: float) -> int:
        """Wait for its end; return its exit code."""
        assert self._process is not None
        return self._process.wait(seconds)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, such as SIGSTOP."""
        assert self._process is not None
        self._process.send_signal(number)

    def said(self) -> str:
        """Return what it wrote to its terminal."""
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def _answers(self) -> bool:
        assert self._process is not None
        code = self._process.poll()
        assert code is None, f"the service ended with {code}: {self.said()[-4000:]}"
        try:
            return ask(self.port, "/healthz", seconds=20)[0] < 500
        except OSError:
            return False


def ask(
    port: int, path: str, *, key: str | None = None, seconds: float = 60.0
) -> tuple[int, bytes]:
    """Return status and body of an answer, on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException as error:
        raise OSError(f"no answer: {error!r}") from error
    finally:
        connection.close()


def wait_until(
    condition: Callable[[], bool], *, seconds: float = 120.0, what: str = "it is so"
) -> None:
    """Look at a condition until it holds; fail after so long."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        pause.wait(0.02)


@contextlib.contextmanager
def small_disk(folder: Path, options: str) -> Iterator[Path | None]:
    """Mount a file system of its own on ``folder``; None where this machine does not let us."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    """Change the file system on ``folder``: its size, or whether it can be written."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def _first_key(root: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    engine = []
    if "--db" in arguments:
        engine = ["--db", arguments[arguments.index("--db") + 1]]
    command = [*_COMMAND, "admin", "bootstrap", "--root", str(root), *engine]
    done = subprocess.run(
        [*command, "--json", "--force-new-key"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=_START_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    key: str = json.loads(done.stdout)["user_key"]
    return key
