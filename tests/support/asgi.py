"""A service in this process and without a port: requests go straight into the application."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

import httpx
from fastapi import FastAPI

ADDRESS = "192.0.2.1"


class InProcess:
    """Sends requests to an application, with a key if one is given. Owns an event loop."""

    def __init__(self, app: FastAPI, key: str | None = None, *, address: str = ADDRESS) -> None:
        self.app = app
        self.key = key
        self._address = address
        self._runner = asyncio.Runner()

    def __enter__(self) -> InProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._runner.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        address: str | None = None,
        forgiving: bool = False,
        **what: Any,
    ) -> httpx.Response:
        """Return the answer to one request.

        Args:
            key: In the place of the client's own.
            forgiving: Return the answer also where the application raised, as a server would.
        """
        given = dict(headers or {})
        if key or self.key:
            given.setdefault("Authorization", f"Bearer {key or self.key}")
        transport = httpx.ASGITransport(
            self.app,
            client=(address or self._address, 1234),
            raise_app_exceptions=not forgiving,
        )

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=transport, base_url="http://quark") as client:
                return await client.request(method, path, headers=given, **what)

        return self._runner.run(ask())

    def get(self, path: str, **what: Any) -> httpx.Response:
        """Return the answer to a GET."""
        return self.request("GET", path, **what)

    def post(self, path: str, **what: Any) -> httpx.Response:
        """Return the answer to a POST."""
        return self.request("POST", path, **what)
