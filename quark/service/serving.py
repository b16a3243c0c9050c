"""Runs the service: its socket, its processes, its signals.

The first SIGTERM or SIGINT lets requests that were begun end, stores what was taken in, and leaves
with 0. A second one ends at once; nothing that was acknowledged is lost by that.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import wait
from pathlib import Path
from types import FrameType
from typing import Any, cast

import uvicorn

from quark import jsonio
from quark._own_python import own_python
from quark.clock import SYSTEM_CLOCK
from quark.errors import SettingsError
from quark.service.app import create_app
from quark.service.config import ServiceConfig
from quark.service.config_sources import OPTIONS, load_config
from quark.service.guards.protocol import uvicorn_options
from quark.service.logs import JsonLog, follow_library_logs
from quark.service.metrics import WorkerMetrics
from quark.settings import environment

_BACKLOG = 2048
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_LOOK_SECONDS = 0.2
#: A worker that dies sooner than this, again and again, is not started again at once.
_RESTART_SECONDS = 1.0
#: What a worker may take to close everything after the last request's deadline.
_SLACK_SECONDS = 15.0
EXIT_KILLED = 1


def bind(config: ServiceConfig) -> socket.socket:
    """Return the socket to listen on.

    Raises:
        SettingsError: Its address is taken or not one of this machine.
    """
    if config.uds is not None:
        return _bind_unix(config.uds)
    try:
        family, _, _, _, address = socket.getaddrinfo(
            config.host, config.port, type=socket.SOCK_STREAM
        )[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return _listening(listener, address)
    except OSError as error:
        raise SettingsError(
            f"The service cannot listen on {config.host}, port {config.port}: {error.strerror}. "
            "Stop what listens there, or choose another --port or --host."
        ) from error


def _listening(listener: socket.socket, address: Any) -> socket.socket:
    try:
        listener.bind(address)
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def address_of(config: ServiceConfig, listener: socket.socket) -> str:
    """Return where clients reach the service, as QUARK_PERSISTENCE_URL has it."""
    if config.uds is not None:
        return f"unix:{config.uds}"
    scheme = "http" if config.tls_cert is None else "https"
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def run(config: ServiceConfig, listener: socket.socket, ready: Callable[[], None]) -> int:
    """Serve until told to stop; return the exit code.

    Args:
        ready: Called when requests are answered.
    """
    if config.workers == 1:
        return _serve(config, listener, ready)
    return _Workers(config, listener, ready).run()


class _Server(uvicorn.Server):
    """uvicorn's, which says when it is ready and leaves with 0 when it was told to."""

    def __init__(
        self, config: uvicorn.Config, ready: Callable[[], None], parent: int | None
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._parent = parent

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._parent is not None:
            asyncio.get_running_loop().add_reader(self._parent, self._parent_has_gone)
        if self.started:
            self._ready()

    def _parent_has_gone(self) -> None:
        assert self._parent is not None
        asyncio.get_running_loop().remove_reader(self._parent)
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            os._exit(EXIT_KILLED)
        self.should_exit = True  # and no more: what a signal interrupts may hold any lock

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take nothing new, answer what waits for changes, and let the rest end in its time."""
        self.config.app.state.service.begin_to_stop()  # type: ignore[union-attr]
        _notify("STOPPING=1")
        await super().shutdown(sockets)


def _serve(
    config: ServiceConfig,
    listener: socket.socket,
    ready: Callable[[], None],
    *,
    parent: int | None = None,
) -> int:
    """Serve in this process. ``parent``: a pipe whose end means that it has to stop."""
    app = create_app(config)
    follow_library_logs(app.state.service.log, "uvicorn", "uvicorn.error")
    server = _Server(uvicorn.Config(app, **_options(config)), ready, parent)
    server.run(sockets=[listener])
    code = 0 if server.started else EXIT_KILLED
    _leave_behind_requests(code)
    return code


def _leave_behind_requests(code: int) -> None:
    """End now if a thread still works on a request that was given up at the deadline.

    Python would wait for it, however long that takes; nobody reads the answer, and everything is
    closed.
    """
    others = set(threading.enumerate()) - {threading.main_thread()}
    if any(not thread.daemon for thread in others):
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _options(config: ServiceConfig) -> dict[str, Any]:
    return {
        **uvicorn_options(config),
        "proxy_headers": bool(config.behind_proxy),
        "forwarded_allow_ips": list(config.behind_proxy),
        "ssl_certfile": config.tls_cert,
        "ssl_keyfile": config.tls_key,
        "backlog": _BACKLOG,
    }


class _Worker:
    """A process that serves, and a line to it: it says once that it serves, and ends when we do."""

    def __init__(self, config: ServiceConfig, listener: socket.socket) -> None:
        self.line, other_end = socket.socketpair()
        with other_end:
            self.process = subprocess.Popen(
                own_python("quark.service.serving", str(listener.fileno())),
                stdin=other_end.fileno(),
                pass_fds=[listener.fileno()],
            )
        self.is_ready = False
        with contextlib.suppress(OSError):
            # Not as arguments, which everybody sees.
            self.line.sendall(jsonio.dumps(_as_flags(config)) + b"\n")

    def hear(self) -> None:
        """Take up what it said, or that it ended before it said anything."""
        try:
            self.is_ready = bool(self.line.recv(1))
        except OSError:
            self.is_ready = False
        if not self.is_ready:
            self.process.wait()


class _Workers:
    """Processes that share a listening socket. One that dies is replaced."""

    def __init__(
        self, config: ServiceConfig, listener: socket.socket, ready: Callable[[], None]
    ) -> None:
        self._config = config
        self._listener = listener
        self._ready = ready
        self._log = JsonLog()
        self._is_stopping = False
        # A signal handler may take no lock, so no event: what it interrupts may hold it.
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._workers: list[_Worker] = []

    def run(self) -> int:
        before = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        try:
            with WorkerMetrics() as metrics:
                while len(self._workers) < self._config.workers and not self._is_stopping:
                    self._workers.append(_Worker(self._config, self._listener))
                is_told = False
                while not self._is_stopping:
                    self._hear(_LOOK_SECONDS)
                    self._replace_dead(metrics)
                    if not is_told and all(worker.is_ready for worker in self._workers):
                        is_told = True
                        self._ready()
                self._hear(0)
                return self._end()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hear(self, seconds: float) -> None:
        """Take up what workers say within so long, or until a signal comes."""
        beginning = {worker.line: worker for worker in self._workers if not worker.is_ready}
        for heard in wait([self._wake_reader, *beginning], seconds):
            if heard is not self._wake_reader:
                beginning[cast(socket.socket, heard)].hear()

    def _replace_dead(self, metrics: WorkerMetrics) -> None:
        for number, worker in enumerate(self._workers):
            if self._is_stopping or worker.process.poll() is None:
                continue
            pid, code = worker.process.pid, worker.process.returncode
            self._log.line("worker died", level="error", pid=pid, code=code)
            worker.line.close()
            metrics.forget(pid)
            wait([self._wake_reader], _RESTART_SECONDS)
            if not self._is_stopping:
                self._workers[number] = _Worker(self._config, self._listener)

    def _end(self) -> int:
        for worker in self._workers:
            worker.process.terminate()
        deadline = SYSTEM_CLOCK.monotonic() + self._config.shutdown_timeout_seconds + _SLACK_SECONDS
        for worker in self._workers:
            process = worker.process
            try:
                process.wait(max(0.1, deadline - SYSTEM_CLOCK.monotonic()))
            except subprocess.TimeoutExpired:
                self._log.line("worker killed", level="error", pid=process.pid)
                process.kill()  # what it acknowledged is stored
                process.wait()
        # One that never served had nothing to end in good order.
        served = [worker.process for worker in self._workers if worker.is_ready]
        return EXIT_KILLED if any(process.returncode for process in served) else 0

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._is_stopping:
            for worker in self._workers:
                worker.process.kill()
            os._exit(EXIT_KILLED)
        self._is_stopping = True
        self._wake_writer.send(b"\0")


def _as_flags(config: ServiceConfig) -> dict[str, Any]:
    given = {}
    for option in OPTIONS:
        value = getattr(config.guards if option.of_guards else config, option.field)
        given[option.name] = str(value) if isinstance(value, Path) else value
    return given


def _bind_unix(path: Path) -> socket.socket:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()  # left behind by a process that was killed
        except FileNotFoundError:
            pass
        except OSError as error:
            raise SettingsError(f"{path} cannot be a socket: {error.strerror}.") from error
        else:
            raise SettingsError(f"Another process listens on {path}. Stop it, or name another.")
    try:
        listener = _listening(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), str(path))
        path.chmod(0o660)  # for a reverse proxy in the same group
    except OSError as error:
        raise SettingsError(f"{path} cannot be a socket: {error.strerror}.") from error
    return listener


def notify_ready() -> None:
    """Tell systemd, if it started this, that requests are answered."""
    _notify("READY=1")


def _notify(state: str) -> None:
    place = environment(("NOTIFY_SOCKET",)).get("NOTIFY_SOCKET")
    if not place:
        return
    address = "\0" + place[1:] if place.startswith("@") else place
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notifier,
    ):
        notifier.sendto(state.encode(), address)


def _be_worker(listener_fileno: int) -> int:
    flags = jsonio.loads(sys.stdin.buffer.readline())
    config = load_config({name: value for name, value in flags.items() if value != []})
    listener = socket.socket(fileno=listener_fileno)
    parent = sys.stdin.fileno()

    def tell() -> None:
        with contextlib.suppress(OSError):
            os.write(parent, b"\n")

    return _serve(config, listener, tell, parent=parent)


if __name__ == "__main__":
    sys.exit(_be_worker(int(sys.argv[1])))
