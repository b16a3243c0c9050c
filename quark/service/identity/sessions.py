"""Logins of people who look at runs in a browser: user keys that soon end by themselves.

Whoever logs in shows a user key, which the browser does not keep. It gets another one, of the same
person and workspace, that is refused after half a day, or earlier where the key that was shown is:
because that expires, or was revoked. It is revoked, listed and audited as every key. Pages look at
runs and change them, so it may no more than that, and decides about nobody.
"""

from __future__ import annotations

from quark.clock import Clock
from quark.service.identity.keys import KeyRing
from quark.service.identity.model import Actor, Caller, IssuedKey, Scope

SESSION_LABEL = "dashboard"
SESSION_HOURS = 12
#: Logins that one person may have at once in a workspace; a further one ends the oldest.
MAX_SESSIONS = 20

_HOUR_US = 3_600_000_000


def begin_session(keys: KeyRing, caller: Caller, clock: Clock, *, by: Actor) -> IssuedKey:
    """Issue a session's key to somebody whose own key was looked at.

    Raises:
        DocumentConflictError: They were disabled just now.
        IdentityNotFoundError: They or their workspace are gone.
        PermissionDeniedError: Their role does not allow the key's scope any more.
    """
    now_us = clock.time_us()
    expires_us = now_us + SESSION_HOURS * _HOUR_US
    if caller.expires_us is not None:
        expires_us = min(expires_us, caller.expires_us)
    _tidy(keys, caller, now_us, by)
    return keys.issue(
        user=caller.user,
        workspace=caller.workspace,
        scope=Scope.WRITE if caller.scope.includes(Scope.WRITE) else Scope.READ,
        label=SESSION_LABEL,
        expires_us=expires_us,
        may_rule_service=False,
        session_of=caller.key_id,
        by=by,
    )


def _tidy(keys: KeyRing, caller: Caller, now_us: int, by: Actor) -> None:
    """Forget sessions that are over, and end the oldest of too many."""
    found = [
        key
        for key in keys.keys(caller.workspace, caller.user)
        if key.label == SESSION_LABEL
        and not key.may_rule_service
        and key.expires_us is not None
        and key.expires_us - key.created_us <= SESSION_HOURS * _HOUR_US
    ]
    over = [key.key_id for key in found if key.expires_us is not None and key.expires_us <= now_us]
    if over:
        keys.remove(over, workspace=caller.workspace, by=by)
    living = [key for key in found if key.key_id not in over and key.revoked_us is None]
    for key in living[: max(0, len(living) - MAX_SESSIONS + 1)]:
        keys.revoke(key.key_id, by=by)
