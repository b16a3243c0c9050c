"""Faults around the training: time and memory, other ranks, the process and its disk."""

from __future__ import annotations

from benchmarks.faults.fault import IMAGES, OPT, PAUSES, RUN, TWO, WAITING, Family, Fault

_runtime = Family(name="runtime").fault
_ranks = Family(name="ranks").fault
_infrastructure = Family(name="infrastructure").fault

RUNTIME: tuple[Fault, ...] = (
    _runtime("slow_loader", TWO, WAITING, RUN, by_metrics=False, loader_ms=12, steps=250),
    _runtime(
        "periodic_stall",
        TWO,
        (*PAUSES, *WAITING),
        RUN,
        step_floor_ms=4,
        stall_every=30,
        stall_ms=500,
        steps=350,
    ),
    _runtime(
        "one_step_in_ten_slow",
        TWO,
        PAUSES,
        RUN,
        step_floor_ms=4,
        slow_every=10,
        stall_ms=100,
        steps=250,
    ),
    _runtime(
        "memory_leak",
        TWO,
        ("memory_growth",),
        RUN,
        step_floor_ms=8,
        leaked_bytes_per_step=1_200_000,
    ),
    _runtime(
        "checkpoint_pause",
        TWO,
        (*PAUSES, "io_bottleneck"),
        RUN,
        step_floor_ms=4,
        checkpoint_every=25,
        checkpoint_ms=500,
        steps=350,
    ),
    _runtime(
        "slow_first_step",
        TWO,
        ("slow_start",),
        RUN,
        by_metrics=False,  # before the first row there may have been anything
        step_floor_ms=4,
        first_step_ms=4000,
        steps=250,
    ),
)

RANKS: tuple[Fault, ...] = (
    _ranks(
        "rank_slow",
        TWO,
        ("rank_straggler",),
        RUN,
        by_metrics=False,
        ranks=2,
        rank_fault="slow",
        step_floor_ms=4,
        steps=250,
    ),
    _ranks(
        "rank_diverging",
        TWO,
        ("rank_divergence",),
        OPT,
        ranks=2,
        rank_fault="diverging",
        steps=300,
    ),
    _ranks(
        "rank_nan",
        IMAGES,
        ("rank_divergence", "non_finite_values"),
        OPT,
        numerical=True,
        ranks=2,
        rank_fault="nan",
        steps=250,
    ),
)

INFRASTRUCTURE: tuple[Fault, ...] = (
    _infrastructure("killed", TWO, ("run_interrupted",), RUN, killed_at_ratio=0.6),
    _infrastructure("hanging", TWO, ("stalled_training",), RUN, killed_at_ratio=0.6, hangs=True),
    _infrastructure("disk_full", TWO, ("records_lost",), RUN, spool_bytes=65_536, steps=250),
)
