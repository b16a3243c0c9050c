"""Finds keys whose points share an axis, and puts their values side by side.

Keys that occur in exactly the same pending blocks, and whose joined tails lie on the same axes,
form a group: one axis for all of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from quark.storage.axis import Axis, joined
from quark.storage.segment import SegmentBlock

if TYPE_CHECKING:
    from quark.storage.model import Float64Array, Int64Array


class Tail(NamedTuple):
    """A small chunk at the end of a key, unpacked to be joined with what follows."""

    chunk_id: int
    axis_id: int
    axis: Axis
    value: Float64Array


class Group(NamedTuple):
    """Keys with one axis; ``values`` is keys × points, in order of arrival."""

    key_numbers: Int64Array
    axis: Axis
    values: Float64Array
    replaced: list[Tail]


class _PlacedBlock(NamedTuple):
    """A block, and where it stands in the order of arrival."""

    segment: int
    place: int
    block: SegmentBlock


def plan(
    segments: Sequence[Sequence[SegmentBlock]], tails: Mapping[int, Sequence[Tail]]
) -> Iterator[Group]:
    """Yield the groups of all pending points and the tails that go with them."""
    by_keys: dict[bytes, list[_PlacedBlock]] = defaultdict(list)
    for segment, blocks in enumerate(segments):
        for place, block in enumerate(blocks):
            by_keys[block.key_numbers.tobytes()].append(_PlacedBlock(segment, place, block))
    for numbers, block_sets in _grouped(list(by_keys.values()), tails):
        placed = [placed for blocks in block_sets for placed in blocks]
        group_tails = [list(tails.get(number, ())) for number in numbers.tolist()]
        yield _group(numbers, placed, group_tails)


def _grouped(
    block_sets: Sequence[list[_PlacedBlock]], tails: Mapping[int, Sequence[Tail]]
) -> Iterator[tuple[Int64Array, list[list[_PlacedBlock]]]]:
    """Split the keys by the sets of blocks they are in, starting from those with equal tails."""
    key_sets = [blocks[0].block.key_numbers for blocks in block_sets]
    highest = max([int(keys.max()) for keys in key_sets] + list(tails), default=-1)
    label = np.zeros(highest + 1, dtype=np.int64)
    same_tails: dict[tuple[int, ...], int] = {(): 0}
    for number, key_tails in tails.items():
        axes = tuple(tail.axis_id for tail in key_tails)
        label[number] = same_tails.setdefault(axes, len(same_tails))
    label_count = len(same_tails)
    members: list[set[int]] = [set() for _ in range(label_count)]
    for place, keys in enumerate(key_sets):
        # All keys of a set that had one label so far get one new label together.
        old_labels, split = np.unique(label[keys], return_inverse=True)
        label[keys] = label_count + split
        members += [members[old] | {place} for old in old_labels.tolist()]
        label_count += len(old_labels)
    by_label = np.argsort(label, kind="stable")
    labels, starts = np.unique(label[by_label], return_index=True)
    for found, numbers in zip(labels.tolist(), np.split(by_label, starts[1:]), strict=True):
        if members[found] or found:  # label 0: no tails, and in no block
            yield numbers, [block_sets[place] for place in sorted(members[found])]


def _group(
    numbers: Int64Array, placed: list[_PlacedBlock], tails: Sequence[Sequence[Tail]]
) -> Group:
    axes = [tail.axis for tail in tails[0]]
    columns = [
        np.stack([key_tails[place].value for key_tails in tails]) for place in range(len(tails[0]))
    ]
    if placed:
        pending_axis, pending_values = _pending(numbers, placed)
        axes.append(pending_axis)
        columns.append(pending_values)
    values = columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)
    replaced = [tail for key_tails in tails for tail in key_tails]
    return Group(numbers, joined(axes), values, replaced)


def _pending(numbers: Int64Array, placed: list[_PlacedBlock]) -> tuple[Axis, Float64Array]:
    """Return axis and values (keys × points) of some keys' pending points, by arrival."""
    placed = sorted(placed, key=lambda each: (each.segment, each.place))
    columns: dict[bytes, Int64Array] = {}
    rows = []
    for _, _, block in placed:
        keys = block.key_numbers.tobytes()
        if keys not in columns:
            columns[keys] = _columns_of(numbers, block.key_numbers)
        has_same_keys = len(numbers) == len(block.key_numbers)
        in_order = has_same_keys and bool((columns[keys][1:] > columns[keys][:-1]).all())
        rows.append(block.values if in_order else block.values[:, columns[keys]])
    axis = joined([each.block.axis() for each in placed])
    matrix = np.concatenate(rows).astype(np.float64, copy=False)
    segment = np.repeat(
        [each.segment for each in placed], [each.block.row_count for each in placed]
    )
    # Within a block rows are in order; blocks of one segment may have to be interleaved.
    is_interleaved = (segment[1:] == segment[:-1]) & (axis.seq[1:] < axis.seq[:-1])
    if is_interleaved.any():
        order = np.lexsort((axis.seq, segment))
        axis, matrix = axis.take(order), matrix[order]
    return axis, np.ascontiguousarray(matrix.T)


def _columns_of(numbers: Int64Array, key_numbers: Int64Array) -> Int64Array:
    """Return in which columns of a block the keys are."""
    sorter = np.argsort(key_numbers, kind="stable")
    return sorter[np.searchsorted(key_numbers, numbers, sorter=sorter)]
