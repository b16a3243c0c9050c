"""Buckets give what they hold, fill up again, and take bounded memory."""

from __future__ import annotations

import pytest

from quark.service.rates import TokenBuckets
from tests.support.clock import FakeClock


def test_a_bucket_gives_its_burst_and_then_what_time_brings() -> None:
    clock = FakeClock()
    buckets = TokenBuckets(clock, burst=3, per_second=0.5)

    assert [buckets.take("a") for _ in range(5)] == [True, True, True, False, False]
    assert buckets.take("b")
    assert buckets.wait_seconds("a") == pytest.approx(2)
    clock.advance(1.5)
    assert not buckets.take("a")
    assert buckets.wait_seconds("a") == pytest.approx(0.5)
    clock.advance(0.5)
    assert (buckets.take("a"), buckets.take("a")) == (True, False)
    clock.advance(1_000)
    assert sum(buckets.take("a") for _ in range(10)) == 3


def test_of_too_many_names_the_one_touched_longest_ago_is_forgotten() -> None:
    buckets = TokenBuckets(FakeClock(), burst=1, per_second=0.001, max_names=100)

    taken = [buckets.take(f"address-{number}") for number in range(1000)]

    assert all(taken)
    assert len(buckets) == 100
    assert not buckets.take("address-999")
    assert buckets.take("address-0")
