"""Where frames go that a store refuses for good: kept as they are, beside the reason."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from quark import jsonio
from quark.errors import DamagedFileError, RecordRejectedError, SchemaValidationError
from quark.pipeline.frames import (
    Frame,
    FrameScan,
    SegmentMeta,
    decode_segment_header,
    encode_frame,
    encode_segment_header,
)
from quark.pipeline.recovered import Recovered

if TYPE_CHECKING:
    from quark.storage.protocols import Store

QUARANTINE: Final = "quarantine"


def set_aside(run_dir: Path, meta: SegmentMeta, frame: Frame, reason: str) -> None:
    """Write ``frame`` as a segment of its own into ``quarantine/`` with the reason as text.

    The file has the journal's format, so it can be delivered again once the cause is mended.
    """
    folder = run_dir / QUARANTINE
    name = f"{meta.writer_id}-{frame.seq}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        header = encode_segment_header(meta, frame.seq)
        (folder / f"{name}.qj").write_bytes(header + encode_frame(frame))
        (folder / f"{name}.json").write_bytes(jsonio.dumps({"seq": frame.seq, "reason": reason}))
    except OSError:
        return  # the disk is full too; the loss is counted by the caller


def deliver_quarantined(store: Store, folder: Path) -> Recovered:
    """Try again to deliver the frames that were set aside in ``folder``.

    Their writer has gone on meanwhile, and a store takes no earlier frame of it. So each is
    delivered as the one frame of a writer of its own, whose name says which it is.

    Raises:
        RunNotFoundError: The store does not have the run.
        SessionStoreError: The store cannot take it now; what is left stays where it is.
    """
    from quark.pipeline.decode import decode  # numpy

    result = Recovered()
    for path in sorted(folder.glob("*.qj")):
        try:
            meta, frames = _read(path)
        except (DamagedFileError, SchemaValidationError):
            result.damaged += 1
            continue
        for frame in frames:
            writer_id = f"{meta.writer_id}-q{frame.seq}"
            if meta.run_id not in result.run_ids:
                result.run_ids += (meta.run_id,)
            result.frames += 1
            result.writers += 1
            try:
                store.append(decode(meta.run_id, writer_id, [frame], lambda kind, reason: None))
            except (RecordRejectedError, SchemaValidationError) as error:
                result.refused += 1
                set_aside(folder.parent, meta, frame, str(error))
                break
        else:
            for name in (path, path.with_suffix(".json")):
                name.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()
    return result


def _read(path: Path) -> tuple[SegmentMeta, list[Frame]]:
    data = path.read_bytes()
    header = decode_segment_header(data)
    if header is None:
        raise DamagedFileError(f"{path} holds nothing.")
    meta, _, start = header
    frames = list(FrameScan(data[start:]).frames())
    if not frames:
        raise DamagedFileError(f"{path} holds no frame that can be read.")
    return meta, frames
