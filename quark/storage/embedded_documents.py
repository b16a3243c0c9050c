"""Documents in ``documents.db``. Unlike ``index.db``, this file cannot be made again: it is the
only place where they rest."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from quark import jsonio
from quark.storage.documents import Document, DocumentChange, check_expected, encoded
from quark.storage.sqlite_file import SqliteFile
from quark.storage.sqlite_open import Schema

DOCUMENTS_SCHEMA = Schema(
    "documents",
    (
        (
            "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
            "CREATE TABLE document (kind TEXT NOT NULL, name TEXT NOT NULL, "
            "revision INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, name))",
            "CREATE INDEX document_by_revision ON document (kind, revision)",
            "INSERT INTO meta (name, value) VALUES ('revision', '0')",
        ),
    ),
)

_PUT = "INSERT OR REPLACE INTO document VALUES (?, ?, ?, CAST(? AS TEXT))"


class EmbeddedDocuments:
    """A :class:`~quark.storage.protocols.DocumentStore` in one SQLite file. Owns its connections.

    The file is made by the first change.
    """

    def __init__(self, path: Path, check_open: Callable[[], None], *, synced: bool = False) -> None:
        self._file = SqliteFile(path, DOCUMENTS_SCHEMA, synced=synced)
        self._check_open = check_open

    def get(self, kind: str, name: str) -> Document | None:
        return next(self._each("kind = ? AND name = ?", (kind, name)), None)

    def list(self, kind: str, prefix: str = "", *, after: int = 0) -> tuple[Document, ...]:
        return tuple(self.scan(kind, prefix, after=after))

    def scan(self, kind: str, prefix: str = "", *, after: int = 0) -> Iterator[Document]:
        condition = "kind = ? AND name >= ? AND substr(name, 1, ?) = ? AND revision > ?"
        return self._each(condition, (kind, prefix, len(prefix), prefix, after))

    def apply(self, changes: Sequence[DocumentChange]) -> tuple[Document | None, ...]:
        self._check_open()
        bodies = [encoded(change) for change in changes]
        if not changes:
            return ()
        with self._file.writing(create=True) as connection:
            revision = int(
                connection.execute("SELECT value FROM meta WHERE name = 'revision'").fetchone()[0]
            )
            results: list[Document | None] = []
            for change, body in zip(changes, bodies, strict=True):
                check_expected(change, _revision(connection, change))
                if body is None:
                    connection.execute(
                        "DELETE FROM document WHERE kind = ? AND name = ?", change[:2]
                    )
                    results.append(None)
                    continue
                revision += 1
                connection.execute(_PUT, (change.kind, change.name, revision, body))
                results.append(Document(change.kind, change.name, revision, jsonio.loads(body)))
            connection.execute(
                "UPDATE meta SET value = ? WHERE name = 'revision'", (str(revision),)
            )
        return tuple(results)

    def close(self) -> None:
        """Release the connections."""
        self._file.close()

    def _each(self, condition: str, values: tuple[str | int, ...]) -> Iterator[Document]:
        self._check_open()
        sql = f"SELECT kind, name, revision, body FROM document WHERE {condition} ORDER BY name"
        try:
            with self._file.reading() as connection:
                for kind, name, revision, body in connection.execute(sql, values):
                    yield Document(kind, name, revision, jsonio.loads(body))
        except FileNotFoundError:
            return


def _revision(connection: sqlite3.Connection, change: DocumentChange) -> int | None:
    row = connection.execute(
        "SELECT revision FROM document WHERE kind = ? AND name = ?", change[:2]
    ).fetchone()
    return None if row is None else int(row[0])
