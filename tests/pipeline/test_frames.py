"""Frames come back as they were written; damage costs what it hit and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from quark.errors import DamagedFileError
from quark.pipeline.frames import (
    LEAD,
    MARK,
    SEALED,
    Frame,
    FrameScan,
    SegmentMeta,
    aligned,
    decode_segment_header,
    encode_segment_header,
    frame_crc,
)

INT64 = st.integers(-(2**63), 2**63 - 1)
BODIES = st.binary(min_size=1, max_size=200) | st.just(b"QJ" * 50) | st.just(b"\0" * 64)
FRAMES = st.lists(
    st.builds(Frame, st.integers(1, 2**63 - 1), INT64, INT64, st.integers(0, 255), BODIES),
    min_size=1,
    max_size=20,
)


def write(frames: list[Frame]) -> tuple[bytearray, list[int]]:
    """Lay frames out as a segment does, with room behind them; also where each one starts."""
    data, starts = bytearray(), []
    for frame in frames:
        starts.append(len(data))
        sealed = SEALED.pack(
            frame.seq, frame.time_us, frame.step, frame.kind, 0, MARK, len(frame.body)
        )
        data += LEAD.pack(len(frame.body), frame_crc(sealed, frame.body)) + sealed + frame.body
        data += bytes(aligned(len(data)) - len(data))
    return data + bytes(256), starts


@given(FRAMES)
def test_frames_come_back_as_they_were_written(frames: list[Frame]) -> None:
    data, _ = write(frames)

    scan = FrameScan(bytes(data))

    assert list(scan.frames()) == frames
    assert scan.damaged == 0


@given(FRAMES, st.data())
def test_a_damaged_byte_costs_at_most_the_frame_it_is_in(
    frames: list[Frame], data: st.DataObject
) -> None:
    stored, starts = write(frames)
    hit = data.draw(st.integers(0, len(frames) - 1))
    end = starts[hit + 1] if hit + 1 < len(starts) else len(stored) - 256
    place = data.draw(st.integers(starts[hit], end - 1))
    stored[place] ^= data.draw(st.integers(1, 255))

    scan = FrameScan(bytes(stored))
    found = list(scan.frames())

    without = frames[:hit] + frames[hit + 1 :]
    if found == frames:  # the byte was padding
        assert scan.damaged == 0
    else:
        assert found == without
        assert scan.damaged == 1


@given(FRAMES, st.data())
def test_a_torn_tail_is_cut_wherever_the_process_died(
    frames: list[Frame], data: st.DataObject
) -> None:
    stored, starts = write(frames)
    cut = data.draw(st.integers(starts[-1], len(stored) - 257))
    stored[cut:] = bytes(len(stored) - cut)  # pages that were never written are zeros

    found = list(FrameScan(bytes(stored)).frames())

    whole = frames if not any(write(frames)[0][cut:]) else frames[:-1]
    assert found == whole


def test_a_live_reader_stops_at_a_frame_that_is_on_its_way() -> None:
    frames = [Frame(seq, 1, seq, 1, b"{}") for seq in (1, 2, 3)]
    stored, starts = write(frames)
    stored[starts[1] : starts[1] + LEAD.size] = bytes(LEAD.size)

    live = FrameScan(bytes(stored), live=True)

    assert [frame.seq for frame in live.frames()] == [1]
    assert live.end == starts[1]
    assert [frame.seq for frame in FrameScan(bytes(stored)).frames()] == [1, 3]


def test_a_header_says_what_a_segment_belongs_to() -> None:
    meta = SegmentMeta(
        run_id="run_1", writer_id="w1", project="näme", rank=3, owner=True, pid=7, host="node-1"
    )

    header = encode_segment_header(meta, 41)

    assert decode_segment_header(header + bytes(100)) == (meta, 41, len(header))
    assert len(header) % 64 == 0
    assert decode_segment_header(bytes(4096)) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda h: b"NOTQUARK" + h[8:], "starts with", id="magic"),
        pytest.param(lambda h: h[:8] + b"\x63" + h[9:], "format 99", id="newer-version"),
        pytest.param(lambda h: h.replace(b"run_1", b"run_2"), "checksum", id="text"),
        pytest.param(lambda h: h[:10], "too short", id="short"),
    ],
)
def test_a_header_that_cannot_be_believed_is_refused(change, message: str) -> None:  # type: ignore[no-untyped-def]
    header = encode_segment_header(SegmentMeta(run_id="run_1", writer_id="w1", project="p"), 1)

    with pytest.raises(DamagedFileError, match=message):
        decode_segment_header(change(header))
