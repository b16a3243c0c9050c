"""Where frames go that a store refuses for good: kept as they are, beside the reason."""

from __future__ import annotations

from pathlib import Path

from quark import jsonio
from quark.pipeline.frames import (
    Frame,
    SegmentMeta,
    encode_frame,
    encode_segment_header,
)


def set_aside(run_dir: Path, meta: SegmentMeta, frame: Frame, reason: str) -> None:
    """Write ``frame`` as a segment of its own into ``quarantine/`` with the reason as text.

    The file has the journal's format, so it can be delivered again once the cause is mended.
    """
    folder = run_dir / "quarantine"
    name = f"{meta.writer_id}-{frame.seq}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        header = encode_segment_header(meta, frame.seq)
        (folder / f"{name}.qj").write_bytes(header + encode_frame(frame))
        (folder / f"{name}.json").write_bytes(jsonio.dumps({"seq": frame.seq, "reason": reason}))
    except OSError:
        return  # the disk is full too; the loss is counted by the caller
