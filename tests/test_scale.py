"""docs/scale.md says what ``benchmarks/scale.py`` computes."""

from __future__ import annotations

from benchmarks.scale import Need, tables
from tests.support.syntax import ROOT


def test_the_tables_are_those_that_are_computed() -> None:
    assert tables() in (ROOT / "docs" / "scale.md").read_text()


def test_a_fleet_of_ten_thousand_runs_is_ten_million_points_a_second() -> None:
    fleet = Need(10_000)

    assert fleet.points_per_second == 10_000_000
    assert fleet.cores(1000.0) == 20.0, "10,000 batches of 1 ms are 10 cores, loaded to half"
    assert fleet.stored_per_day_bytes(1.0) == 864e9
