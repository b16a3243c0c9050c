"""What of the PostgreSQL store needs no server; the rest is in tests/servers."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

pytest.importorskip("psycopg")
pytest.importorskip("sqlalchemy")

from quark.errors import SessionStoreError, SettingsError
from quark.storage.postgres import PostgresConfig, PostgresEngine, PostgresStore
from quark.storage.postgres.connection import parse_url
from quark.storage.postgres.known_runs import KnownRuns
from quark.storage.postgres.stored_text import restored, stored
from tests.storage.building import losses

texts = st.text(st.sampled_from("a0\\\0/é"), max_size=12)


@given(texts, texts)
def test_any_text_can_be_stored_and_comes_back(one: str, other: str) -> None:
    assert restored(stored(one)) == one
    assert "\0" not in stored(one)
    assert (stored(one) == stored(other)) == (one == other)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("postgresql://db/runs", "postgresql://db/runs"),
        ("postgres://me:s3cret@db:6432/runs", "postgresql://me@db:6432/runs"),
        (
            "postgresql://me:s3%40cret@/runs?host=/run/postgresql&password=s3cret",
            "postgresql://me@%2Frun%2Fpostgresql/runs",
        ),
        ("postgresql://me@db/runs?sslmode=require&passfile=s3cret", "postgresql://me@db/runs"),
    ],
)
def test_a_target_names_the_database_and_no_secret(url: str, target: str) -> None:
    assert parse_url(url)[1] == target
    assert PostgresEngine(url).target == target
    assert PostgresStore(PostgresEngine(url), "team/a").target == f"{target}#team/a"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mysql://me:s3cret@db/runs",
        "postgresql://me:s3cret%@db/runs",
        "postgresql://me:s3cret/@db:port/runs",
        "postgresql://me:1/s3cret@db/runs",
        "postgresql://me:s3cret@db/runs?no_such_option=1",
        "host=db password=s3cret",
    ],
)
def test_a_url_that_cannot_be_read_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(SessionStoreError, match=r"postgresql://USER:PASSWORD@HOST") as caught:
        PostgresEngine(url)

    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("namespace", ["a\0b", "\ud800", "x" * 1025])
def test_a_namespace_that_cannot_be_stored_is_refused(namespace: str) -> None:
    with pytest.raises(SettingsError, match="namespace"):
        PostgresStore(PostgresEngine("postgresql://db/runs"), namespace)


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(SettingsError, match="max_connections is 0"):
        PostgresConfig(max_connections=0)


def test_a_store_is_made_without_asking_a_server_and_says_when_there_is_none() -> None:
    engine = PostgresEngine("postgresql://me:s3cret@127.0.0.1:9/runs")  # the port of "discard"
    store = PostgresStore(engine, "team")

    with pytest.raises(SessionStoreError, match=r"connection to the server failed") as caught:
        store.records.list_runs()

    assert "s3cret" not in str(caught.value)
    with pytest.raises(SessionStoreError, match="keeps no payloads"):
        store.blobs.exists("0" * 64)


class AnyTable:
    """Numbers keys without a database."""

    def keys_from(self, number: int) -> list[tuple[str, int]]:
        return []

    def add_keys(self, numbered: object) -> None: ...


def test_what_is_remembered_of_runs_is_bounded_by_their_number_and_their_keys() -> None:
    known_runs = KnownRuns(max_runs=3, max_keys=20)
    first = known_runs.get("n", "run-0")
    for number in range(1, 4):
        known_runs.get("n", f"run-{number}")

    assert known_runs.peek("n", "run-0") is None
    assert known_runs.get("n", "run-0") is not first

    for run_id in ("run-0", "run-3"):
        known = known_runs.get("n", run_id)
        known.keys.learn([losses(1, [1.0], key=f"k{n}") for n in range(6)], AnyTable())
        known_runs.count_keys("n", run_id, known)
    assert known_runs.peek("n", "run-0") is None  # 6 keys and 6 sets of one each: 12 and 12
    assert known_runs.peek("n", "run-3") is not None

    known_runs.drop("n", "run-3")
    assert known_runs.peek("n", "run-3") is None
    assert known_runs.peek("m", "run-3") is None
