"""The documented formats are enough to read a store: here with sqlite3, struct and zlib alone.

Nothing below ``read_points`` may import Quark; it is written from docs/formats.md.
"""

from __future__ import annotations

import json
import re
import sqlite3
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quark.persistence.wire_batch import encode_batch
from quark.persistence.wire_series import encode_series
from quark.storage import layout
from quark.storage.embedded import EmbeddedStore
from quark.storage.embedded_documents import DOCUMENTS_SCHEMA
from quark.storage.index_db import INDEX_SCHEMA
from quark.storage.memory import MemoryStore
from quark.storage.run_db import RUN_SCHEMA
from quark.storage.sqlite_open import Schema
from tests.storage.building import batch, block, create_run, log, points_of, record

FORMATS = Path(__file__).resolve().parents[2] / "docs" / "formats.md"
WRAP = 2**64
NONE = -(2**63)


def signed(number: int) -> int:
    number %= WRAP
    return number - WRAP if number >= WRAP // 2 else number


def read_blob(blob: bytes, magic: bytes) -> bytes:
    assert blob[:4] == magic
    assert struct.unpack("<I", blob[4:8])[0] == zlib.crc32(blob[8:])
    return blob[8:]


def read_planes(payload: bytes, mask: int, width: int, count: int) -> list[bytes]:
    """Return the bytes of each number, least significant first."""
    plain = [plane for plane in range(width) if not mask >> plane & 1]
    deflated = [plane for plane in range(width) if mask >> plane & 1]
    content = payload[: len(plain) * count]
    if deflated:
        content += zlib.decompress(payload[len(plain) * count :], -15)
    planes = {
        plane: content[place * count : (place + 1) * count]
        for place, plane in enumerate(plain + deflated)
    }
    return [bytes(planes[plane][row] for plane in range(width)) for row in range(count)]


def read_column(content: bytes, count: int) -> tuple[list[Any], bytes]:
    """Return a packed column's numbers and what follows it."""
    kind, size = struct.unpack_from("<BI", content)
    payload, rest = content[5 : 5 + size], content[5 + size :]
    if kind == 0:
        return list(struct.unpack(f"<{count}q", payload)), rest
    if kind == 1:
        return [struct.unpack("<q", payload)[0]] * count, rest
    if kind == 2:
        first, difference = struct.unpack("<qq", payload)
        return [signed(first + row * difference) for row in range(count)], rest
    if kind == 3:
        first, base, width, mask = struct.unpack_from("<qqBB", payload)
        numbers = [first]
        for offset in read_planes(payload[18:], mask, width, count - 1):
            numbers.append(signed(numbers[-1] + base + int.from_bytes(offset, "little")))
        return numbers, rest
    if kind == 16:
        return [struct.unpack("<d", payload)[0]] * count, rest
    if kind == 17:
        return [float(number) for number in read_column(payload, count)[0]], rest
    width, letter = {18: (4, "<f"), 19: (8, "<d")}[kind]
    numbers = read_planes(payload[1:], payload[0], width, count)
    return [struct.unpack(letter, number)[0] for number in numbers], rest


def read_points(path: Path, key: str) -> list[tuple[Any, ...]]:
    """Return writer, seq, step, epoch, time and value of every point of a key."""
    connection = sqlite3.connect(path)
    ask = connection.execute
    writers = dict(ask("SELECT id, name FROM writer"))
    (key_id,) = ask("SELECT id FROM key WHERE name = ?", (key,)).fetchone()
    points: list[tuple[Any, ...]] = []
    for chunk, axis in ask(
        "SELECT chunk.body, axis.body FROM chunk JOIN axis ON axis.id = axis_id "
        "WHERE key_id = ? ORDER BY chunk.id",
        (key_id,),
    ):
        body = read_blob(chunk, b"QCH1")
        (count,) = struct.unpack_from("<I", body)
        values, rest = read_column(body[4:], count)
        assert rest == b""
        body = read_blob(axis, b"QAX1")
        assert struct.unpack_from("<I", body)[0] == count
        content, columns = body[4:], []
        for _ in range(5):
            column, content = read_column(content, count)
            columns.append(column)
        assert content == b""
        points += zip([writers[number] for number in columns[0]], *columns[1:], values, strict=True)
    for (segment,) in ask("SELECT body FROM segment ORDER BY id"):
        points += read_segment(read_blob(segment, b"QSG1"), key_id, writers)
    connection.close()
    return points


def read_segment(body: bytes, key_id: int, writers: dict[int, str]) -> list[tuple[Any, ...]]:
    writer, block_count = struct.unpack_from("<II", body)
    content = body[8:]
    found: list[tuple[Any, ...]] = []
    for _ in range(block_count):
        rows, keys, size = struct.unpack_from("<IIB", content)
        numbers, content = read_column(content[9:], keys)
        columns = []
        for _ in range(4):
            column, content = read_column(content, rows)
            columns.append(column)
        letter = {4: "f", 8: "d"}[size]
        values = struct.unpack_from(f"<{rows * keys}{letter}", content)
        content = content[rows * keys * size :]
        if key_id in numbers:
            mine = values[numbers.index(key_id) :: keys]
            found += zip([writers[writer]] * rows, *columns, mine, strict=True)
    assert content == b""
    return sorted(found, key=lambda point: point[1])


def read_batch(blob: bytes) -> dict[str, Any]:
    """Return what a batch on the wire holds."""
    content = read_blob(blob, b"QWB1")
    first, last, follows, run_size, writer_size, blocks, records = struct.unpack_from(
        "<qqqHHII", content
    )
    content = content[36:]
    run_id, content = content[:run_size].decode(), content[run_size:]
    writer_id, content = content[:writer_size].decode(), content[writer_size:]
    found_rows: list[tuple[Any, ...]] = []
    for _ in range(blocks):
        rows, keys, names_size, size = struct.unpack_from("<IIIB", content)
        names = json.loads(content[13 : 13 + names_size])
        content = content[13 + names_size :]
        columns = []
        for _ in range(4 if rows else 0):
            column, content = read_column(content, rows)
            columns.append(column)
        letter = {4: "f", 8: "d"}[size]
        values = struct.unpack_from(f"<{rows * keys}{letter}", content)
        content = content[rows * keys * size :]
        for row, place in enumerate(zip(*columns, strict=True)):
            found_rows.append((*place, dict(zip(names, values[row * keys :], strict=False))))
    found_records = []
    for _ in range(records):
        seq, ordinal, kind_size, flags, step, epoch, time_us, size = struct.unpack_from(
            "<qIHBqqqI", content
        )
        content = content[43:]
        kind, content = content[:kind_size].decode(), content[kind_size:]
        body, content = json.loads(content[:size]), content[size:]
        place = (step if flags & 1 else None, epoch if flags & 2 else None)
        found_records.append((seq, ordinal, kind, *place, time_us, body))
    assert content == b""
    return {
        "run": run_id,
        "writer": writer_id,
        "frames": (first, last, follows),
        "rows": found_rows,
        "records": found_records,
    }


def read_series(blob: bytes) -> dict[str, list[tuple[Any, ...]]]:
    """Return the points of every series on the wire: writer, columns, value."""
    content = read_blob(blob, b"QWS1")
    (size,) = struct.unpack_from("<I", content)
    described, content = json.loads(content[4 : 4 + size]), content[4 + size :]
    found = {}
    for one in described:
        columns = []
        for name in one["columns"]:
            column, content = read_column(content, one["count"])
            columns.append([one["writers"][n] for n in column] if name == "writer" else column)
        letter = {4: "f", 8: "d"}[one["value_bytes"]]
        values = struct.unpack_from(f"<{one['count']}{letter}", content)
        content = content[one["count"] * one["value_bytes"] :]
        found[one["key"]] = list(zip(*columns, values, strict=True))
    assert content == b""
    return found


def test_a_batch_on_the_wire_can_be_read_by_its_description_alone() -> None:
    rows = [(2, 5, None, 10**15, [0.1, 1.0]), (3, None, 7, 10**15 + 9, [-0.0, float("inf")])]
    single = [(4, step, 0, 10**15 + step, [0.5]) for step in range(300)]
    content = (
        block(["train/loss", "ä"], rows),
        block(["a"], single),
        record(2, message="x", step=3),
        record(4, "console_line", ordinal=1, epoch=2, stream="stdout", text="ö"),
    )

    read = read_batch(encode_batch(batch(2, 5, *content, run_id="run-ü", writer_id="w1"), 1))

    assert (read["run"], read["writer"], read["frames"]) == ("run-ü", "w1", (2, 5, 1))
    expected = [
        (2, 5, NONE, 10**15, {"train/loss": 0.1, "ä": 1.0}),
        (3, NONE, 7, 10**15 + 9, {"train/loss": -0.0, "ä": float("inf")}),
        *((4, step, 0, 10**15 + step, {"a": 0.5}) for step in range(300)),
    ]
    assert read["rows"] == expected
    assert [(*one[:5], one[6].get("message"), one[6].get("text")) for one in read["records"]] == [
        (2, 0, "event", 3, None, "x", None),
        (4, 1, "console_line", None, 2, None, "ö"),
    ]
    assert read_batch(encode_batch(batch(1, 1)))["frames"] == (1, 1, -1)


def test_series_on_the_wire_can_be_read_by_their_description_alone() -> None:
    store = MemoryStore()
    create_run(store)
    log(store, block(["a", "b"], [(1, 5, None, 10**15, [0.1, 2.0]), (2, 6, 1, 10**15, [1.5, 3.0])]))
    log(store, block(["a"], [(1, None, None, 10**15, [4.0])]), writer_id="w2")

    read = read_series(
        encode_series(store.points.many_series("run-1", ["a", "b", "none"]).values())
    )
    short = store.points.series("run-1", "b", columns="step_value")

    assert read == {
        "a": [
            ("w1", 1, 5, NONE, 10**15, 0.1),
            ("w1", 2, 6, 1, 10**15, 1.5),
            ("w2", 1, NONE, NONE, 10**15, 4.0),
        ],
        "b": [("w1", 1, 5, NONE, 10**15, 2.0), ("w1", 2, 6, 1, 10**15, 3.0)],
        "none": [],
    }
    assert read_series(encode_series([short])) == {"b": [(5, 2.0), (6, 3.0)]}


@pytest.mark.parametrize("merging", ["pending", "merged", "both"])
def test_a_store_can_be_read_by_its_description_alone(tmp_path: Path, merging: str) -> None:
    store = EmbeddedStore(tmp_path / ".quark")
    create_run(store)
    random = np.random.default_rng(0)
    seq, time_us = 1, 10**15
    for round_number in range(6):
        rows = []
        for _ in range(700):
            time_us += int(random.integers(900, 1_300))
            step = None if seq % 90 == 0 else seq - 40 * (seq % 50 == 0)
            values = [
                float(np.float32(random.standard_normal())),
                random.standard_normal(),
                seq // 2,
                0.1,
                [-0.0, np.inf, 1e300][seq % 3],
            ]
            rows.append((seq, step, seq // 300, time_us, values))
            seq += 1
        keys = ["single", "double", "whole", "same", "odd"]
        log(
            store,
            block(keys, rows[::2]),
            block([keys[0]], [(*r[:4], r[4][:1]) for r in rows[1::2]]),
        )
        if merging == "merged" or (merging == "both" and round_number == 3):
            store.points.merge("run-1", final=True)
    expected = {key: points_of(store.points.series("run-1", key)) for key in keys}
    store.close()

    for key in keys:
        read = read_points(layout.run_db_path(tmp_path / ".quark", "run-1"), key)
        with_bits = [(*p[:5], struct.unpack("<q", struct.pack("<d", p[5]))[0]) for p in read]
        assert with_bits == expected[key]


@pytest.mark.parametrize(
    ("schema", "heading"),
    [
        (RUN_SCHEMA, "## run.db"),
        (INDEX_SCHEMA, "## index.db"),
        (DOCUMENTS_SCHEMA, "## documents.db"),
    ],
)
def test_every_table_and_column_is_described(schema: Schema, heading: str) -> None:
    connection = sqlite3.connect(":memory:")
    for statements in schema.migrations:
        for statement in statements:
            connection.execute(statement)
    tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    there = {
        (table, column[1])
        for (table,) in connection.execute(tables).fetchall()
        for column in connection.execute(f"PRAGMA table_info({table})")
    }
    connection.close()

    section = FORMATS.read_text().split(f"{heading}\n")[1].split("\n## ")[0]
    described, table = set(), ""
    for line in section.splitlines():
        if line.startswith("|"):
            first, second = line.split("|")[1:3]
            table = first.strip("` ") or table
            described |= {(table, column) for column in re.findall(r"`(\w+)`", second)}

    assert described == there


def test_the_schema_version_is_the_documented_one() -> None:
    assert RUN_SCHEMA.version == INDEX_SCHEMA.version == DOCUMENTS_SCHEMA.version == 1
    assert "**1** for all of them" in FORMATS.read_text()
