"""Rows of the same keys as columns. The one module of decoding that needs numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from quark.storage.batch import PointBlock

if TYPE_CHECKING:
    from quark.pipeline.decode import RowGroup


def block_of(keys: tuple[str, ...], group: RowGroup) -> PointBlock:
    """Return the rows collected in ``group`` as a block."""
    values = np.array(group.values, dtype=np.float64)
    return PointBlock(
        keys=keys,
        seq=np.array(group.seq, dtype=np.int64),
        step=np.array(group.step, dtype=np.int64),
        epoch=np.array(group.epoch, dtype=np.int64),
        time_us=np.array(group.time_us, dtype=np.int64),
        values=values.reshape(len(group.seq), len(keys)),
    )
