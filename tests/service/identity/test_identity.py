"""Workspaces, users, keys and the audit log, on documents in memory and in files."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from quark.clock import parse_timestamp
from quark.errors import (
    AuthenticationError,
    DocumentConflictError,
    IdentityNotFoundError,
    PermissionDeniedError,
    SchemaValidationError,
    SessionStoreError,
)
from quark.service.identity.audit import SERVICE, AuditLog
from quark.service.identity.bootstrap import bootstrap
from quark.service.identity.engine import Identity
from quark.service.identity.key_text import new_key_text, read_key_text
from quark.service.identity.keys import KEY_KIND
from quark.service.identity.model import Actor, IssuedKey, Role, Scope
from quark.storage.documents import DocumentChange
from quark.storage.embedded import EmbeddedStore
from quark.storage.memory import MemoryStore
from quark.storage.protocols import DocumentStore, Store
from tests.support.clock import FakeClock

ROOT = Actor(user="root", address="198.51.100.7")

STORES: dict[str, Callable[[Path], Store]] = {
    "memory": lambda folder: MemoryStore(),
    "embedded": lambda folder: EmbeddedStore(folder / ".quark"),
}


@pytest.fixture(params=STORES)
def documents(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DocumentStore]:
    store = STORES[request.param](tmp_path)
    yield store.documents
    store.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def identity(documents: DocumentStore, clock: FakeClock) -> Identity:
    """A service with the workspace ``team`` and its member ``ann``."""
    identity = Identity(documents, clock)
    identity.directory.create_workspace("team", by=ROOT)
    identity.directory.create_user("ann", by=ROOT)
    identity.directory.set_member("team", "ann", Role.MEMBER, by=ROOT)
    return identity


def issue(identity: Identity, scope: Scope = Scope.WRITE, **more: Any) -> IssuedKey:
    return identity.keys.issue(
        **{"user": "ann", "workspace": "team", "scope": scope, "by": ROOT, **more}
    )


def test_a_key_says_whose_it_is_and_what_it_may_do(identity: Identity) -> None:
    issued = issue(identity, label="nightly")

    caller = identity.authenticate(issued.text)

    assert (caller.user, caller.workspace, caller.key_id) == ("ann", "team", issued.key.key_id)
    assert (caller.role, caller.scope, caller.service_admin) == (Role.MEMBER, Scope.WRITE, False)
    assert [key.label for key in identity.keys.keys("team", "ann")] == ["nightly"]
    assert identity.keys.keys("other") == identity.keys.keys(user="bob") == ()


def test_nothing_that_is_kept_or_shown_holds_the_secret(
    identity: Identity, documents: DocumentStore
) -> None:
    issued = issue(identity)
    text = read_key_text(issued.text)
    assert text is not None

    identity.authenticate(issued.text)
    kept = [
        repr(found)
        for kind in (KEY_KIND, "audit", "identity", "service_user", "workspace_member")
        for found in documents.list(kind)
    ]

    assert any(text.key_id in row for row in kept)
    assert not any(text.secret in row for row in kept)
    assert text.secret not in repr(issued) + repr(text) + repr(identity.keys.keys())
    assert text.secret not in repr(vars(identity._authentication))


def test_keys_are_long_without_look_alikes_and_never_the_same() -> None:
    texts = [new_key_text() for _ in range(2000)]

    characters = set("".join(text.key_id + text.secret for text in texts))
    assert characters == set("0123456789abcdefghjkmnpqrstvwxyz")
    assert len({text.secret for text in texts}) == len({text.key_id for text in texts}) == 2000
    assert 32 ** len(texts[0].secret) >= 2**160
    assert all(read_key_text(str(text)) == text for text in texts)


def test_who_guesses_learns_nothing(identity: Identity, documents: DocumentStore) -> None:
    key_id = issue(identity).key.key_id
    other = new_key_text()
    messages = set()

    for text in (
        *("", "hunter2", "qk_", "qk_é_ü", "\ud800", f"qk_{key_id}_", f"qk_{key_id}_{'0' * 39}"),
        *(f"qk_{key_id}_{other.secret}", f"qk_{other.key_id}_{other.secret}"),
        f"qk_{key_id}_{other.secret}\n",
    ):
        with pytest.raises(AuthenticationError) as refused:
            identity.authenticate(text)
        messages.add(str(refused.value))

    assert len(messages) == 1
    assert other.secret not in messages.pop()


def test_an_unknown_id_and_a_wrong_secret_ask_the_store_the_same(
    identity: Identity, documents: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = issue(identity)
    other = new_key_text()
    asked: list[str] = []
    get = documents.get

    def counted(kind: str, name: str) -> Any:
        asked.append(kind)
        return get(kind, name)

    monkeypatch.setattr(documents, "get", counted)
    seen = []
    for text in (f"qk_{issued.key.key_id}_{other.secret}", str(other)):
        asked.clear()
        with pytest.raises(AuthenticationError):
            identity.authenticate(text)
        seen.append([kind for kind in asked if kind != "identity"])

    assert seen[0] == seen[1] == [KEY_KIND]


def test_a_revoked_key_is_refused_at_once_here_and_within_a_second_elsewhere(
    identity: Identity, documents: DocumentStore, clock: FakeClock
) -> None:
    elsewhere = Identity(documents, clock)
    issued = issue(identity)
    for each in (identity, elsewhere):
        each.authenticate(issued.text)
        assert each.remembered(issued.text) is not None

    identity.keys.revoke(issued.key.key_id, by=ROOT)

    assert identity.remembered(issued.text) is None
    with pytest.raises(AuthenticationError, match=r"was revoked at 2024-01-01T00:00:00"):
        identity.authenticate(issued.text)
    clock.advance(0.999)
    assert elsewhere.authenticate(issued.text).user == "ann"
    clock.advance(0.001)
    assert elsewhere.remembered(issued.text) is None
    with pytest.raises(AuthenticationError, match="revoked"):
        elsewhere.authenticate(issued.text)
    assert identity.keys.revoke(issued.key.key_id, by=ROOT).revoked_us == FakeClock.START_US


def test_a_key_expires_to_the_microsecond_also_where_it_is_remembered(
    identity: Identity, clock: FakeClock
) -> None:
    expires_us = FakeClock.START_US + 500_000
    issued = issue(identity, expires_us=expires_us)

    clock.advance(0.499999)
    assert identity.authenticate(issued.text) == identity.remembered(issued.text)
    clock.advance(0.000001)

    assert identity.remembered(issued.text) is None
    with pytest.raises(AuthenticationError, match=r"expired at 2024-01-01T00:00:00.500000Z"):
        identity.authenticate(issued.text)
    with pytest.raises(SchemaValidationError, match="is over"):
        issue(identity, expires_us=expires_us)


def test_a_key_can_do_no_more_than_its_users_role_now(identity: Identity) -> None:
    issued = issue(identity, Scope.WRITE)
    set_role = identity.directory.set_member

    set_role("team", "ann", Role.VIEWER, by=ROOT)
    assert identity.authenticate(issued.text).scope is Scope.READ
    set_role("team", "ann", Role.ADMIN, by=ROOT)
    assert identity.authenticate(issued.text).scope is Scope.WRITE
    identity.directory.set_service_admin("ann", True, by=ROOT)
    assert not identity.authenticate(issued.text).rules_service  # the key's scope is too small
    identity.directory.create_user("bob", by=ROOT)
    identity.directory.set_service_admin("bob", True, by=ROOT)
    identity.directory.set_service_admin("ann", False, by=ROOT)
    identity.directory.remove_member("team", "ann", by=ROOT)
    with pytest.raises(PermissionDeniedError, match="no member of workspace 'team'"):
        identity.authenticate(issued.text)
    with pytest.raises(IdentityNotFoundError, match="not a member"):
        identity.directory.remove_member("team", "ann", by=ROOT)


def test_a_key_cannot_wait_for_its_user_to_be_promoted(identity: Identity) -> None:
    with pytest.raises(PermissionDeniedError, match=r"'ann' is a member of workspace 'team'"):
        issue(identity, Scope.ADMIN)
    identity.directory.create_user("bob", by=ROOT)
    with pytest.raises(PermissionDeniedError, match="no member"):
        issue(identity, Scope.READ, user="bob")

    assert identity.keys.keys() == ()


def test_a_disabled_user_is_locked_out_and_let_in_again(identity: Identity) -> None:
    issued = issue(identity)
    identity.authenticate(issued.text)

    identity.directory.set_disabled("ann", True, by=ROOT)
    with pytest.raises(AuthenticationError, match="disabled"):
        identity.authenticate(issued.text)
    with pytest.raises(DocumentConflictError, match="disabled"):
        issue(identity)
    identity.directory.set_disabled("ann", False, by=ROOT)

    assert identity.authenticate(issued.text).user == "ann"


def test_the_last_service_administrator_stays(identity: Identity) -> None:
    directory = identity.directory
    directory.set_service_admin("ann", True, by=ROOT)

    attempts: list[Callable[[], object]] = [
        lambda: directory.set_service_admin("ann", False, by=ROOT),
        lambda: directory.set_disabled("ann", True, by=ROOT),
    ]
    for attempt in attempts:
        with pytest.raises(PermissionDeniedError, match="last service administrator"):
            attempt()
    assert directory.user("ann").service_admin
    directory.create_user("bob", by=ROOT)
    with pytest.raises(DocumentConflictError, match="administrator already: ann"):
        directory.set_service_admin("bob", True, by=ROOT, only_as_first=True)
    directory.set_service_admin("bob", True, by=ROOT)
    disabled = directory.set_disabled("ann", True, by=ROOT)

    assert (disabled.disabled, disabled.service_admin) == (True, False)
    assert directory.service_admins() == ("bob",)


def test_when_two_remove_each_other_one_administrator_is_left(
    documents: DocumentStore, clock: FakeClock
) -> None:
    names = ("ann", "bob")
    identities = [Identity(documents, clock) for _ in names]
    for name in names:
        identities[0].directory.create_user(name, by=ROOT)
        identities[0].directory.set_service_admin(name, True, by=ROOT)
    barrier = threading.Barrier(2)

    def remove(identity: Identity, name: str) -> None:
        barrier.wait(60)
        try:
            identity.directory.set_service_admin(name, False, by=ROOT)
        except PermissionDeniedError:
            return

    threads = [
        threading.Thread(target=remove, args=pair) for pair in zip(identities, names, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    left = identities[0].directory.service_admins()
    assert len(left) == 1
    assert [user.name for user in identities[0].directory.users() if user.service_admin] == [*left]


@pytest.mark.parametrize(
    "name", ["", "-", "Team", "a/b", "..", ".", "a b", "é", "a\n", "a" * 65, "-a", "a.b"]
)
def test_a_workspace_cannot_have_a_name_that_leads_elsewhere(identity: Identity, name: str) -> None:
    with pytest.raises(SchemaValidationError, match="workspace cannot be called"):
        identity.directory.create_workspace(name, by=ROOT)
    with pytest.raises(IdentityNotFoundError, match="no workspace"):
        identity.directory.set_member(name, "ann", Role.VIEWER, by=ROOT)


@pytest.mark.parametrize("name", ["", "Ann", "a/b", "ann\0", "@ann", "a" * 65, "ann ", "unknown\n"])
def test_a_user_cannot_have_every_name(identity: Identity, name: str) -> None:
    with pytest.raises(SchemaValidationError, match="user cannot be called"):
        identity.directory.create_user(name, by=ROOT)


def test_names_are_taken_once_and_what_is_not_there_is_said(identity: Identity) -> None:
    directory = identity.directory
    for create, name in ((directory.create_workspace, "team"), (directory.create_user, "ann")):
        with pytest.raises(DocumentConflictError, match="already"):
            create(name, by=ROOT)
    for missing in (
        lambda: directory.workspace("nosuch"),
        lambda: directory.members("nosuch"),
        lambda: directory.user("nosuch"),
        lambda: directory.set_disabled("nosuch", True, by=ROOT),
        lambda: directory.set_member("team", "nosuch", Role.VIEWER, by=ROOT),
        lambda: identity.keys.get("nosuch"),
        lambda: identity.keys.revoke("nosuch", by=ROOT),
        lambda: issue(identity, workspace="nosuch"),
    ):
        with pytest.raises(IdentityNotFoundError, match="nosuch"):
            missing()
    with pytest.raises(SchemaValidationError, match="label"):
        issue(identity, label="a\x1b[31m")


def test_the_last_use_is_written_once_a_minute_and_not_needed(
    identity: Identity, documents: DocumentStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = issue(identity)
    written = []
    for _ in range(10):
        identity.authenticate(issued.text)
        written.append(identity.keys.get(issued.key.key_id).last_used_us)
        clock.advance(15)

    started = FakeClock.START_US
    assert [(at or 0) - started for at in written] == [
        *([0] * 4),
        *([60_000_000] * 4),
        *([120_000_000] * 2),
    ]

    def full(changes: Any) -> Any:
        raise SessionStoreError("The disk is full.")

    clock.advance(600)
    monkeypatch.setattr(documents, "apply", full)
    assert identity.authenticate(issued.text).user == "ann"


def test_noting_a_use_never_brings_a_revoked_key_back(
    identity: Identity, documents: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = issue(identity)
    get = documents.get
    raced: list[str] = []

    def racing(kind: str, name: str) -> Any:
        found = get(kind, name)
        if kind == KEY_KIND and not raced:
            raced.append(name)
            identity.keys.revoke(name, by=ROOT)
        return found

    monkeypatch.setattr(documents, "get", racing)
    identity.keys.note_use(issued.key.key_id, FakeClock.START_US)

    assert raced
    assert identity.keys.get(issued.key.key_id).revoked_us == FakeClock.START_US


def test_a_change_between_the_reads_of_a_key_is_not_remembered_wrongly(
    identity: Identity, documents: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued, other = issue(identity), issue(identity)
    get = documents.get
    raced: list[str] = []

    def racing(kind: str, name: str) -> Any:
        found = get(kind, name)
        if kind == KEY_KIND and not raced:
            raced.append(name)
            identity.keys.revoke(name, by=ROOT)  # just after the good state was read
            identity.authenticate(other.text)  # another thread, which learns of the change
        return found

    monkeypatch.setattr(documents, "get", racing)
    identity.authenticate(issued.text)  # began before the revocation, so it may pass

    assert raced
    with pytest.raises(AuthenticationError, match="revoked"):
        identity.authenticate(issued.text)


# -- the first administrator


def test_the_first_administrator_is_made_once(identity: Identity) -> None:
    first = bootstrap(identity, workspace="ops", user="root", by=ROOT)

    assert identity.authenticate(first.text).rules_service
    with pytest.raises(DocumentConflictError, match=r"administrator already: root"):
        bootstrap(identity, workspace="ops", user="eve", by=ROOT)
    with pytest.raises(PermissionDeniedError, match=r"'eve' is no administrator"):
        bootstrap(identity, workspace="ops", user="eve", by=ROOT, force_new_key=True)
    again = bootstrap(identity, workspace="ops", user="root", by=ROOT, force_new_key=True)

    assert identity.authenticate(again.text).rules_service
    assert again.text != first.text
    assert [user.name for user in identity.directory.users()] == ["ann", "root"]


def test_of_many_that_bootstrap_at_once_one_gets_the_service(
    documents: DocumentStore, clock: FakeClock
) -> None:
    barrier = threading.Barrier(4)
    keys: list[str] = []

    def begin(number: int) -> None:
        identity = Identity(documents, clock)
        barrier.wait(60)
        try:
            issued = bootstrap(identity, workspace="team", user=f"user{number}", by=ROOT)
        except DocumentConflictError:
            return
        keys.append(issued.text)

    threads = [threading.Thread(target=begin, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    identity = Identity(documents, clock)
    assert len(identity.directory.service_admins()) == 1
    assert [identity.authenticate(key).rules_service for key in keys] == [True] * len(keys)
    assert len(keys) <= 1


CHANGER = """
import sys
from pathlib import Path
from quark.service.identity.engine import Identity
from quark.service.identity.model import Actor, Role, Scope
from quark.storage.embedded import EmbeddedStore

root, name = Path(sys.argv[1]), sys.argv[2]
store = EmbeddedStore(root)
identity, by = Identity(store.documents), Actor(user=name)
identity.directory.create_user(name, by=by)
identity.directory.set_member("team", name, Role.MEMBER, by=by)
for number in range(10):
    identity.keys.issue(user=name, workspace="team", scope=Scope.WRITE, by=by, label=str(number))
for key in identity.keys.keys("team", name)[::2]:
    identity.keys.revoke(key.key_id, by=by)
store.close()
"""


def test_processes_change_identity_at_once_and_every_change_is_in_the_log(tmp_path: Path) -> None:
    root = tmp_path / ".quark"
    store = EmbeddedStore(root)
    identity = Identity(store.documents)
    identity.directory.create_workspace("team", by=ROOT)
    names = ("ann", "bob", "cat")

    children = [
        subprocess.Popen([sys.executable, "-c", CHANGER, str(root), name]) for name in names
    ]
    assert [child.wait(60) for child in children] == [0, 0, 0]

    keys = identity.keys.keys("team")
    assert len(keys) == 30
    assert sum(key.revoked_us is not None for key in keys) == 15
    log = identity.audit.page("team", limit=1000).entries
    for name in names:
        actions = [entry.action for entry in log if entry.by.user == name]
        assert actions == ["member.set", *["key.issue"] * 10, *["key.revoke"] * 5]
    assert [entry.action for entry in identity.audit.page(SERVICE).entries] == [
        "workspace.create",
        *["user.create"] * 3,
    ]
    store.close()


# -- the audit log


def test_every_change_is_written_with_who_what_when_and_from_where(
    identity: Identity, clock: FakeClock
) -> None:
    clock.advance(1.5)
    by = Actor(user="ann", key_id="k1", address="192.0.2.9", request_id="r1")

    key_id = issue(identity, by=by).key.key_id

    entry = identity.audit.page("team").entries[-1]
    assert (entry.action, entry.by, entry.time_us) == (
        "key.issue",
        by,
        FakeClock.START_US + 1_500_000,
    )
    assert entry.detail == {"key_id": key_id, "user": "ann", "scope": "write", "expires_us": None}
    assert [entry.action for entry in identity.audit.page(SERVICE).entries] == [
        "workspace.create",
        "user.create",
    ]


def test_the_audit_log_is_paged_without_gaps_also_when_the_clock_goes_back(
    documents: DocumentStore, clock: FakeClock
) -> None:
    audit = AuditLog(documents, clock)
    for number in range(25):
        audit.record("run.delete", ROOT, workspace="team", detail={"n": number})
        clock.advance(36_000)  # so that pages span days
        if number == 12:
            clock.jump(-90_000)
    audit.record("run.delete", ROOT, workspace="other", detail={})

    seen: list[int] = []
    after: str | None = ""
    while after is not None:
        page = audit.page("team", after=after, limit=7)
        assert len(page.entries) <= 7
        seen += [entry.detail["n"] for entry in page.entries]
        after = page.next_after

    assert seen == [*range(25)]
    since = audit.page("team", since_us=parse_timestamp("2024-01-05T00:00:00Z")).entries
    assert 0 < len(since) < 25
    assert [entry.detail["n"] for entry in since] == [*range(25 - len(since), 25)]
    for faults in ({"after": "x"}, {"after": "../1"}, {"limit": 0}, {"limit": 1001}):
        with pytest.raises(SchemaValidationError):
            audit.page("team", **faults)


def test_what_is_older_than_the_retention_is_removed(
    documents: DocumentStore, clock: FakeClock
) -> None:
    audit = AuditLog(documents, clock, retention_days=30)
    for number in range(1200):  # more than are removed at once
        audit.record("run.delete", ROOT, workspace="team", detail={"n": number})
    clock.advance(29 * 86_400)
    audit.record("backup", ROOT, workspace="team")
    assert len(documents.list("audit")) == 1201
    clock.advance(2 * 86_400)

    assert [entry.action for entry in audit.page("team").entries] == ["backup"]
    audit.record("backup", ROOT, workspace="team")

    assert len(documents.list("audit")) == 2
    assert len(documents.list("audit_day")) == 2
    with pytest.raises(SchemaValidationError, match="0 days"):
        AuditLog(documents, clock, retention_days=0)


def test_denials_are_written_seldom_however_many_there_are(
    documents: DocumentStore, clock: FakeClock
) -> None:
    audit = AuditLog(documents, clock)

    def denials(user: str, times: int) -> int:
        by = Actor(user=user, key_id=user)
        return sum(audit.record_denial(by, reason="scope", detail={}) for _ in range(times))

    assert (denials("ann", 100), denials("bob", 100)) == (1, 1)
    clock.advance(60)
    assert denials("ann", 100) == 1
    many = sum(denials(f"user{number}", 1) for number in range(500))
    assert many < 100  # and so a flood of strangers does not fill the disk
    assert len(documents.list("audit")) == 3 + many


def test_a_log_that_cannot_be_written_denies_all_the_same(
    documents: DocumentStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(changes: list[DocumentChange]) -> Any:
        raise SessionStoreError("The disk is full.")

    monkeypatch.setattr(documents, "apply", full)

    assert not AuditLog(documents, clock).record_denial(ROOT, reason="scope", detail={})
