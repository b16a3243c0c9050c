"""Whatever is done to both, the embedded store answers as the reference in memory does."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from quark.storage import merge
from quark.storage.embedded import EmbeddedStore
from quark.storage.model import StepRange
from tests.storage.equivalence import (
    Plan,
    agree,
    deliveries,
    long_plan,
    memory_beside,
    ranges,
)


@settings(max_examples=60)
@given(
    st.lists(deliveries, min_size=1, max_size=8),
    st.integers(0, 10**6),
    st.lists(ranges, min_size=2, max_size=4),
    st.integers(1, 40),
)
def test_any_sequence_of_batches(
    plan: Plan, seed: int, asked: list[StepRange], bucket_count: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        embedded = EmbeddedStore(Path(folder))
        memory = memory_beside(embedded, plan, seed)
        for steps in asked:
            agree(memory, embedded, steps, bucket_count)
        embedded.close()


def test_a_long_run_with_merges_of_all_sizes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge, "MERGE_POINTS", 300)
    monkeypatch.setattr(merge, "MERGE_POINTS_PER_KEY", 1)
    monkeypatch.setattr(merge, "TAIL_CHUNKS", 4)
    embedded = EmbeddedStore(tmp_path)

    memory = memory_beside(embedded, long_plan(), 11)

    for steps in (StepRange(), StepRange(step_min=100, step_max=2_000), StepRange(limit=77)):
        for bucket_count in (1, 13, 500):
            agree(memory, embedded, steps, bucket_count)
    embedded.close()
