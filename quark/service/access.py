"""Who asks, for which workspace, and what they may do there.

Whether a user key is good at all, the door has looked at (``guards/door.py``). A route says what
it needs by a dependency; without one it still sees only callers with a good key.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import unquote

from fastapi import Header, Path, Request, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from quark.persistence.wire import OWN_WORKSPACE, STORAGE_DIR_HEADER
from quark.service.guards.door import CALLER, actor_of, refused
from quark.service.identity.engine import Identity
from quark.service.identity.model import Actor, Caller, Scope
from quark.service.state import state_of
from quark.service.stores import StoreKey, check_storage_dir
from quark.storage.protocols import Store

ScopeName = Literal["read", "write", "admin"]

_BEARER = HTTPBearer(
    scheme_name="user key", description="A user key, as in QUARK_USER_KEY.", auto_error=False
)
#: Only for the OpenAPI document: the door has read the key already.
_Key = Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)]

WorkspaceName = Annotated[
    str,
    Path(
        description="The workspace's name; `-` is the one that the key belongs to.",
        examples=[OWN_WORKSPACE, "team"],
    ),
]
_StorageDir = Annotated[
    str,
    Header(
        alias=STORAGE_DIR_HEADER,
        description="Which store below the workspace, as a path; percent-encoded. Left out: the "
        "workspace's own.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A request that was let through: whose it is, and the store that it may use."""

    caller: Caller
    workspace: str
    storage_dir: str
    store: Store
    identity: Identity
    actor: Actor

    def note(self, action: str, **detail: Any) -> None:
        """Put what is done into the workspace's audit log, such as ``"run.delete"``. Waits for
        the store, so not from an ``async`` route."""
        if self.storage_dir:
            detail = {"storage_dir": self.storage_dir, **detail}
        self.identity.audit.record(action, self.actor, workspace=self.workspace, detail=detail)


def needs(scope: ScopeName) -> Callable[..., Awaitable[Access]]:
    """Return a dependency that lets a request through if its key has ``scope`` in ``{workspace}``.

    Raises, in the request:
        PermissionDeniedError: The key is of another workspace, which may exist or not, or its
            scope is too small.
        SchemaValidationError: The header that chooses the store is not valid.
    """
    needed = Scope(scope)

    async def access(
        request: Request,
        workspace: WorkspaceName,
        _key: _Key = None,
        storage_dir: _StorageDir = "",
    ) -> Access:
        state = state_of(request)
        caller = caller_of(request)
        if workspace not in (OWN_WORKSPACE, caller.workspace):
            raise await _refused(
                request, "another workspace", "The user key is not one of this workspace."
            )
        await check_scope(request, needed)
        # In its one spelling, so that nothing takes one store for two.
        key = StoreKey(caller.workspace, check_storage_dir(unquote(storage_dir)))
        store = state.stores.find(key)
        if store is None:
            store = await run_in_threadpool(state.stores.get, key)
        return Access(
            caller=caller,
            workspace=caller.workspace,
            storage_dir=key.storage_dir,
            store=store,
            identity=state.identity,
            actor=actor_of(request.scope),
        )

    access.__dict__["needed"] = needed  # what tests of all routes look for
    return access


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Who decides about identity, and about whose: of one workspace, or of the whole service."""

    caller: Caller
    identity: Identity
    actor: Actor


async def signed_in(request: Request, _key: _Key = None) -> Seat:
    """Let every good key through: a dependency of what concerns the caller alone."""
    return Seat(
        caller=caller_of(request),
        identity=state_of(request).identity,
        actor=actor_of(request.scope),
    )


async def rules_service(request: Request, _key: _Key = None) -> Seat:
    """Let service administrators through, with a key whose scope is ``admin``."""
    seat = await signed_in(request)
    if not seat.caller.rules_service:
        raise await _refused(
            request,
            "no service administrator",
            "This needs a service administrator, and a user key with the scope 'admin'.",
        )
    return seat


async def watches_service(request: Request, _key: _Key = None) -> None:
    """Let service administrators through, whatever their key's scope: a dependency of what is
    counted over all workspaces. Everybody, where the configuration makes that public."""
    if state_of(request).config.metrics_public:
        return
    if not caller_of(request).service_admin:
        raise await _refused(
            request, "no service administrator", "This needs a key of a service administrator."
        )


async def rules_workspace(request: Request, workspace: WorkspaceName, _key: _Key = None) -> str:
    """Let admins of ``{workspace}`` and service administrators through; return its name."""
    return await _deciding(request, workspace, Scope.ADMIN)


async def belongs_to_workspace(
    request: Request, workspace: WorkspaceName, _key: _Key = None
) -> str:
    """Let members of ``{workspace}`` and service administrators through; return its name."""
    return await _deciding(request, workspace, Scope.READ)


async def _deciding(request: Request, workspace: str, scope: Scope) -> str:
    caller = caller_of(request)
    name = caller.workspace if workspace == OWN_WORKSPACE else workspace
    if name != caller.workspace and not caller.rules_service:
        raise await _refused(
            request, "another workspace", "The user key is not one of this workspace."
        )
    await check_scope(request, scope)
    if name != caller.workspace:
        await run_in_threadpool(state_of(request).identity.directory.workspace, name)
    return name


async def check_scope(request: Request, needed: Scope) -> None:
    """Refuse a caller whose key, or role, does not allow ``needed``.

    Raises:
        PermissionDeniedError: It does not.
    """
    caller = caller_of(request)
    if not caller.scope.includes(needed):
        raise await _refused(
            request,
            f"scope {needed.value}",
            f"This needs the scope {needed.value!r}; the user key {caller.key_id} of "
            f"{caller.user!r}, who is {caller.role.value} of the workspace, has "
            f"{caller.scope.value!r}.",
        )


def caller_of(request: Request) -> Caller:
    """Return whose key a request has."""
    caller: Caller = request.scope[CALLER]
    return caller


async def _refused(request: Request, reason: str, message: str) -> Exception:
    identity = state_of(request).identity
    return await run_in_threadpool(refused, reason, message, identity, request.scope)
