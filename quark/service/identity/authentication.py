"""Whose key is this, and what may it do now?

What was read is kept in memory and holds as long as the epoch of identity is the same, which is
looked up once a second: a process that revokes a key refuses it at once, all others within that
second, and a service under load reads one small document a second for all its callers together.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass

from quark.clock import Clock, format_timestamp
from quark.errors import AuthenticationError, PermissionDeniedError, SessionStoreError
from quark.service.identity.changes import IdentityChanges
from quark.service.identity.directory import Directory
from quark.service.identity.key_text import NO_SECRET, KeyText, matches, read_key_text
from quark.service.identity.keys import KEY_KIND, KeyRing, user_key
from quark.service.identity.model import Caller, Scope, UserKey
from quark.storage.protocols import DocumentStore

EPOCH_HOLDS_SECONDS = 1.0
USE_NOTED_EVERY_SECONDS = 60.0
MAX_REMEMBERED = 10_000

#: The same whether the key's id is unknown or its secret wrong: who guesses learns nothing.
NOT_VALID = (
    "The user key is not valid. Set QUARK_USER_KEY to a key of this service as it was shown when "
    "it was issued; 'quark admin key issue' makes a new one."
)


class KeyRefusedError(AuthenticationError):
    """A key whose secret is right, but that is not accepted any more."""

    def __init__(self, message: str, key: Caller | UserKey) -> None:
        super().__init__(message)
        self.key_id = key.key_id
        self.user = key.user
        self.workspace = key.workspace


@dataclass(slots=True)
class _Remembered:
    caller: Caller
    use_noted_seconds: float | None = None  # on the monotonic clock


class Authentication:
    """Checks keys. Threads may share it; each process has its own."""

    def __init__(
        self,
        documents: DocumentStore,
        clock: Clock,
        directory: Directory,
        keys: KeyRing,
    ) -> None:
        self._documents = documents
        self._clock = clock
        self._directory = directory
        self._keys = keys
        self._lock = threading.Lock()
        self._callers: dict[bytes, _Remembered] = {}
        self._good: OrderedDict[bytes, None] = OrderedDict()
        self._generation = 0
        self._epoch = -1
        self._epoch_read_seconds: float | None = None

    def remembered(self, text: str) -> Caller | None:
        """Return the caller if that is known without asking the store. Never waits."""
        read = self._epoch_read_seconds
        now = self._clock.monotonic()
        if read is None or now - read >= EPOCH_HOLDS_SECONDS:
            return None
        found = self._callers.get(_name(text))
        if found is None or self._has_expired(found.caller) or self._use_is_due(found, now):
            return None
        return found.caller

    def was_good(self, text: str) -> bool:
        """Say whether the key was accepted by this process when it was last used."""
        return _name(text) in self._good

    def authenticate(self, text: str, changes: IdentityChanges) -> Caller:
        """Return whose key ``text`` is and what it may do now.

        Raises:
            AuthenticationError: It is no key, or none that is accepted (any more).
            PermissionDeniedError: Its user is no member of its workspace any more.
            SessionStoreError: The store cannot answer now.
        """
        key_text = read_key_text(text)
        if key_text is None:
            raise AuthenticationError(NOT_VALID)
        name = _name(text)
        try:
            caller = self._checked(key_text, name, changes)
        except (AuthenticationError, PermissionDeniedError):
            with self._lock:
                self._good.pop(name, None)
            raise
        with self._lock:
            self._good[name] = None
            self._good.move_to_end(name)
            if len(self._good) > MAX_REMEMBERED:
                self._good.popitem(last=False)
        return caller

    def _checked(self, key_text: KeyText, name: bytes, changes: IdentityChanges) -> Caller:
        generation = self._look_at_epoch(changes)
        found = self._callers.get(name)
        if found is None:
            found = _Remembered(self._read(key_text))
            with self._lock:
                if self._generation == generation:
                    if len(self._callers) >= MAX_REMEMBERED:
                        self._callers.clear()
                    found = self._callers.setdefault(name, found)
        if self._has_expired(found.caller):
            raise KeyRefusedError(
                f"The user key {found.caller.key_id} expired at "
                f"{format_timestamp(found.caller.expires_us or 0)}. Issue another one.",
                found.caller,
            )
        self._note_use(found)
        return found.caller

    def forget(self) -> None:
        """Ask the store again about everybody."""
        with self._lock:
            self._generation += 1
            self._callers.clear()
            self._epoch_read_seconds = None

    def _look_at_epoch(self, changes: IdentityChanges) -> int:
        """Forget everybody if something was changed; return what tells whether that happens."""
        now = self._clock.monotonic()
        with self._lock:
            read, generation = self._epoch_read_seconds, self._generation
        if read is not None and now - read < EPOCH_HOLDS_SECONDS:
            return generation
        epoch = changes.epoch()
        with self._lock:
            if epoch != self._epoch:
                self._generation += 1
                self._callers.clear()
                self._epoch = epoch
                generation = self._generation
            # What another thread read later stays; what was forgotten meanwhile is read again.
            if self._generation == generation:
                self._epoch_read_seconds = max(now, self._epoch_read_seconds or now)
            return generation

    def _read(self, text: KeyText) -> Caller:
        found = self._documents.get(KEY_KIND, text.key_id)
        kept = NO_SECRET if found is None else found.body["secret"]
        if not matches(text.secret, kept) or found is None:
            raise AuthenticationError(NOT_VALID)
        key = user_key(found)
        if key.revoked_us is not None:
            raise KeyRefusedError(
                f"The user key {key.key_id} was revoked at {format_timestamp(key.revoked_us)}. "
                "Use another one.",
                key,
            )
        self._check_beginning(key)
        user = self._directory.user(key.user)
        if user.disabled:
            raise KeyRefusedError(
                f"The user of key {key.key_id} is disabled. Ask an administrator of the service.",
                key,
            )
        role = self._directory.role(key.workspace, user)
        if role is None:
            raise PermissionDeniedError(
                f"User {key.user!r} is no member of workspace {key.workspace!r} any more."
            )
        scope = min(key.scope, role.scope, key=list(Scope).index)
        return Caller(
            user=key.user,
            key_id=key.key_id,
            workspace=key.workspace,
            role=role,
            scope=scope,
            service_admin=user.service_admin and key.may_rule_service,
            may_rule_service=key.may_rule_service,
            expires_us=key.expires_us,
        )

    def _check_beginning(self, key: UserKey) -> None:
        """Refuse a session if the key that began it is: whoever revokes one that leaked means what
        was begun with it, too, also while that is being revoked."""
        began = key
        while began.session_of is not None:
            found = self._documents.get(KEY_KIND, began.session_of)
            if found is None or found.body["revoked_us"] is not None:
                raise KeyRefusedError(
                    f"The user key {began.session_of} that began the session {key.key_id} was "
                    "revoked. Sign in with another one.",
                    key,
                )
            began = user_key(found)

    def _has_expired(self, caller: Caller) -> bool:
        return caller.expires_us is not None and caller.expires_us <= self._clock.time_us()

    def _use_is_due(self, found: _Remembered, now: float) -> bool:
        noted = found.use_noted_seconds
        return noted is None or now - noted >= USE_NOTED_EVERY_SECONDS

    def _note_use(self, found: _Remembered) -> None:
        now = self._clock.monotonic()
        if not self._use_is_due(found, now):
            return
        found.use_noted_seconds = now
        try:
            self._keys.note_use(found.caller.key_id, self._clock.time_us())
        except SessionStoreError:
            return  # a full disk must not lock out those who only read


def _name(text: str) -> bytes:
    """The key as it is looked for in memory, where no secrets shall lie."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
