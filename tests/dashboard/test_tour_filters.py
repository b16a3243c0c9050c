"""The filters that docs/tour.md shows find what it says that they find."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from quark.clock import SYSTEM_CLOCK, format_timestamp
from quark.dashboard.views.runs_fields import OWN
from quark.records import HealthScoreRecord
from quark.storage.memory import MemoryStore
from tests.dashboard.asking import ask
from tests.storage.building import batch, create_run, record

TOUR = Path(__file__).resolve().parents[2] / "docs" / "tour.md"
_HOUR_US = 3_600_000_000
_DAY_US = 24 * _HOUR_US
_END_OF_JANUARY_US = int(datetime(2026, 1, 31, tzinfo=UTC).timestamp() * 1e6)

Run = dict[str, Any]


def _given(now_us: int) -> list[Run]:
    plain: Run = {
        "name": "",
        "project": "other",
        "status": "completed",
        "tags": [],
        "group": None,
        "notes": "",
        "lr": None,
        "optimizer": None,
        "loss": None,
        "key": None,
        "health": None,
        "created_us": now_us - 90 * _DAY_US,
        "lasted_us": _HOUR_US,
    }
    runs: list[Run] = [
        {"name": "Baseline", "lr": 0.001, "optimizer": "AdamW", "loss": 0.2, "health": 30.0},
        {"name": "trial", "tags": ["best"], "lr": 0.01, "optimizer": "sgd", "loss": 0.3},
        {"name": "has two words", "tags": ["best"], "group": "old", "lr": 1e-4, "key": "a b"},
        {"notes": "it learns too fast; see baseline", "status": "failed", "optimizer": "adamw"},
        {"status": "interrupted", "project": "vision", "created_us": now_us - _DAY_US},
        {"project": "text", "lasted_us": 2 * _HOUR_US, "lr": 0.5, "loss": 4.0, "health": 80.0},
        {"created_us": _END_OF_JANUARY_US - _DAY_US, "status": "failed"},
        {"created_us": _END_OF_JANUARY_US + _HOUR_US, "health": 50.0},
    ]
    return [{**plain, **run, "id": f"r{number}"} for number, run in enumerate(runs)]


def _fill(store: MemoryStore, runs: list[Run]) -> None:
    for run in runs:
        config = {"lr": run["lr"], "optimizer": run["optimizer"], "my key": run["key"]}
        create_run(
            store,
            run["id"],
            project_name=run["project"],
            time_us=run["created_us"],
            created_at=format_timestamp(run["created_us"]),
            ended_at=format_timestamp(run["created_us"] + run["lasted_us"]),
            **{name: run[name] for name in ("name", "status", "tags", "group", "notes")},
            config={name: value for name, value in config.items() if value is not None},
            summary={} if run["loss"] is None else {"val/loss": run["loss"]},
        )
        if run["health"] is not None:
            score = {"score_key": "overall", "score": run["health"], "status": "watch"}
            kind = HealthScoreRecord.KIND
            store.append(batch(1, 1, record(1, kind, **score), run_id=run["id"], writer_id="judge"))


def _said(run: Run) -> str:
    words = [run["id"], run["name"], run["project"], run["group"] or "", run["notes"], *run["tags"]]
    return "\n".join(words).casefold()


#: Each example of the tour, and the same in Python.
EXAMPLES: dict[str, Callable[[Run, int], Any]] = {
    "baseline": lambda run, now: "baseline" in _said(run),
    "config.lr < 0.01": lambda run, now: run["lr"] is not None and run["lr"] < 0.01,
    "summary.val/loss <= 0.3": lambda run, now: run["loss"] is not None and run["loss"] <= 0.3,
    "status:failed,interrupted": lambda run, now: run["status"] in ("failed", "interrupted"),
    "tag:best -group:old": lambda run, now: "best" in run["tags"] and run["group"] != "old",
    "duration > 90min": lambda run, now: run["lasted_us"] > 1.5 * _HOUR_US,
    "created > 2d": lambda run, now: run["created_us"] > now - 2 * _DAY_US,
    "created < 2026-01-31": lambda run, now: run["created_us"] < _END_OF_JANUARY_US,
    "health < 50": lambda run, now: run["health"] is not None and run["health"] < 50,
    "summary.val/loss:*": lambda run, now: run["loss"] is not None,
    'name ~ "two words"': lambda run, now: "two words" in run["name"],
    "config.optimizer = AdamW": lambda run, now: (run["optimizer"] or "").lower() == "adamw",
    "name:trial": lambda run, now: "trial" in run["name"],
    "project:vision,text": lambda run, now: run["project"] in ("vision", "text"),
    "config.lr:*": lambda run, now: run["lr"] is not None,
    "config.optimizer != sgd": lambda run, now: run["optimizer"] != "sgd",
    "config.lr >= 1e-4": lambda run, now: run["lr"] is not None and run["lr"] >= 1e-4,
    'notes ~ "too fast"': lambda run, now: "too fast" in run["notes"],
    '"config.my key" = "a b"': lambda run, now: run["key"] == "a b",
}


def _shown() -> list[str]:
    """What the tour shows: in its first table first, in its second last, and one below."""
    part = TOUR.read_text(encoding="utf-8").partition("## Runs")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("| ")]
    cells = [row[0] if len(row) == 2 else row[2] for row in rows]
    written = [text for cell in cells for text in re.findall(r"`([^`]+)`", cell)]
    return written + re.findall(r"such as `([^`]+)`; a quote", part.replace("\n", " "))


def test_every_filter_of_the_tour_finds_what_a_loop_finds() -> None:
    now_us = SYSTEM_CLOCK.time_us()
    runs = _given(now_us)
    store = MemoryStore()
    _fill(store, runs)

    assert sorted(_shown()) == sorted(EXAMPLES)
    for text, fits in EXAMPLES.items():
        wanted = {run["id"] for run in runs if fits(run, now_us)}
        found = {row["id"] for row in ask(store, "/runs", q=text)["rows"]}
        assert found == wanted, text
        assert 0 < len(wanted) < len(runs), f"{text} shows nothing"
        turned = {row["id"] for row in ask(store, "/runs", q=f"-{text}")["rows"]}
        if text != "tag:best -group:old":
            assert turned == {run["id"] for run in runs} - wanted, text
    store.close()


def test_the_tour_names_every_field() -> None:
    text = (
        TOUR.read_text(encoding="utf-8").partition("Fields are")[2].partition("and\n`config.`")[0]
    )

    assert set(re.findall(r"`(\w+)`", text)) - {"tag"} == set(OWN)
