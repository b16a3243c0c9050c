"""chdb, ClickHouse's engine as a library, behind HTTP: ``python chdb_program.py FOLDER PORT``.

Run by whatever Python has chdb, in a process of its own, with nothing else installed: one engine
locks its folder. One request at a time; there are no sessions, users or compression.
"""

from __future__ import annotations

import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from chdb.session import Session  # type: ignore[import-not-found]

_STATUS_OF = {60: 404, 81: 404, 62: 400}


class Requests(BaseHTTPRequestHandler):
    """Takes what a ClickHouse server takes: a query in the address or the body."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    session: Any
    folder: str
    lock = threading.Lock()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        query = parse_qs(urlsplit(self.path).query).get("query", [""])[0]
        try:
            with self.lock:
                self._answer(200, self._run(query, body) if query else self._run(body.decode()))
        except Exception as error:
            found = re.search(r"Code: (\d+)", str(error))
            code = int(found[1]) if found else 1002
            self._answer(_STATUS_OF.get(code, 500), str(error).encode(), code)

    def _run(self, sql: str, inserted: bytes | None = None) -> bytes:
        if inserted is not None:  # the library takes no more than 256 KiB within a query
            path = Path(self.folder, "inserted")
            path.write_bytes(inserted)
            sql = re.sub(r" FORMAT (\w+)$", rf" FROM INFILE '{path}' FORMAT \1", sql)
        result = self.session.query(sql, "TabSeparated")
        return bytes(result.bytes()) if result is not None else b""

    def do_GET(self) -> None:
        self._answer(200, b"Ok.\n")

    def _answer(self, status: int, body: bytes, code: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if code is not None:
            self.send_header("X-ClickHouse-Exception-Code", str(code))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def main(folder: str, port: int) -> None:
    Requests.folder = folder
    Requests.session = Session(folder)
    server = ThreadingHTTPServer(("127.0.0.1", port), Requests)
    server.daemon_threads = True
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
