"""``docs/formats.md`` names every kind of document, and what is in ``known_files.db``."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

from quark.catalog import reading
from quark.catalog.known_files import KNOWN_FILES_SCHEMA
from quark.catalog.model import CollectionKey, RunRef
from quark.compat.wandb import api_creation
from quark.storage.memory import MemoryStore
from quark.sweeps import trial
from tests.catalog.building import log

FORMATS = (Path(__file__).parents[2] / "docs" / "formats.md").read_text()
RUN = RunRef("run-1", "vision/2", "local")
KINDS = (
    *(reading.COLLECTION, reading.VERSION, reading.ID, reading.LINK, reading.PART, reading.USE),
    *(reading.REMOVED, api_creation.PROJECT, trial.SWEEP, trial.TRIAL, trial.RUN),
)


def section(heading: str) -> str:
    return FORMATS.split(f"## {heading}\n")[1].split("\n## ")[0]


def rows(text: str) -> dict[str, str]:
    """Return the tables' last columns by their first."""
    cells = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| `")]
    return {cell[0].strip(" `"): cell[-1] for cell in cells}


def test_every_kind_of_document_is_described_with_what_it_holds() -> None:
    described = rows(section("Documents"))
    store = MemoryStore()
    log(store, {"a": "1"}, key=CollectionKey("local", "vision/2", "digits"), run=RUN)

    assert set(described) == set(KINDS)
    for kind in KINDS:
        for document in store.documents.list(kind):
            told = set(re.findall(r"`(\w+)`", described[kind]))
            assert set(document.body) <= told, kind
    names = [item.name for item in store.documents.list(reading.USE)]
    version = "local/vision%2F2/digits/0000000000"
    assert names == [
        f"run/local/vision%2F2/run-1/output/{version}",
        f"version/{version}/output/local/vision%2F2/run-1",
    ]


def test_the_columns_of_known_files_are_described() -> None:
    connection = sqlite3.connect(":memory:")
    for statements in KNOWN_FILES_SCHEMA.migrations:
        for statement in statements:
            connection.execute(statement)
    columns = {row[1] for row in connection.execute("PRAGMA table_info(file)")}
    connection.close()

    described = section("known_files.db")
    assert columns <= set(re.findall(r"`(\w+)`", described))
    assert f"quark {KNOWN_FILES_SCHEMA.name}" in described
