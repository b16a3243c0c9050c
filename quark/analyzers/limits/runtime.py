"""Thresholds of the rules on time, machines and ranks."""

from __future__ import annotations

from dataclasses import dataclass, fields

from quark.analyzers.limits.checks import check_numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeLimits:
    """Thresholds of the rules on time, machines and ranks.

    Args:
        bottleneck_min_samples: Step times that are needed before the SDK guide's thresholds for
            step time, data fraction and jitter are looked at.
        bottleneck_min_jitter_samples: Step times that are needed before jitter is.
        bottleneck_jitter_ms: Jitter counts from this standard deviation on.
        bottleneck_busy_percent: Use of the GPU, or of the cores where there is no GPU, from which
            on a long step is work and no bottleneck.
        data_loading_min_samples: Stretches of the watched loop that are needed.
        data_loading_warning_ratio: Share of the time that the loop waits for data; likewise
            ``error`` and ``critical``.
        data_loading_ms: A wait counts from this time a step on.
        data_loading_gpu_percent: Where the GPU is used so much, what looks like a wait for data
            is a wait for the GPU.
        data_loading_cpu_percent: Use of all cores from which on, without a GPU, waits of a watched
            loop tell nothing.
        gpu_idle_min_samples: Readings of GPUs that are needed.
        gpu_idle_seconds: Time of training from which on an idle GPU is a warning.
        gpu_idle_percent: Median use of the busiest GPU below which it is idle.
        gpu_idle_high_percent: Use that it must not reach in a quarter of the readings.
        cpu_bound_gpu_percent: Use of the GPU below which it waits.
        cpu_bound_cpu_percent: Use of all cores above which they are what it waits for.
        cpu_bound_ratio: Share of readings in which both must be so.
        io_wait_gpu_percent: Use of the GPU below which it waits.
        io_wait_cpu_percent: Use of all cores below which it does not wait for them.
        io_wait_cores: Cores that the process may keep busy and still count as waiting.
        io_wait_ratio: Share of readings in which all of this must be so.
        machine_min_samples: Readings of the machine that the rules on CPU and I/O need.
        memory_min_samples: Readings of memory that are needed.
        memory_growth_ratio: Growth after warm-up relative to what was used then.
        memory_growth_bytes: Growth from which on it counts at all.
        memory_gpu_growth_ratio: Growth of a GPU's memory relative to all that it has.
        memory_error_ratio: Growth, or use of all memory, at which it is an error.
        outlier_min_steps: Step times that are needed.
        outlier_min_count: Slow steps that make a pattern.
        outlier_ratio: A slow step takes so many times the median.
        outlier_ms: It loses at least this.
        outlier_regular_ratio: Where slow steps come regularly, it takes so many times the median.
        outlier_regular_ms: It then loses at least this.
        outlier_total_ms: All of them lose at least this.
        outlier_regular_total_ms: All of them lose at least this if they come regularly.
        outlier_info_ratio: Share of the time that is lost; likewise ``warning`` and ``error``.
        slow_start_seconds: Time from the start to the first step that is too long in any run.
        slow_start_ratio: The first step takes so many times the median.
        slow_start_share: Share of the run's time that the first step takes.
        slow_start_step_ms: The first step takes at least this; on a GPU, where compiling and
            choosing of kernels take their time, ``slow_start_gpu_step_ms``.
        slow_start_min_steps: Steps from which on a run is no trial.
        throttling_min_samples: Readings of GPUs that are needed.
        throttling_warning_ratio: Share of readings in which a GPU was slowed down.
        throttling_error_ratio: Share at which this is an error.
        stalled_seconds: Time without a step from which on a run is stalled.
        stalled_ratio: That time is so many times the longest pause before.
        stalled_min_rows: Rows that show that the run logs as it goes.
        rank_min_steps: Steps of each rank that are needed.
        rank_slow_ratio: A rank takes so much more time than the others, relative to a step.
        rank_slow_ms: It takes at least this more.
        rank_steady_ratio: Share of the run in which it must be so.
        rank_divergence_ratio: A rank's loss is so many times that of the others at the end.
        rank_divergence_growth: It has moved away from them so many times since the beginning.
        rank_divergence_noise: Its distance is so many times the noise of the losses.
    """

    bottleneck_min_samples: int = 3
    bottleneck_min_jitter_samples: int = 20
    bottleneck_jitter_ms: float = 10.0
    bottleneck_busy_percent: float = 70.0
    data_loading_min_samples: int = 4
    data_loading_warning_ratio: float = 0.5
    data_loading_error_ratio: float = 0.75
    data_loading_critical_ratio: float = 0.95
    data_loading_ms: float = 8.0
    data_loading_gpu_percent: float = 50.0
    data_loading_cpu_percent: float = 98.0
    gpu_idle_min_samples: int = 30
    gpu_idle_seconds: float = 600.0
    gpu_idle_percent: float = 30.0
    gpu_idle_high_percent: float = 70.0
    cpu_bound_gpu_percent: float = 10.0
    cpu_bound_cpu_percent: float = 90.0
    cpu_bound_ratio: float = 0.5
    io_wait_gpu_percent: float = 10.0
    io_wait_cpu_percent: float = 50.0
    io_wait_cores: float = 0.5
    io_wait_ratio: float = 0.5
    machine_min_samples: int = 20
    memory_min_samples: int = 15
    memory_growth_ratio: float = 0.2
    memory_growth_bytes: float = 100 * 2**20
    memory_gpu_growth_ratio: float = 0.05
    memory_error_ratio: float = 0.9
    outlier_min_steps: int = 30
    outlier_min_count: int = 3
    outlier_ratio: float = 5.0
    outlier_ms: float = 1000.0
    outlier_regular_ratio: float = 3.0
    outlier_regular_ms: float = 20.0
    outlier_total_ms: float = 5000.0
    outlier_regular_total_ms: float = 500.0
    outlier_info_ratio: float = 0.1
    outlier_warning_ratio: float = 0.2
    outlier_error_ratio: float = 0.5
    slow_start_seconds: float = 1200.0
    slow_start_ratio: float = 50.0
    slow_start_share: float = 0.4
    slow_start_step_ms: float = 3000.0
    slow_start_gpu_step_ms: float = 60_000.0
    slow_start_min_steps: int = 50
    throttling_min_samples: int = 20
    throttling_warning_ratio: float = 0.2
    throttling_error_ratio: float = 0.8
    stalled_seconds: float = 1800.0
    stalled_ratio: float = 5.0
    stalled_min_rows: int = 10
    rank_min_steps: int = 20
    rank_slow_ratio: float = 1.33
    rank_slow_ms: float = 5.0
    rank_steady_ratio: float = 0.8
    rank_divergence_ratio: float = 1.5
    rank_divergence_growth: float = 1.4
    rank_divergence_noise: float = 5.0

    def __post_init__(self) -> None:
        check_numbers(self, [item.name for item in fields(self)], _LEVELS)


_LEVELS = {"data_loading_*_ratio": False}
