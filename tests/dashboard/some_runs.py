"""Thirty runs of which each is another case: for the table of runs and what stands around it."""

from __future__ import annotations

from typing import Any

from quark.clock import format_timestamp
from quark.storage.protocols import Store
from tests.storage.building import START_US, create_run

Given = dict[str, Any]

HOUR_US = 3_600_000_000
HOSTILE = '=cmd|" /C calc"!A0 <img src=x onerror=alert(1)>, \u202egnp.\x00'


def runs_given() -> list[Given]:
    """Thirty runs: some without a value, some with odd ones, four of another project."""
    found: list[Given] = []
    for number in range(30):
        config: Given = {
            "lr": 10.0 ** -(number % 5),
            "optimizer": {"name": "adam" if number % 2 else "sgd"},
        }
        if number % 3 == 0:
            config["layers"] = number % 4
        if number == 7:
            config["my key"] = "two words"
        summary: Given = {"val/loss": number / 10, "best": {"acc": 1 - number / 100}}
        if number == 11:
            summary["val/loss"] = "NaN"
        if number == 12:
            summary = {}
        found.append(
            {
                "id": f"run-{number}",
                "name": f"trial {number}" if number != 13 else HOSTILE,
                "project": "speech" if number % 8 == 5 else "vision",
                "status": ("completed", "failed", "running")[number % 3],
                "tags": [f"seed{number % 4}", *(["archived"] if number == 20 else [])],
                "group": f"group {number % 2}" if number % 5 else None,
                "notes": "see http://example.org/a" if number == 4 else None,
                "config": config,
                "summary": summary,
                "created_us": START_US + number * HOUR_US,
                "ended_us": START_US + number * HOUR_US + (1 + number) * 60_000_000,
            }
        )
    return found


def fill(store: Store, runs: list[Given]) -> None:
    for run in runs:
        ends = {} if run["status"] == "running" else {"ended_at": format_timestamp(run["ended_us"])}
        create_run(
            store,
            run["id"],
            project_name=run["project"],
            time_us=run["created_us"],
            created_at=format_timestamp(run["created_us"]),
            **{name: run[name] for name in ("name", "status", "tags", "group", "notes")},
            config=run["config"],
            summary=run["summary"],
            **ends,
        )
