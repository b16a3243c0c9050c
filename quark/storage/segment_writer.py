"""Writes a batch's points as one pending segment, under numbers instead of keys.

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
from quark.storage.segment import encode_segment

#: How many different sets of keys are remembered from batch to batch.
_MAX_REMEMBERED_SETS = 256


class SegmentWriter:
    """Writes through one connection, and remembers what it knows of the ``key`` table.

    Rows of that table never change, so what is known stays true for as long as the file and the
    transactions do: after a roll-back, or with another connection, start a new writer.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._numbers: dict[str, int] = {}
        self._packed_sets: dict[tuple[str, ...], bytes] = {}

    def insert(self, writer_number: int, blocks: Sequence[PointBlock]) -> None:
        """Insert one segment inside the connection's open transaction.

        Raises:
            RecordRejectedError: A key cannot be kept.
        """
        if len(self._packed_sets) > _MAX_REMEMBERED_SETS:
            self._packed_sets.clear()
        for block in sorted(blocks, key=lambda block: int(block.seq[0])):
            if block.keys not in self._packed_sets:
                self._learn(block.keys)
        self.connection.execute(
            "INSERT INTO segment (point_count, body) VALUES (?, ?)",
            (
                sum(block.values.size for block in blocks),
                encode_segment(
                    writer_number, blocks, [self._packed_sets[block.keys] for block in blocks]
                ),
            ),
        )

    def _learn(self, keys: tuple[str, ...]) -> None:
        check_keys(keys)
        if not self._numbers.keys() >= set(keys):
            self._number(keys)
        numbers = np.array([self._numbers[key] for key in keys], dtype=np.int64)
        self._packed_sets[keys] = pack_ints(numbers)

    def _number(self, keys: tuple[str, ...]) -> None:
        known = self._numbers
        # Another process may have numbered some of them.
        known.update(
            self.connection.execute("SELECT name, id FROM key WHERE id >= ?", (len(known),))
        )
        new = [key for key in keys if key not in known]
        numbered = list(zip(new, range(len(known), len(known) + len(new)), strict=True))
        self.connection.executemany("INSERT INTO key (name, id) VALUES (?, ?)", numbered)
        known.update(numbered)
