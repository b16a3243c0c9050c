"""Lines of a run's log and its events: searched, filtered, followed, bounded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from quark import jsonio
from quark.dashboard.views.logs import level_of, plain_text
from quark.dashboard.views.tails import Tails
from quark.errors import SchemaValidationError
from quark.storage.embedded import EmbeddedStore
from quark.storage.model import StoredRecord
from tests.dashboard.asking import ask, place_of
from tests.storage.building import batch, create_run, record

RUN = {"run_id": "run-1"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(tmp_path / ".quark")
    create_run(store)
    yield store
    store.close()


def write(store: EmbeddedStore, first: int, *lines: tuple[str, str]) -> None:
    records = [
        record(seq, "console_line", stream=stream, text=text)
        for seq, (stream, text) in enumerate(lines, first)
    ]
    store.append(batch(first, first + len(lines) - 1, *records))


def test_lines_are_found_by_text_severity_and_stream_and_the_end_comes_first(
    store: EmbeddedStore,
) -> None:
    write(
        store,
        1,
        *[("stdout", f"step {number}") for number in range(300)],
        ("stderr", "\x1b[31mERR\x1b[0mOR: <b>no</b>"),
        ("stderr", "UserWarning: slow"),
    )
    said = {"message": "saved", "identifier": "Error"}
    store.append(
        batch(
            1,
            2,
            record(1, "event", event_type="user_log", severity="error", payload=said),
            record(2, "event", event_type="run_ended"),
            writer_id="w2",
        )
    )

    everything = ask(store, "/runs/{run_id}/logs", RUN)
    found = ask(store, "/runs/{run_id}/logs", RUN, q="error: <B>")
    errors = ask(store, "/runs/{run_id}/logs", RUN, level=["error", "warning"], stream="stderr")
    logged = ask(store, "/runs/{run_id}/logs", RUN, stream="log")
    window = ask(store, "/runs/{run_id}/logs", RUN, from_=10, limit=2)

    assert (everything["total"], everything["matching"], everything["from"]) == (303, 303, 103)
    assert everything["lines"][-1]["text"] == "saved"
    assert everything["levels"] == {"info": 300, "warning": 1, "error": 2}
    assert [one["text"] for one in found["lines"]] == ["\x1b[31mERR\x1b[0mOR: <b>no</b>"]
    assert [one["level"] for one in errors["lines"]] == ["error", "warning"]
    assert [one["text"] for one in logged["lines"]] == ["saved"]
    assert [one["text"] for one in window["lines"]] == ["step 10", "step 11"]
    with pytest.raises(SchemaValidationError, match="level 'loud' is not known"):
        ask(store, "/runs/{run_id}/logs", RUN, level="loud")


def test_what_is_written_later_is_there_later_and_a_new_run_of_that_name_starts_anew(
    store: EmbeddedStore,
) -> None:
    write(store, 1, ("stdout", "one"))
    first = ask(store, "/runs/{run_id}/logs", RUN)
    write(store, 2, ("stdout", "two"))
    second = ask(store, "/runs/{run_id}/logs", RUN)
    store.records.delete_run("run-1")
    create_run(store)
    third = ask(store, "/runs/{run_id}/logs", RUN)
    write(store, 1, ("stdout", "three"))
    fourth = ask(store, "/runs/{run_id}/logs", RUN)

    texts = [[line["text"] for line in one["lines"]] for one in (first, second, third, fourth)]
    assert texts == [["one"], ["one", "two"], [], ["three"]]


def test_only_new_records_are_read_and_only_so_many_are_kept(store: EmbeddedStore) -> None:
    read: list[int] = []

    def row(stored: StoredRecord) -> int:
        read.append(stored.seq)
        return stored.seq

    tails = Tails(("console_line",), row, size=lambda row: 1, max_runs=1, max_rows=3)
    place = place_of(store)
    write(store, 1, ("stdout", "a"), ("stdout", "b"))
    assert tails.rows(place, "run-1").rows == [1, 2]
    write(store, 3, ("stdout", "c"), ("stdout", "d"))
    tail = tails.rows(place, "run-1")
    assert (tail.rows, tail.dropped, read) == ([2, 3, 4], 1, [1, 2, 3, 4])
    create_run(store, "run-2")
    assert tails.rows(place, "run-2").rows == []
    assert tails.rows(place, "run-1").rows == [2, 3, 4]
    assert read == [1, 2, 3, 4, 1, 2, 3, 4]  # it had made room for the other


def test_what_is_kept_in_memory_is_bounded_however_long_lines_are(store: EmbeddedStore) -> None:
    """A run that prints long lines must not fill the memory of who looks at it."""
    tails: Tails[str] = Tails(
        ("console_line",),
        lambda stored: str(jsonio.loads(stored.body)["text"]),
        size=len,
        max_size=1000,
    )
    place, written, most = place_of(store), 0, 0
    for first in range(1, 200, 7):
        write(store, first, *[("stdout", f"{first + one}".rjust(90)) for one in range(7)])
        written += 7
        tail = tails.rows(place, "run-1")
        kept = sum(map(len, tail.rows))
        most = max(most, kept)
        assert tail.size == kept <= 1000
        assert tail.dropped + len(tail.rows) == written
        assert tail.rows[-1].strip() == str(first + 6)
        numbers = [int(row) for row in tail.rows]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert most > 700  # it is not thrown away for nothing
    write(store, written + 1, ("stdout", "z" * 5000))
    assert tails.rows(place, "run-1").rows == []  # not even one that is too long alone


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("loss 0.1", "info"),
        ("2026-01-01 12:00:00 WARNING slow", "warning"),
        ("\x1b[33mWARN\x1b[0m slow", "warning"),
        ("Traceback (most recent call last):", "error"),
        ("torch.cuda.OutOfMemoryError: no", "error"),
        ("[ERROR] no", "error"),
        ("FATAL: no", "critical"),
        ("DEBUG x", "debug"),
        ("no ErrorBars here, and errors: 0", "info"),
        ("x" * 500 + " ERROR", "info"),
    ],
)
def test_severities_are_guessed_from_the_words_of_logging_libraries(text: str, level: str) -> None:
    assert level_of(text) == level


def test_what_steers_a_terminal_is_no_text() -> None:
    assert plain_text("\x1b[1;38;2;1;2;3mred\x1b[K\x1b]8;;http://x\x1b\\ link\x1b]0;t\x07") == (
        "red link"
    )


def test_events_come_newest_first_and_one_of_them_whole(store: EmbeddedStore) -> None:
    store.append(
        batch(
            1,
            3,
            record(1, event_type="started", step=3),
            record(2, event_type="saved", severity="warning", payload={"path": "x" * 1000}),
            record(3, event_type="saved", payload={"n": 1}),
        )
    )

    found = ask(store, "/runs/{run_id}/events", RUN)
    saved = ask(store, "/runs/{run_id}/events", RUN, type="saved", severity="warning")
    searched = ask(store, "/runs/{run_id}/events", RUN, q="START")
    whole = ask(store, "/runs/{run_id}/event", RUN, id=saved["events"][0]["id"])

    assert [one["event_type"] for one in found["events"]] == ["saved", "saved", "started"]
    assert (found["types"], found["severities"]) == (
        {"saved": 2, "started": 1},
        {"info": 2, "warning": 1},
    )
    assert (saved["matching"], len(saved["events"][0]["text"])) == (1, 300)
    assert [one["step"] for one in searched["events"]] == [3]
    assert whole["event"]["payload"] == {"path": "x" * 1000}
    assert ask(store, "/runs/{run_id}/event", RUN, id="no") == {"event": None}
