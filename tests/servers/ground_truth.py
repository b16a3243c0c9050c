"""What trainings wrote down of what they logged, held against what a store has of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

from quark.catalog.model import CollectionKey
from quark.catalog.reading import list_versions, read_manifest
from quark.records import EventRecord
from quark.storage.model import RecordFilter
from quark.storage.protocols import Store
from tests.servers.training import Training, payload_of, value_of


def check_everything_is_there(store: Store, training: Training, *, ended: str = "completed") -> int:
    """Fail unless the store has what the training logged, exactly once and in order.

    Of a training that was killed it may have what was logged when it was, and the ledger does not
    tell. Returns how many calls there were.
    """
    logged = training.logged()
    run = store.records.get_run(training.run_id)
    whole = ended == "completed"
    assert (run.status, run.end_reason) == (ended, None if whole else "process_lost")
    for key in ("loss", "acc"):
        series = store.points.series(run.id, key)
        wanted = _steps(logged, key, "row")
        found = series.step.tolist()
        _check_equal(found, wanted, f"{key} of {training.folder.name}", more_by=0 if whole else 1)
        values = [value_of(key, step) for step in found]
        assert series.value.tolist() == values
        seqs = [*zip(series.writer.tolist(), series.seq.tolist(), strict=True)]
        assert seqs == sorted(set(seqs)), "frames are stored once, and in order"
        assert store.points.keys(run.id)[key].count == len(found)
    where = RecordFilter(equals={"event_type": "checkpoint"})
    events = [event.step for event in store.records.read(EventRecord, run.id, where)]
    _check_equal(events, _steps(logged, "event"), "events", more_by=0 if whole else 1)
    changes = {name: value for name, value in run.config.items() if name.startswith("at_")}
    for step in _steps(logged, "config"):
        assert changes[f"at_{step}"] == step
    assert len(changes) - len(_steps(logged, "config")) in ((0,) if whole else (0, 1))
    return len(logged)


def check_artifacts(store: Store, training: Training) -> int:
    """Fail unless the store has what the training logged as artifacts: a version for each, in the
    order of the calls, with its payload. Returns how many."""
    steps = _steps(training.logged(), "artifact")
    run = store.records.get_run(training.run_id)
    key = CollectionKey(run.workspace, run.project_name, f"model-{run.id}")
    wanted = [sha256(payload_of(step).encode()).hexdigest() for step in steps]
    found = []
    for version in list_versions(store, key):
        (entry,) = read_manifest(store, version).entries.values()
        assert entry.sha256 is not None
        found.append(entry.sha256)
        with store.blobs.open(entry.sha256) as file:
            assert sha256(file.read()).hexdigest() == entry.sha256
    lost = [step for step, digest in zip(steps, wanted, strict=True) if digest not in found]
    assert not lost, f"artifacts of steps {lost} of {steps} are not there"
    assert found == wanted
    return len(steps)


def _steps(logged: Iterable[tuple[str, int]], *what: str) -> list[int]:
    return [step for name, step in logged if name in what]


def _check_equal(
    found: Sequence[int | None], wanted: Sequence[int], what: str, *, more_by: int
) -> None:
    for place, (one, other) in enumerate(zip(found, wanted, strict=False)):
        assert one == other, f"{what}: place {place} holds step {one}, not {other}"
    surplus = len(found) - len(wanted)
    assert 0 <= surplus <= more_by, f"{what}: {len(found)} are stored and {len(wanted)} were logged"
