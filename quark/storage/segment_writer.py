"""Packs a batch's points as one pending segment, under numbers instead of keys.

Numbers are given in order of first arrival, so ten thousand keys that come together are one
arithmetic progression and cost a few bytes a batch.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import numpy as np

from quark.storage.admission import check_keys
from quark.storage.columns import pack_ints
from quark.storage.model import PointBlock
from quark.storage.run_tables import KeyTable
from quark.storage.segment import encode_segment
from quark.storage.sqlite_tables import SqliteTables

#: How many different sets of keys are remembered from batch to batch, and of how many keys.
_MAX_REMEMBERED_SETS = 256
_MAX_REMEMBERED_KEYS = 1 << 18


class KeyNumbers:
    """What is known of a run's keys, so that most batches are packed without asking.

    Keys never change their numbers, so what is known stays true for as long as the run is there
    and the transactions that numbered keys were not rolled back: then begin anew.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._packed_sets: dict[tuple[str, ...], bytes] = {}
        self._remembered_keys = 0

    @property
    def count(self) -> int:
        """How many keys are known."""
        return len(self._numbers)

    @property
    def size(self) -> int:
        """How many keys are remembered, those of sets counted again."""
        return len(self._numbers) + self._remembered_keys

    def learn(self, blocks: Sequence[PointBlock], table: KeyTable | None) -> bool:
        """Know the keys of all blocks; number new ones in ``table``, if there is one.

        Returns:
            Whether all are known now; always, if there is a table.

        Raises:
            RecordRejectedError: A key cannot be kept.
        """
        if (
            len(self._packed_sets) > _MAX_REMEMBERED_SETS
            or self._remembered_keys > _MAX_REMEMBERED_KEYS
        ):
            self._packed_sets.clear()
            self._remembered_keys = 0
        for block in sorted(blocks, key=lambda block: int(block.seq[0])):
            keys = block.keys
            if keys in self._packed_sets:
                continue
            check_keys(keys)
            if not self._numbers.keys() >= set(keys):
                if table is None:
                    return False
                self._number(keys, table)
            numbers = np.array([self._numbers[key] for key in keys], dtype=np.int64)
            self._packed_sets[keys] = pack_ints(numbers)
            self._remembered_keys += len(keys)
        return True

    def pack(self, writer_number: int, blocks: Sequence[PointBlock]) -> bytes:
        """Return the segment of blocks whose keys are known."""
        return encode_segment(
            writer_number, blocks, [self._packed_sets[block.keys] for block in blocks]
        )

    def _number(self, keys: tuple[str, ...], table: KeyTable) -> None:
        known = self._numbers
        # Another process may have numbered some of them.
        known.update(table.keys_from(len(known)))
        new = [key for key in keys if key not in known]
        numbered = list(zip(new, range(len(known), len(known) + len(new)), strict=True))
        table.add_keys(numbered)
        known.update(numbered)


class SegmentWriter:
    """Writes through one SQLite connection, and remembers what it knows of the ``key`` table.

    After a roll-back, or with another connection, start a new writer.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._tables = SqliteTables(connection)
        self._keys = KeyNumbers()

    def insert(self, writer_number: int, blocks: Sequence[PointBlock]) -> None:
        """Insert one segment inside the connection's open transaction.

        Raises:
            RecordRejectedError: A key cannot be kept.
        """
        self._keys.learn(blocks, self._tables)
        self.connection.execute(
            "INSERT INTO segment (point_count, body) VALUES (?, ?)",
            (sum(block.values.size for block in blocks), self._keys.pack(writer_number, blocks)),
        )
