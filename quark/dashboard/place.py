"""Whose dashboard it is: the store that a request may see, and what it may do there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from quark.dashboard.judging import ChildJudge, Judge
from quark.dashboard.writing import RunWriter, StoreWriter

if TYPE_CHECKING:
    from starlette.requests import Request

    from quark.dashboard.asked import Asked
    from quark.storage.protocols import Store


class Elsewhere(Protocol):
    """Answers heavy views of one store in another process, so that this one stays quick."""

    def answer(self, path: str, asked: Asked) -> bytes | None:
        """Return the JSON that the view of this path answers; None if it is answered here.

        Raises:
            QuarkError: What the view raised, or why it was given up.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A request that was let through.

    Args:
        user: Who looks.
        may_write: Whether they may change runs.
        kind: ``"local"`` for ``quark ui``, ``"service"`` behind a login.
        writer: How runs are changed; into the store itself if left out.
        judge: What analyses runs; a process of its own on this machine if left out.
        expires_at: When the login ends, ISO 8601; None if it does not.
        elsewhere: What answers heavy views; this process if left out.
    """

    store: Store
    workspace: str
    storage_dir: str
    user: str
    may_write: bool
    kind: Literal["local", "service"]
    writer: RunWriter | None = None
    judge: Judge | None = None
    expires_at: str | None = None
    elsewhere: Elsewhere | None = None

    @property
    def writing(self) -> RunWriter:
        """What changes runs here."""
        return self.writer or StoreWriter(self.store)

    @property
    def judging(self) -> Judge:
        """What analyses runs here."""
        return self.judge or ChildJudge(self.store)


class Desk(Protocol):
    """Lets requests to the dashboard's JSON in, or not."""

    async def place(self, request: Request) -> Place:
        """Return the place that a request may see.

        Raises:
            AuthenticationError: It has to log in first.
            PermissionDeniedError: It may not see what it asks for.
            SchemaValidationError: It names a store that cannot be.
        """
        ...
