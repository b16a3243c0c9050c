"""The bytes of a journal: segment headers and frames, and how they are found again.

A segment is a file of fixed size: a header that says what it belongs to, then frames, each on an
8-byte boundary, then zeros. A frame is (little-endian)::

    offset  bytes  meaning
         0      4  length of the body; 0: nothing was written here
         4      4  CRC-32 of bytes 8 to the end of the body
         8      8  seq: number of the frame within its writer, from 1
        16      8  time: microseconds since 1970, UTC
        24      8  step, or -2**63 for none
        32      1  kind of frame
        33      1  zero
        34      2  "QJ", so that a reader can find the next frame behind damage
        36      4  length of the body once more
        40      …  body

Length and checksum are written last. A frame whose checksum does not fit is skipped; the reader
goes on at the next place that holds "QJ" and a frame whose checksum does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Any, NamedTuple
from zlib import crc32

from quark import jsonio
from quark.errors import DamagedFileError, SchemaValidationError

FRAME_HEADER_BYTES = 40
ALIGNMENT = 8
MARK = 0x4A51
MARK_BYTES = b"QJ"
SEALED = Struct("<qqqBBHI")  # what the checksum covers, before the body
LEAD = Struct("<II")  # length and checksum, written last
_WHOLE = Struct("<IIqqqBBHI")
_MARK_OFFSET = 34

#: Kinds of frame.
ROW = 1  # body: a JSON object of plain scalars and values, one ``log`` call
ROW_EXACT = 2  # the same with values that JSON cannot say, see ``rows``
METRIC = 3  # body: a JSON array of one native metric sample
RECORD = 4  # body: the record's kind, a zero byte, and its JSON body
RECORDS = 5  # the same with several bodies, one a line, that share kind, step and epoch

FRAME_NAMES = {
    ROW: "history row",
    ROW_EXACT: "history row",
    METRIC: "metric",
    RECORD: "record",
    RECORDS: "records",
}

SEGMENT_MAGIC = b"QUARKJ1\n"
SEGMENT_VERSION = 1
_SEGMENT_HEADER = Struct(
    "<8sIIIIq"
)  # magic, version, header bytes, meta bytes, meta CRC, first seq
_HEADER_ALIGNMENT = 64

#: zlib gives up the GIL for buffers above 5 KiB; the hot path must not.
_CRC_PIECE = 4096


class Frame(NamedTuple):
    """One frame as it was journaled."""

    seq: int
    time_us: int
    step: int
    kind: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentMeta:
    """What a segment belongs to, so that a fragment found anywhere can be delivered.

    ``owner`` says that this writer started or resumed the run and ends it.
    """

    run_id: str
    writer_id: str
    project: str
    workspace: str = "local"
    rank: int = 0
    owner: bool = False
    created_at: str = ""
    store_target: str = ""
    host: str = ""
    pid: int = 0


def frame_crc(sealed: bytes, body: bytes) -> int:
    """Return a frame's checksum without giving up the GIL."""
    if len(body) <= _CRC_PIECE:
        return crc32(body, crc32(sealed))
    checksum = crc32(sealed)
    view = memoryview(body)
    for start in range(0, len(body), _CRC_PIECE):
        checksum = crc32(view[start : start + _CRC_PIECE], checksum)
    return checksum


def frame_name(kind: int, body: bytes) -> str:
    """Return what to call a frame when it is counted: a record by its own kind."""
    if kind in (RECORD, RECORDS):
        return body.partition(b"\0")[0].decode(errors="replace")
    return FRAME_NAMES.get(kind, "record")


def record_count(kind: int, body: bytes) -> int:
    """Return how many records a frame counts for."""
    return body.count(b"\n") + 1 if kind == RECORDS else 1


def encode_frame(frame: Frame) -> bytes:
    """Return a whole frame as it stands in a segment."""
    size = len(frame.body)
    sealed = SEALED.pack(frame.seq, frame.time_us, frame.step, frame.kind, 0, MARK, size)
    return LEAD.pack(size, frame_crc(sealed, frame.body)) + sealed + frame.body


def aligned(position: int) -> int:
    """Return the first frame boundary at or after ``position``."""
    return (position + ALIGNMENT - 1) & -ALIGNMENT


def encode_segment_header(meta: SegmentMeta, first_seq: int) -> bytes:
    """Return the header of a segment, padded to where its first frame starts."""
    text = jsonio.dumps({name: getattr(meta, name) for name in SegmentMeta.__slots__})
    size = -(-(_SEGMENT_HEADER.size + len(text)) // _HEADER_ALIGNMENT) * _HEADER_ALIGNMENT
    head = _SEGMENT_HEADER.pack(
        SEGMENT_MAGIC, SEGMENT_VERSION, size, len(text), crc32(text), first_seq
    )
    return (head + text).ljust(size, b"\0")


def decode_segment_header(data: bytes) -> tuple[SegmentMeta, int, int] | None:
    """Return what a segment belongs to, its first seq, and where its frames start.

    None for a segment that was made ready but never used.

    Raises:
        DamagedFileError: The header cannot be believed.
    """
    if not data.strip(b"\0"):
        return None
    if len(data) < _SEGMENT_HEADER.size:
        raise DamagedFileError(f"A journal segment of {len(data)} bytes is too short for a header.")
    magic, version, size, text_size, checksum, first_seq = _SEGMENT_HEADER.unpack_from(data)
    if magic != SEGMENT_MAGIC:
        raise DamagedFileError(f"A journal segment starts with {magic!r}, not {SEGMENT_MAGIC!r}.")
    if version > SEGMENT_VERSION:
        raise DamagedFileError(
            f"A journal segment has format {version}; this Quark reads up to {SEGMENT_VERSION}. "
            "Upgrade quark-observe to read it."
        )
    text = data[_SEGMENT_HEADER.size : _SEGMENT_HEADER.size + text_size]
    if crc32(text) != checksum:
        raise DamagedFileError("The header of a journal segment does not match its checksum.")
    return _meta(jsonio.loads(text)), first_seq, size


def _meta(values: Any) -> SegmentMeta:
    if not isinstance(values, dict):
        raise SchemaValidationError(f"A journal segment's header holds {values!r}, not an object.")
    return SegmentMeta(**{k: v for k, v in values.items() if k in SegmentMeta.__slots__})


def read_frame(data: bytes, position: int) -> tuple[Frame, int] | None:
    """Return the frame at ``position`` and where the next one starts; None if none can be read."""
    body_start = position + FRAME_HEADER_BYTES
    if body_start > len(data):
        return None
    length, checksum, seq, time_us, step, kind, _, mark, again = _WHOLE.unpack_from(data, position)
    end = body_start + length
    if not length or end > len(data) or mark != MARK or again != length:
        return None
    if crc32(memoryview(data)[position + 8 : end]) != checksum:
        return None
    return Frame(seq, time_us, step, kind, data[body_start:end]), (end + 7) & -8


def find_frame(data: bytes, start: int) -> int | None:
    """Return the position of the first readable frame at or after ``start``."""
    found = data.find(MARK_BYTES, start + _MARK_OFFSET)
    while found != -1:
        position = found - _MARK_OFFSET
        if position % ALIGNMENT == 0 and read_frame(data, position) is not None:
            return position
        found = data.find(MARK_BYTES, found + 1)
    return None


@dataclass(slots=True)
class FrameScan:
    """Reads frames out of ``data`` (from a frame boundary on), skipping and counting damage.

    ``end`` is where reading has come to; ``damaged`` counts places that had to be skipped. With
    ``live`` the reader stops at the first frame that cannot be read: it may be on its way.
    """

    data: bytes
    end: int = 0
    damaged: int = 0
    live: bool = False

    def frames(self) -> Iterator[Frame]:
        while True:
            read = read_frame(self.data, self.end)
            if read is None:
                if self.live:
                    return
                found = find_frame(self.data, self.end + ALIGNMENT)
                if found is None:
                    self.damaged += self._torn()
                    return
                self.damaged += 1
                self.end = found
                continue
            frame, self.end = read
            yield frame

    def _torn(self) -> int:
        """Say whether something that is no clean end stands where reading stopped."""
        lead = self.data[self.end : self.end + LEAD.size]
        return int(any(lead))
