"""What one frame holds, put together record by record and row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quark import jsonio
from quark.storage.batch import NO_STEP, Batch, EncodedRecord, PointBlock

if TYPE_CHECKING:
    from quark.records import Record


class FrameContent:
    """Collects what one frame holds, for writers that have no session.

    >>> from quark.records import RunUpdateRecord
    >>> content = FrameContent()
    >>> content.add(RunUpdateRecord, 0, changes={"name": "warm-up"})
    >>> content.batch("run_1", "dashboard", 3).records[0].body
    b'{"changes":{"name":"warm-up"}}'
    """

    def __init__(self) -> None:
        self._records: list[tuple[str, int | None, int | None, int, bytes]] = []
        self._rows: list[tuple[tuple[str, ...], int, int, int, list[float]]] = []

    def __bool__(self) -> bool:
        return bool(self._records or self._rows)

    def add(self, kind: type[Record], time_us: int, **fields: Any) -> None:
        """Add a record."""
        body = jsonio.dumps({name: value for name, value in fields.items() if value is not None})
        place = (fields.get("step"), fields.get("epoch"))
        self._records.append((kind.KIND, *place, time_us, body))

    def add_row(
        self, values: dict[str, float], step: int | None, epoch: int | None, time_us: int
    ) -> None:
        """Add values of one moment."""
        place = (NO_STEP if step is None else step, NO_STEP if epoch is None else epoch)
        self._rows.append((tuple(values), *place, time_us, list(values.values())))

    def batch(self, run_id: str, writer_id: str, seq: int) -> Batch:
        """Return all of it as frame ``seq`` of a writer."""
        records = tuple(
            EncodedRecord(seq, ordinal, *record) for ordinal, record in enumerate(self._records)
        )
        return Batch(
            run_id=run_id,
            writer_id=writer_id,
            first_seq=seq,
            last_seq=seq,
            blocks=tuple(self._blocks(seq)),
            records=records,
        )

    def _blocks(self, seq: int) -> list[PointBlock]:
        import numpy as np

        blocks = []
        start = 0
        for end in range(1, len(self._rows) + 1):
            if end < len(self._rows) and self._rows[end][0] == self._rows[start][0]:
                continue
            rows = self._rows[start:end]
            blocks.append(
                PointBlock(
                    keys=rows[0][0],
                    seq=np.full(len(rows), seq, dtype=np.int64),
                    step=np.array([row[1] for row in rows], dtype=np.int64),
                    epoch=np.array([row[2] for row in rows], dtype=np.int64),
                    time_us=np.array([row[3] for row in rows], dtype=np.int64),
                    values=np.array([row[4] for row in rows], dtype=np.float64),
                )
            )
            start = end
        return blocks
