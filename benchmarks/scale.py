"""What a fleet needs, computed from what was measured: ``python -m benchmarks.scale``.

It prints the tables of docs/scale.md; a test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Measured on 2 cores of an AMD EPYC, client and server on the same machine; see docs/scale.md.
SERVICE_FILES_CPU_US = 1760.0  # a batch of 1,000 points: service and packing, 200 runs
SERVICE_DATABASE_CPU_US = 1355.0  # the service's part where PostgreSQL stores
POSTGRES_CPU_US = 650.0  # PostgreSQL's part: packed segments and chunks
CLICKHOUSE_CPU_US_PER_POINT = 2.8  # 18.16; inserts of grouped batches, with merges
FILES_BYTES_PER_POINT = 4.5
POSTGRES_BYTES_PER_POINT = 5.4
CLICKHOUSE_BYTES_PER_POINT = 5.7  # a ClickHouse with codecs; 18.16 without them took 5.3 to 19
WIRE_BYTES_PER_POINT = 6.0

#: What is asked of a core at most, so that there is room for reads and for a bad minute.
LOAD_RATIO = 0.5
POINTS_PER_SECOND_PER_RUN = 1000
SECONDS_PER_DAY = 86_400


@dataclass(frozen=True)
class Need:
    """What a number of runs needs that log a thousand points a second each, in a batch a second."""

    runs: int

    @property
    def points_per_second(self) -> int:
        return self.runs * POINTS_PER_SECOND_PER_RUN

    @property
    def batches_per_second(self) -> float:
        return self.points_per_second / 1000

    def cores(self, cpu_us_per_batch: float) -> float:
        """Cores that spend so much on each batch, loaded no more than ``LOAD_RATIO``."""
        return self.batches_per_second * cpu_us_per_batch / 1e6 / LOAD_RATIO

    def stored_per_day_bytes(self, bytes_per_point: float) -> float:
        return self.points_per_second * bytes_per_point * SECONDS_PER_DAY


def tables() -> str:
    """Return the tables of docs/scale.md."""
    lines = [
        "| concurrent runs | points/s | network, MB/s | service on files, cores | service on "
        "databases, cores | PostgreSQL with points, cores | ClickHouse, cores |",
        "|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for runs in (100, 1_000, 10_000):
        need = Need(runs)
        cells = (
            f"{runs:,}",
            f"{need.points_per_second / 1e6:g} M",
            f"{need.points_per_second * WIRE_BYTES_PER_POINT / 1e6:.1f}",
            f"{need.cores(SERVICE_FILES_CPU_US):.1f}",
            f"{need.cores(SERVICE_DATABASE_CPU_US):.1f}",
            f"{need.cores(POSTGRES_CPU_US):.1f}",
            f"{need.cores(CLICKHOUSE_CPU_US_PER_POINT * 1000):.1f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "| concurrent runs | files, GB a day | PostgreSQL, GB a day | ClickHouse, GB a day and "
        "replica |",
        "|--:|--:|--:|--:|",
    ]
    for runs in (100, 1_000, 10_000):
        need = Need(runs)
        sizes = (FILES_BYTES_PER_POINT, POSTGRES_BYTES_PER_POINT, CLICKHOUSE_BYTES_PER_POINT)
        per_day = [f"{need.stored_per_day_bytes(size) / 1e9:,.0f}" for size in sizes]
        lines.append(f"| {runs:,} | {' | '.join(per_day)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(tables())
