"""Frames become columns that hold exactly what was logged, checked against plain dicts."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given, strategies as st

from quark import jsonio
from quark.pipeline.decode import decode
from quark.pipeline.frames import METRIC, RECORD, Frame
from quark.pipeline.rows import encode_row
from quark.storage.model import NO_STEP, Batch

KEYS = st.sampled_from(["loss", "acc", "lr", "train/loss", "ü", "n"])
VALUES = (
    st.floats()
    | st.integers(-(2**60), 2**60)
    | st.booleans()
    | st.none()
    | st.text(max_size=5)
    | st.lists(st.integers(-(2**63), 2**63), max_size=2)
    | st.dictionaries(st.sampled_from(["a", "b"]), st.floats(), min_size=1, max_size=2)
)
ROWS = st.lists(st.dictionaries(KEYS, VALUES, max_size=5), min_size=1, max_size=15)


def frames_of(rows: list[dict[str, Any]]) -> list[Frame]:
    return [Frame(n + 1, 1000 + n, 10 * n, *encode_row(row)) for n, row in enumerate(rows)]


def unpacked(batch: Batch) -> tuple[dict[tuple[int, str], float], dict[tuple[int, str], Any]]:
    points: dict[tuple[int, str], float] = {}
    for block in batch.blocks:
        for row, seq in enumerate(block.seq.tolist()):
            for column, key in enumerate(block.keys):
                assert (seq, key) not in points
                points[seq, key] = block.values[row, column]
                assert block.step[row] == 10 * (seq - 1)
                assert block.time_us[row] == 1000 + seq - 1
                assert block.epoch[row] == NO_STEP
    values = {
        (record.seq, jsonio.loads(record.body)["key"]): jsonio.loads(record.body)["value"]
        for record in batch.records
    }
    return points, values


def is_point(value: Any) -> bool:
    if type(value) is int:
        return int(float(value)) == value
    return type(value) is float


@given(ROWS)
def test_every_number_becomes_a_point_and_everything_else_a_value(
    rows: list[dict[str, Any]],
) -> None:
    points: dict[tuple[int, str], float] = {}
    values: dict[tuple[int, str], Any] = {}
    for n, row in enumerate(rows):
        for key, value in row.items():
            inner = value.items() if isinstance(value, dict) else [(None, value)]
            for name, item in inner:
                full = key if name is None else f"{key}.{name}"
                (points if is_point(item) else values)[n + 1, full] = item

    batch = decode("run_1", "w1", frames_of(rows))

    found_points, found_values = unpacked(batch)
    assert found_values == values
    assert found_points.keys() == points.keys()
    for place, value in points.items():
        assert found_points[place] == value or math.isnan(found_points[place])
    assert (batch.first_seq, batch.last_seq) == (1, len(rows))


def test_rows_of_the_same_keys_share_one_block() -> None:
    rows = [{"loss": float(n), "lr": 0.1} for n in range(100)]

    batch = decode("run_1", "w1", frames_of(rows))

    (block,) = batch.blocks
    assert block.keys == ("loss", "lr")
    assert block.values.shape == (100, 2)
    assert block.values[:, 0].tolist() == [float(n) for n in range(100)]


def test_a_native_sample_keeps_its_epoch_and_its_notes() -> None:
    body = jsonio.dumps(["eval/f1", 0.5, 2, "Macro F1.", {"split": "holdout"}])

    batch = decode("run_1", "w1", [Frame(9, 77, NO_STEP, METRIC, body)])

    (block,) = batch.blocks
    assert (block.keys, block.epoch.tolist(), block.step.tolist()) == (("eval/f1",), [2], [NO_STEP])
    (note,) = batch.records
    assert (note.seq, note.kind, note.epoch) == (9, "metric_note", 2)
    assert jsonio.loads(note.body)["metadata"] == {"split": "holdout"}


def test_a_record_keeps_its_kind_place_and_body() -> None:
    body = b'event\0{"event_type":"x","epoch":4}'

    (record,) = decode("run_1", "w1", [Frame(3, 5, 12, RECORD, body)]).records

    assert record[:6] == (3, 0, "event", 12, 4, 5)
    assert record.body == b'{"event_type":"x","epoch":4}'


def test_a_key_that_no_store_takes_is_counted_and_costs_nothing_else() -> None:
    losses: list[tuple[str, str]] = []
    rows = [{"": 1.0, "k" * 513: 2.0, "é" * 257: 3.0, "good": 4.0}]

    batch = decode("run_1", "w1", frames_of(rows), lambda kind, why: losses.append((kind, why)))

    assert [block.keys for block in batch.blocks] == [("good",)]
    assert losses == [("history row", "bad_key")] * 3


def test_a_dict_that_says_its_type_stays_whole() -> None:
    media = {"_type": "image-file", "path": "a.png", "width": 3}

    batch = decode("run_1", "w1", frames_of([{"img": media, "loss": 1.0}]))

    assert jsonio.loads(batch.records[0].body)["value"] == media
    assert [block.keys for block in batch.blocks] == [("loss",)]
