"""The parts of the ClickHouse store that need no server; with one, see tests/servers."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from quark.errors import RecordRejectedError, SessionStoreError, SettingsError
from quark.storage.clickhouse.arrival import by_arrival, by_frame
from quark.storage.clickhouse.grouped_inserts import GroupedInserts
from quark.storage.clickhouse.literals import text
from quark.storage.clickhouse.native import Column, decode_blocks, encode_block, string, varint
from quark.storage.clickhouse.point_rows import checked_keys, encode_rows
from quark.storage.clickhouse.schema import MIGRATIONS, Dialect
from quark.storage.clickhouse.server import ClickHouseServer
from quark.storage.model import NO_STEP
from tests.storage.building import bits, block

# -- the format ----------------------------------------------------------------------------------


def test_blocks_come_back_bit_for_bit() -> None:
    values = np.array([0.0, -0.0, math.nan, math.inf, 5e-324])
    words = ["", "é", "x" * 300]

    body = b"".join(
        encode_block(
            [
                Column("value", "Float64", values[:count].tobytes()),
                Column("step", "Int64", np.full(count, NO_STEP).tobytes()),
                Column("word", "String", b"".join(map(string, words[:count]))),
            ],
            count,
        )
        for count in (3, 0, 2)
    )

    answer = decode_blocks(body)
    assert bits(answer.floats("value")) == bits(np.concatenate([values[:3], values[:2]]))
    assert answer.ints("step").tolist() == [NO_STEP] * 5
    assert answer.strings("word") == [*words, *words[:2]]
    assert answer.ints("nothing").tolist() == []


@given(st.integers(0, 2**63 - 1))
@settings(max_examples=50)
def test_a_varint_holds_seven_bits_a_byte(number: int) -> None:
    encoded = varint(number)

    assert sum((byte & 0x7F) << 7 * place for place, byte in enumerate(encoded)) == number
    assert [byte >> 7 for byte in encoded] == [1] * (len(encoded) - 1) + [0]


def test_an_answer_that_breaks_off_is_an_error_with_the_servers_reason() -> None:
    whole = encode_block([Column("value", "Float64", np.zeros(100).tobytes())], 100)

    for body in (whole[:-1], whole + b"Code: 241, Memory limit", whole[:50] + b"Code: 241, Memory"):
        with pytest.raises(SessionStoreError, match="broke off"):
            decode_blocks(body)
    with pytest.raises(SessionStoreError, match="Code: 241, Memory limit"):
        decode_blocks(whole + b"Code: 241, Memory limit")


def test_text_cannot_leave_its_literal() -> None:
    assert text("'; DROP TABLE point; --") == "'\\'; DROP TABLE point; --'"
    assert text("\\'") == "'\\\\\\''"
    assert text("a\x00\n") == "'a\\x00\\x0A'"
    with pytest.raises(UnicodeEncodeError):
        text("\ud800")


# -- rows ----------------------------------------------------------------------------------------


def test_a_point_is_told_from_others_of_its_frame_by_their_order() -> None:
    both = block(["a", "b"], [(1, 0, 0, 0, [1, 2]), (1, 0, 0, 0, [3, 4]), (2, 1, 0, 0, [5, 6])])
    more = block(["b"], [(1, 0, 0, 0, [7]), (3, 0, 0, 0, [8])])

    rows = decode_blocks(encode_rows("n", "r", "w", [both, more], arrival=9, expires_at=None))

    found = zip(
        rows.strings("key"),
        rows.ints("seq").tolist(),
        rows.ints("occurrence").tolist(),
        rows.ints("place").tolist(),
        rows.floats("value").tolist(),
        strict=True,
    )
    assert sorted(found) == [
        ("a", 1, 0, 0, 1.0),
        ("a", 1, 1, 0, 3.0),
        ("a", 2, 0, 0, 5.0),
        ("b", 1, 0, 1, 2.0),
        ("b", 1, 1, 1, 4.0),
        ("b", 1, 2, 2, 7.0),
        ("b", 2, 0, 1, 6.0),
        ("b", 3, 0, 2, 8.0),
    ]
    assert set(rows.ints("arrival").tolist()) == {9}


def test_keys_that_cannot_be_kept_are_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(RecordRejectedError):
            checked_keys(("fine", ""))


# -- order ---------------------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(1, 5), st.integers(0, 1), st.integers(0, 9)),
        max_size=25,
        unique_by=lambda row: row[:3],
    )
)
@settings(max_examples=100)
def test_the_order_of_arrival_is_that_of_a_slow_sort(rows: list[tuple[int, ...]]) -> None:
    writer, seq, occurrence, arrival = (
        np.array([row[column] for row in rows], dtype=np.int64) for column in range(4)
    )

    order = by_frame(writer, seq, occurrence)

    assert order is not None
    found = [rows[place] for place in by_arrival(writer, arrival, order)] if rows else []
    no_earlier = {row: max(o[3] for o in rows if o[0] == row[0] and o[:3] <= row[:3])
                  for row in rows}  # fmt: skip
    assert found == sorted(rows, key=lambda row: (no_earlier[row], row[:3]))


def test_a_point_that_is_there_twice_is_noticed() -> None:
    one, two = np.array([1, 2, 1]), np.array([0, 0, 0])

    assert by_frame(two, one, two) is None
    assert by_frame(one[[0, 1, 1]], one, two) is not None


# -- grouped inserts -----------------------------------------------------------------------------


class Sending:
    """Takes groups; the first waits until it is told to go on."""

    def __init__(self, error: Exception | None = None) -> None:
        self.groups: list[list[bytes]] = []
        self.begun, self.go_on = threading.Event(), threading.Event()
        self._error = error

    def __call__(self, rows: Sequence[bytes]) -> None:
        self.groups.append(list(rows))
        if len(self.groups) == 1:
            self.begun.set()
            assert self.go_on.wait(60)
        elif self._error is not None:
            raise self._error


def inserted_meanwhile(sending: Sending, inserts: GroupedInserts, count: int) -> list[Exception]:
    """Insert one row, and many others while that is under way."""
    errors: list[Exception] = []

    def insert(rows: bytes) -> None:
        try:
            inserts.insert(rows)
        except SessionStoreError as error:
            errors.append(error)

    threads = [threading.Thread(target=insert, args=(b"%d" % n,)) for n in range(count + 1)]
    threads[0].start()
    assert sending.begun.wait(60)
    for thread in threads[1:]:
        thread.start()
    while inserts.waiting_count < count:
        threading.Event().wait(0.001)
    sending.go_on.set()
    for thread in threads:
        thread.join(60)
    return errors


def test_what_comes_during_an_insert_goes_together_into_the_next() -> None:
    sending = Sending()
    inserts = GroupedInserts(sending)

    errors = inserted_meanwhile(sending, inserts, 20)

    assert errors == []
    assert [len(group) for group in sending.groups] == [1, 20]
    assert {rows for group in sending.groups for rows in group} == {b"%d" % n for n in range(21)}


def test_all_callers_of_a_group_hear_of_its_failure_and_the_next_may_try() -> None:
    failure = SessionStoreError("too many parts")
    failure.retry_after_seconds = 2.0
    sending = Sending(failure)
    inserts = GroupedInserts(sending, interval_seconds=0.0)

    errors = inserted_meanwhile(sending, inserts, 5)

    assert [str(error) for error in errors] == ["too many parts"] * 5
    assert len(set(map(id, errors))) == 5
    assert {getattr(error, "retry_after_seconds", None) for error in errors} == {2.0}
    with pytest.raises(SessionStoreError, match="too many parts"):
        inserts.insert(b"x")


# -- addresses and tables ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://host/db",
        "clickhouse://",
        "clickhouse://host/db?retries=3",
        "clickhouse://host/db?quorum=many",
        "clickhouse://host/db?timeout_seconds=0",
    ],
)
def test_a_url_that_means_nothing_is_refused_without_its_password(url: str) -> None:
    url = url.replace("host", "someone:hidden@host")

    with pytest.raises(SettingsError) as caught:
        ClickHouseServer(url)

    assert "hidden" not in str(caught.value)


def test_a_url_names_hosts_database_and_cluster() -> None:
    server = ClickHouseServer("clickhouse://u:p%40ss@one,two:9001/team?cluster=main&quorum=2")

    assert server.target == "clickhouse://one,two:9001/team?cluster=main"
    assert (server.database, server.cluster, server.quorum) == ("team", "main", 2)


def test_a_server_that_is_not_there_is_said_to_be_unreachable() -> None:
    server = ClickHouseServer("clickhouse://u:hidden@127.0.0.1:9,127.0.0.1:10/db")

    with pytest.raises(SessionStoreError, match="cannot be reached") as caught:
        server.command("SELECT 1")

    assert "hidden" not in str(caught.value)
    server.close()
    with pytest.raises(SessionStoreError, match="closed"):
        server.command("SELECT 1")


def test_what_old_servers_do_not_know_is_only_asked_of_new_ones() -> None:
    for number, migration in enumerate(MIGRATIONS, start=1):
        old = " ".join(migration(Dialect(version=(18, 16), database="d", cluster="c")))
        new = " ".join(migration(Dialect(version=(26, 9), database="d", cluster="c")))

        for word in ("CODEC", "LowCardinality", "TTL", "expires_at"):
            assert word not in old, number
            assert word in new, number
        assert "ON CLUSTER `c`" in old
        assert "ReplicatedReplacingMergeTree" in new


def test_every_column_is_described() -> None:
    formats = Path(__file__).resolve().parents[2] / "docs" / "formats.md"
    section = formats.read_text().split("## ClickHouse\n")[1].split("\n## ")[0]
    rows = [line.split("|") for line in section.splitlines() if line.startswith("| ")]
    described = {name for row in rows for name in re.findall(r"`(\w+)`", row[2])}

    statements = [
        statement
        for migration in MIGRATIONS
        for statement in migration(Dialect(version=(26, 9), database="d"))
    ]

    columns = re.search(r"point` \((.*)\) ENGINE", " ".join(statements))
    assert columns is not None
    assert {column.split()[0] for column in columns[1].split(", ") if column[0].islower()} == (
        described
    )
    assert f"the highest is **{len(MIGRATIONS)}**" in section
