"""A PostgreSQL server of the tests' own: on loopback, in a temporary folder, gone at the end.

It asks for a password, as a real one does, and refuses to be started by root, so it runs as the
user that Debian's package makes. Data written is handed to the kernel but not forced to the disk:
the tests kill the server, not the machine.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.ports import lasting_port

APT = "apt-get install postgresql-15"
OLDEST = 15
USER, PASSWORD = "quark", "pass:w%rd@/"
_READY_SECONDS = 120.0


class PostgresqlServer:
    """One server. ``close`` stops it and removes what it wrote."""

    def __init__(self, binaries: Path, folder: Path | None = None) -> None:
        self._binaries = binaries
        self.folder = Path(tempfile.mkdtemp(prefix="quark-pg-")) if folder is None else folder
        self._owns_folder = folder is None
        self._data = self.folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._database_count = 0
        self.port = lasting_port()
        self._initialise()
        self.start()

    def url(self, database: str = "postgres", *, password: str = PASSWORD) -> str:
        """Return how to connect."""
        return f"postgresql://{USER}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    @property
    def credentials(self) -> str:
        """The part of every URL that says who connects."""
        return f"{USER}:{quote(PASSWORD, safe='')}"

    def new_database(self, options: str = "") -> str:
        """Make an empty database and return its URL."""
        import psycopg

        self._database_count += 1
        name = f"quark_{self._database_count}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} {options}".encode())
        return self.url(name)

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [
            *_as_nobody_special(),
            *(str(self._binaries / "postgres"), "-D", str(self._data), "-p", str(self.port)),
            *("-k", str(self.folder), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"),
            *("-c", "shared_buffers=64MB", "-c", "max_connections=200"),
        ]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self._wait_until_ready()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: by default orderly; at once, as a crash would, with ``SIGQUIT``."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait(60)

    def pause(self) -> None:
        """Let it answer nobody, without any connection being closed."""
        for pid in self._pids():
            os.kill(pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        for pid in self._pids():
            os.kill(pid, signal.SIGCONT)

    def close(self) -> None:
        self.stop()
        if self._owns_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _initialise(self) -> None:
        secret = self.folder / "password"
        secret.write_text(PASSWORD + "\n")
        secret.chmod(0o644)
        self.folder.chmod(0o755)
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        subprocess.run(
            [
                *_as_nobody_special(),
                *(str(self._binaries / "initdb"), "-D", str(self._data), "-U", USER),
                *("-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--locale=C", "-N"),
            ],
            check=True,
            capture_output=True,
        )

    def _wait_until_ready(self) -> None:
        import psycopg

        waiting = threading.Event()
        for _ in range(int(_READY_SECONDS / 0.05)):
            assert self._process is not None
            if self._process.poll() is not None:
                raise AssertionError((self.folder / "log").read_text()[-2000:])
            try:
                psycopg.connect(self.url(), connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                waiting.wait(0.05)
        raise AssertionError(f"PostgreSQL does not answer: {(self.folder / 'log').read_text()}")

    def _pids(self) -> list[int]:
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return [self._process.pid, *map(int, children.read_text().split())]


@functools.cache
def shared_server() -> PostgresqlServer:
    """Return the server of this test process; it is started when it is first asked for."""
    server = PostgresqlServer(find_binaries())
    atexit.register(server.close)
    return server


@contextmanager
def own_server() -> Iterator[PostgresqlServer]:
    """Give a server that a test may stop, starve and kill."""
    server = PostgresqlServer(find_binaries())
    try:
        yield server
    finally:
        server.close()


def find_binaries() -> Path:
    """Return the folder of the newest server that is installed; skip the test if there is none."""
    pytest.importorskip("psycopg")
    pytest.importorskip("sqlalchemy")
    folders = sorted(
        (int(folder.parent.name), folder)
        for folder in Path("/usr/lib/postgresql").glob("*/bin")
        if folder.parent.name.isdigit() and (folder / "initdb").exists()
    )
    on_path = shutil.which("initdb")
    if on_path is not None:
        folders.append((OLDEST, Path(on_path).resolve().parent))
    if not folders or folders[-1][0] < OLDEST:
        pytest.skip(f"no PostgreSQL {OLDEST} or newer is installed: {APT}")
    if os.getuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip(
            "PostgreSQL refuses root, and setpriv is not installed: apt-get install util-linux"
        )
    return folders[-1][1]


def _as_nobody_special() -> list[str]:
    """Return what runs a command as somebody who is not root, and ends it with this process."""
    if os.getuid() != 0:
        return []
    user = ["--reuid=postgres", "--regid=postgres", "--clear-groups"]
    return ["setpriv", *user, "--pdeathsig=INT", "--"]
