"""Delivers the same batches to two stores and asks both the same questions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st

from quark.records import EventRecord
from quark.storage.memory import MemoryStore
from quark.storage.model import NO_STEP, Batch, PointBlock, RecordFilter, StepRange
from quark.storage.protocols import Store
from tests.storage.building import (
    assert_same_buckets,
    batch,
    create_run,
    plain_stats,
    points_of,
    record,
)

#: Writer, how many known frames come again, how many frames there are, and how to merge then.
Plan = list[tuple[str, int, int, str]]

KEYS = ["a", "b", "c", "d", "e"]
SPECIAL = [0.0, -0.0, float("nan"), float("inf"), -float("inf"), 1.5, 1e308, -1e308, 3.0, 0.1]

small_ranges = st.builds(
    StepRange,
    step=st.none() | st.integers(-2, 12),
    step_min=st.none() | st.integers(-2, 12),
    step_max=st.none() | st.integers(-2, 12),
    epoch=st.none() | st.integers(0, 3),
    epoch_min=st.none() | st.integers(0, 3),
    limit=st.none() | st.integers(0, 30),
)
ranges = st.just(StepRange()) | small_ranges


@dataclass
class Writer:
    """Frames of one writer, made on demand and the same whenever they are asked for again."""

    name: str
    seed: int
    frames: dict[int, tuple[tuple[str, ...], list[int], list[float], bool]] = field(
        default_factory=dict
    )

    def frame(self, seq: int) -> tuple[tuple[str, ...], list[int], list[float], bool]:
        if seq not in self.frames:
            generator = np.random.default_rng([self.seed, seq])
            count = int(generator.integers(0, len(KEYS) + 1))
            wide = generator.random() < 0.7
            keys = tuple(KEYS[:3]) if wide else tuple(generator.permutation(KEYS)[:count].tolist())
            step = int(generator.integers(-1, 12)) if generator.random() < 0.3 else seq
            place = [
                NO_STEP if step < 0 else step,
                NO_STEP if generator.random() < 0.2 else seq // 4,
                10**15 + seq * 1_000 + int(generator.integers(0, 99)),
            ]
            values = [
                float(generator.choice(SPECIAL)) if generator.random() < 0.3 else seq * 0.5
                for _ in keys
            ]
            self.frames[seq] = (keys, place, values, bool(generator.random() < 0.3))
        return self.frames[seq]

    def batch(self, first_seq: int, last_seq: int) -> Batch:
        """Decode frames as a shipper would: a block for each set of keys."""
        rows: dict[tuple[str, ...], list[int]] = {}
        events = []
        for seq in range(first_seq, last_seq + 1):
            keys, place, _, has_event = self.frame(seq)
            rows.setdefault(keys, []).append(seq)
            if has_event:
                events.append(record(seq, step=None if place[0] == NO_STEP else place[0],
                                     severity="error" if seq % 2 else "info"))  # fmt: skip
        blocks = []
        for keys, seqs in rows.items():
            places = np.array([self.frame(seq)[1] for seq in seqs]).reshape(-1, 3)
            values = np.array([self.frame(seq)[2] for seq in seqs]).reshape(len(seqs), len(keys))
            blocks.append(PointBlock(
                keys=keys, seq=np.array(seqs), step=places[:, 0].copy(), epoch=places[:, 1].copy(),
                time_us=places[:, 2].copy(), values=values.astype(np.float64)))  # fmt: skip
        return batch(first_seq, last_seq, *blocks, *events, writer_id=self.name)


deliveries = st.tuples(
    st.sampled_from(["w1", "w2"]),
    st.integers(0, 6),  # how many known frames are delivered again
    st.integers(1, 25),  # how many frames there are in all
    st.sampled_from(["", "", "merge", "final"]),
)


def memory_beside(other: Store, plan: Plan, seed: int) -> Store:
    """Deliver the same batches to ``other`` and to a store in memory, which is returned."""
    memory = MemoryStore()
    writers = {name: Writer(name, seed + number) for number, name in enumerate(["w1", "w2"])}
    create_run(memory)
    create_run(other)
    for name, again, count, merging in plan:
        first = max(1, memory.position("run-1", name) + 1 - again)
        delivered = writers[name].batch(first, first + count - 1)
        assert memory.append(delivered) == other.append(delivered)
        if merging:
            other.points.merge("run-1", final=merging == "final")
    return memory


def long_plan() -> Plan:
    """Return a plan of merges of all sizes."""
    generator = np.random.default_rng(3)
    return [
        (
            f"w{generator.integers(1, 3)}",
            int(generator.integers(0, 30)),
            int(generator.integers(1, 120)),
            str(generator.choice(["", "", "", "merge", "final"])),
        )
        for _ in range(120)
    ]


def agree(memory: Store, other: Store, steps: StepRange, bucket_count: int) -> None:
    """Compare all that can be asked about points and events."""
    for ask in (
        lambda store: store.records.count("run-1"),
        lambda store: store.records.read(EventRecord, "run-1", RecordFilter(steps=steps)),
        lambda store: store.records.read(
            EventRecord, "run-1", RecordFilter(steps=steps, equals={"severity": "error"})
        ),
        lambda store: [
            (key, plain_stats(stats)) for key, stats in store.points.keys("run-1").items()
        ],
        lambda store: [
            (key, points_of(series))
            for key, series in store.points.many_series("run-1", KEYS, steps).items()
        ],
    ):
        same(ask, memory, other)
    for key in KEYS:
        assert_same_buckets(
            other.points.buckets("run-1", key, bucket_count, steps),
            memory.points.buckets("run-1", key, bucket_count, steps),
        )


def same(ask: Callable[[Store], object], memory: Store, other: Store) -> None:
    assert ask(other) == ask(memory)
