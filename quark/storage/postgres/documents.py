"""Documents in PostgreSQL. Who changes one holds its namespace's row, so revisions only grow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from quark import jsonio
from quark.storage.documents import Document, DocumentChange, check_expected, encoded
from quark.storage.postgres.engine import PostgresEngine
from quark.storage.postgres.stored_text import storable

_SELECT = (
    "SELECT d.kind, d.name, d.revision, d.body FROM quark.document d "
    "JOIN quark.namespace n ON n.id = d.namespace_id WHERE n.name = %s AND d.kind = %s AND "
)
_PUT = """
INSERT INTO quark.document (namespace_id, kind, name, revision, body)
SELECT %s::bigint, * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::text[])
ON CONFLICT (namespace_id, kind, name)
DO UPDATE SET revision = excluded.revision, body = excluded.body
"""
_REMOVE = """
DELETE FROM quark.document WHERE namespace_id = %s
AND (kind, name) IN (SELECT * FROM unnest(%s::text[], %s::text[]))
"""

#: Documents that a look at many of them holds; each may have 16 MiB.
_AT_ONCE = 16

_State = tuple[int, bytes] | None  # revision and body; None: not there


class PostgresDocuments:
    """A :class:`~quark.storage.protocols.DocumentStore` of one namespace."""

    def __init__(
        self, engine: PostgresEngine, namespace: str, check_open: Callable[[], None]
    ) -> None:
        self._engine = engine
        self._namespace = namespace
        self._check_open = check_open

    def get(self, kind: str, name: str) -> Document | None:
        found = self._documents("d.name = %s", kind, name)
        return found[0] if found else None

    def list(self, kind: str, prefix: str = "", *, after: int = 0) -> tuple[Document, ...]:
        condition = "d.name >= %s AND starts_with(d.name, %s) AND d.revision > %s"
        return self._documents(f"{condition} ORDER BY d.name", kind, prefix, prefix, after)

    def scan(self, kind: str, prefix: str = "", *, after: int = 0) -> Iterator[Document]:
        self._check_open()
        if any("\0" in text or not storable(text) for text in (kind, prefix)):
            return
        condition = "d.name >= %s AND starts_with(d.name, %s) AND d.revision > %s "
        behind, last = "AND d.name > %s ", list[str]()
        with self._engine.reading() as connection:
            while True:
                rows = connection.ask(
                    f"{_SELECT}{condition}{behind if last else ''}ORDER BY d.name LIMIT {_AT_ONCE}",
                    (self._namespace, kind, prefix, prefix, after, *last),
                ).fetchall()
                for kind_found, name, revision, body in rows:
                    yield Document(kind_found, name, revision, jsonio.loads(body))
                if len(rows) < _AT_ONCE:
                    return
                last = [rows[-1][1]]

    def apply(self, changes: Sequence[DocumentChange]) -> tuple[Document | None, ...]:
        self._check_open()
        bodies = [encoded(change) for change in changes]
        if not changes:
            return ()
        namespace_id = self._engine.namespace_id(self._namespace, create=True)
        with self._engine.writing() as connection:
            ((revision,),) = connection.ask(
                "SELECT document_revision FROM quark.namespace WHERE id = %s FOR NO KEY UPDATE",
                (namespace_id,),
            ).fetchall()
            places = [(change.kind, change.name) for change in changes]
            rows = connection.ask(
                "SELECT kind, name, revision FROM quark.document WHERE namespace_id = %s "
                "AND (kind, name) IN (SELECT * FROM unnest(%s::text[], %s::text[]))",
                (namespace_id, *_columns(places, 2)),
            ).fetchall()
            revisions: dict[tuple[str, str], int] = {(row[0], row[1]): row[2] for row in rows}
            states: dict[tuple[str, str], _State] = {}
            results: list[Document | None] = []
            for change, place, body in zip(changes, places, bodies, strict=True):
                check_expected(change, revisions.get(place))
                if body is None:
                    revisions.pop(place, None)
                    states[place] = None
                    results.append(None)
                    continue
                revision += 1
                revisions[place] = revision
                states[place] = (revision, body)
                results.append(Document(*place, revision, jsonio.loads(body)))
            kept = [
                (*place, state[0], state[1].decode()) for place, state in states.items() if state
            ]
            gone = [place for place, state in states.items() if state is None]
            if kept:
                connection.ask(_PUT, (namespace_id, *_columns(kept, 4)))
            if gone:
                connection.ask(_REMOVE, (namespace_id, *_columns(gone, 2)))
            connection.ask(
                "UPDATE quark.namespace SET document_revision = %s WHERE id = %s",
                (revision, namespace_id),
            )
        return tuple(results)

    def _documents(self, condition: str, kind: str, *values: Any) -> tuple[Document, ...]:
        self._check_open()
        texts = [text for text in (kind, *values) if isinstance(text, str)]
        if any("\0" in text or not storable(text) for text in texts):
            return ()  # no document can be called that
        rows = self._engine.ask(_SELECT + condition, (self._namespace, kind, *values))
        return tuple(
            Document(kind, name, revision, jsonio.loads(body))
            for kind, name, revision, body in rows
        )


def _columns(rows: Sequence[Sequence[Any]], count: int) -> list[list[Any]]:
    return [[row[place] for row in rows] for place in range(count)]
