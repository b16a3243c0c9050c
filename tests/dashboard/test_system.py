"""Which charts show the machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from quark.dashboard.views.system import sections
from quark.storage.embedded import EmbeddedStore
from quark.telemetry.reading import GPU_SERIES, SERIES_OF_FIELDS
from quark.telemetry.system import STEP_SERIES
from tests.dashboard.asking import ask
from tests.storage.building import batch, create_run, log, losses, record


def charts(*keys: str) -> dict[str, list[str]]:
    """Return the keys of each chart by the section and the title."""
    return {
        f"{one['title']}: {chart['title']}": [line["key"] for line in chart["series"]]
        for one in sections(keys)
        for chart in one["charts"]
    }


def test_every_series_that_quark_writes_has_a_place_and_a_unit() -> None:
    gpus = [f"system/gpu.{index}/{name}" for index in range(2) for name in GPU_SERIES]
    keys = [*SERIES_OF_FIELDS.values(), *STEP_SERIES.values(), *gpus]

    plan = sections(keys)

    placed = [line["key"] for one in plan for chart in one["charts"] for line in chart["series"]]
    assert sorted(placed) == sorted(keys)
    own = [one for one in plan if one["title"] == "Other"]
    counters = {"runtime/overflow_count", "runtime/skipped_step_count"}
    assert {chart["title"] for one in own for chart in one["charts"]} <= counters
    units = {chart["unit"] for one in plan for chart in one["charts"]}
    assert {"%", "bytes", "ms", "W", "°C"} <= units


def test_several_gpus_share_a_chart_and_the_first_is_not_there_twice() -> None:
    assert charts(
        "system/gpu/power_watts", "system/gpu.1/power_watts", "system/gpu.0/power_watts"
    ) == {"GPU: Power": ["system/gpu.1/power_watts", "system/gpu.0/power_watts"]}
    assert charts("system/gpu/power_watts") == {"GPU: Power": ["system/gpu/power_watts"]}


def test_what_users_log_below_system_is_shown_too(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path / ".quark")
    create_run(store)
    log(store, losses(1, [1.0], key="system/my<b>/queue_seconds"), losses(1, [1.0], key="loss"))
    gpus = [{"name": "H100"}, {"name": "H100"}]
    sample: dict[str, Any] = {"boundary": "time", "cpu_count": 8, "overflow_count": 0, "gpus": gpus}
    store.append(
        batch(1, 1, record(1, "system_telemetry", gpu_name="H100", **sample), writer_id="w2")
    )

    found = ask(store, "/runs/{run_id}/system", {"run_id": "run-1"})
    store.close()

    (section,) = found["sections"]
    (chart,) = section["charts"]
    assert (section["title"], chart["title"], chart["unit"]) == (
        "Other",
        "my<b>/queue_seconds",
        "s",
    )
    assert {one["label"]: one["value"] for one in found["facts"]} == {
        "Processors": 8,
        "GPU": "2 × H100",
    }
