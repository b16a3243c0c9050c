"""``quark ui``: the dashboard of the runs of one folder, in a browser of this machine."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quark._optional import require
from quark.cli.output import Output, lines_of, object_of, with_output
from quark.errors import SessionStoreError, SettingsError
from quark.settings import environment

if TYPE_CHECKING:
    from quark.storage.protocols import Store

#: Where a desktop is, one of these is set; elsewhere a browser may be one that fills the terminal.
_DESKTOPS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
_BACKLOG = 128


@click.command(name="ui")
@click.option("--storage-dir", metavar="DIR", help="The folder that holds .quark.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Where it listens. [default: a free one]",
)
@click.option("--no-browser", is_flag=True, help="Print the address, and open nothing.")
@with_output(lines_of(object_of(address="string", storage_dir="string")))
def ui(storage_dir: str | None, port: int, no_browser: bool, out: Output) -> int:
    """Show the runs of a folder in a browser.

    Trainings may go on meanwhile: what they log is shown as it comes. Only who has the address that
    is printed gets in, and only from this machine; from another one, forward the port with ssh -L.

    \b
    quark ui
    quark ui --storage-dir /data/runs --port 8400 --no-browser
    """
    require("uvicorn", purpose="quark ui")
    require("starlette", purpose="quark ui")
    folder, store = _opened(storage_dir)
    try:
        with _bound(port) as listener:
            return _serve(store, folder, listener, out, opens_browser=not no_browser)
    finally:
        store.close()


def _opened(storage_dir: str | None) -> tuple[Path, Store]:
    from quark.cli.target import Place, existing_root
    from quark.persistence.open import is_service_url, open_store

    settings = Place(storage_dir).settings()
    if is_service_url(settings.persistence_url):
        raise SessionStoreError(
            f"Runs are kept by {settings.persistence_url}, which has a dashboard of its own: open "
            f"{str(settings.persistence_url).split('?')[0].rstrip('/')}/ui. For a folder, give "
            "--storage-dir."
        )
    folder = existing_root(settings).parent
    return folder, open_store(settings)


def _bound(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"The dashboard cannot listen on port {port}: {error.strerror}. Choose another --port, "
            "or leave it out for a free one."
        ) from error
    return listener


def _serve(
    store: Store, folder: Path, listener: socket.socket, out: Output, *, opens_browser: bool
) -> int:
    import uvicorn

    from quark.dashboard.local import LocalDesk, local_app

    port = listener.getsockname()[1]
    desk = LocalDesk(store, port=port)
    address = f"http://127.0.0.1:{port}/ui/enter?token={desk.token}"
    config = uvicorn.Config(
        local_app(desk),
        lifespan="off",
        ws="none",
        loop="asyncio",  # one person looks; it is there half a second sooner
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,
    )

    def ready() -> None:
        if out.as_json:
            out.line({"address": address, "storage_dir": str(folder)})
        else:
            out.text(f"Quark shows {folder} at {address}")
            out.note("Ctrl-C ends it.")
            sys.stdout.flush()

    with tempfile.TemporaryDirectory(prefix="quark-ui-") as private:
        door = Path(private) / "open.html" if opens_browser and _has_desktop() else None
        server = _server(uvicorn, config, ready, lambda: _open_browser(door, address))
        server.run(sockets=[listener])
    return 0


def _server(uvicorn: Any, config: Any, *ready: Callable[[], None]) -> Any:
    class Server(uvicorn.Server):  # type: ignore[misc]
        """uvicorn's, which says when it is ready, and ends with 0 by Ctrl-C."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            for tell in ready:
                tell()

        def handle_exit(self, sig: int, frame: Any) -> None:
            # What is still being worked out is given up; that is no fault to be told of.
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL + 1)
            self.should_exit = True

    return Server(config)


def _has_desktop() -> bool:
    return sys.platform in ("darwin", "win32") or any(environment(_DESKTOPS).values())


def _open_browser(door: Path | None, address: str) -> None:
    """Open the address by way of a file that only this user can read: what a process is started
    with, all users of the machine can."""
    if door is None:
        return
    door.touch(mode=0o600)
    door.write_text(
        f'<!doctype html><meta http-equiv="refresh" content="0; url={address}">'
        f'<a href="{address}">Quark</a>',
        encoding="utf-8",
    )
    subprocess.Popen(
        [sys.executable, "-m", "webbrowser", "-t", door.as_uri()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
