"""Many records in one frame: what is read back is what was said, under the promised ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from quark import TrainingSession
from quark.errors import SchemaValidationError
from quark.hooks.emitted import Outbox, emit
from quark.ids import record_id
from quark.records import LayerSummaryRecord
from quark.session import RunRequest
from quark.settings import Settings
from quark.storage.model import RecordFilter

NUMBERS = st.none() | st.floats()
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "module_name": st.sampled_from(["", "fc", "block.0", "ü\n\0"]),
            "element_count": st.integers(0, 2**40),
            "tensor_shape": st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9)),
            "mean": NUMBERS,
            "norm": NUMBERS,
            "metadata": st.dictionaries(
                st.sampled_from(["epoch", "output", "\n"]),
                st.integers(-(2**63), 2**64 - 1) | st.text(max_size=3),
            ),
        }
    ),
    min_size=1,
    max_size=6,
)
TIME_US = 1_704_067_200_000_001


def whole(row: dict[str, Any]) -> dict[str, Any]:
    kinds = {"summary_type": "activation", "hook_direction": "forward"}
    return {**row, "module_type": "Linear", "call_index": 0, **kinds}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(ROWS, st.integers(0, 9), st.none() | st.integers(0, 9)), min_size=1, max_size=4
    )
)
def test_what_is_read_back_is_what_was_emitted(
    tmp_path: Path, frames: list[tuple[list[dict[str, Any]], int, int | None]]
) -> None:
    promised: list[LayerSummaryRecord] = []
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        for rows, step, epoch in frames:
            emitted = emit(
                session.handle,
                LayerSummaryRecord,
                [whole(row) for row in rows],
                step=step,
                epoch=epoch,
                time_us=TIME_US,
            )
            promised += emitted.records()
            assert [one.id for one in emitted.records()] == [
                record_id(emitted.writer_id, emitted.seq, place) for place in range(len(rows))
            ]
        with session.reading() as store:
            found = store.records.read(LayerSummaryRecord, session.run_id)
            at_epoch = store.records.read(
                LayerSummaryRecord, session.run_id, RecordFilter(equals={"module_name": "fc"})
            )

    assert list(map(repr, found)) == list(map(repr, promised))  # NaN equals itself in writing
    assert list(map(repr, at_epoch)) == [repr(one) for one in promised if one.module_name == "fc"]
    assert {one.timestamp for one in found} == {"2024-01-01T00:00:00.000001Z"}
    assert len({one.id for one in found}) == len(found)


def test_nothing_is_journaled_for_no_rows_or_for_one_that_json_cannot_say(tmp_path: Path) -> None:
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        before = session.handle.journal.last_seq
        place: dict[str, Any] = {"step": 1, "epoch": None, "time_us": TIME_US}

        assert session.handle.emit_many(LayerSummaryRecord, [], **place) == ("", 0)
        with pytest.raises(SchemaValidationError, match="object"):
            session.handle.emit_many(
                LayerSummaryRecord, [{"mean": 1.0}, {"mean": object()}], **place
            )

        assert session.handle.journal.last_seq == before


def test_what_a_full_spool_refuses_has_no_id_and_is_counted_record_by_record(
    tmp_path: Path,
) -> None:
    sizes = {"segment_bytes": 65_536, "spool_max_bytes": 65_536, "mode": "offline"}
    chosen = Settings.load(storage_dir=str(tmp_path), **sizes)
    session = TrainingSession.open(RunRequest(project="p", settings=chosen))
    row = whole({"module_name": "x" * 100, "element_count": 1, "tensor_shape": (1,)})

    emitted = [
        emit(session.handle, LayerSummaryRecord, [row] * 10, step=step, epoch=None, time_us=TIME_US)
        for step in range(60)
    ]
    session.end_run("completed")

    refused = [one for one in emitted if not one.seq]
    assert refused
    assert {record.id for one in refused for record in one.records()} == {""}
    dropped = session.handle.diagnostics().dropped
    assert dropped["layer_summary: spool_full"] == 10 * len(refused)


def test_an_outbox_hands_out_what_is_left_of_the_last_batch(tmp_path: Path) -> None:
    outbox: Outbox[LayerSummaryRecord] = Outbox(4)
    row = whole({"module_name": "fc", "element_count": 1})
    with TrainingSession.start_run(project="p", storage_dir=tmp_path) as session:
        full = [
            outbox.add(
                emit(
                    session.handle,
                    LayerSummaryRecord,
                    [row] * count,
                    step=step,
                    epoch=None,
                    time_us=TIME_US,
                )
            )
            for step, count in enumerate([3, 2, 1, 2])
        ]

    assert full == [False, True, False, False]
    assert [record.step for record in outbox.take()] == [2, 3, 3]
    assert outbox.take() == ()
