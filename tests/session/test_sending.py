"""When what waits for a service is sent, and when the service is left alone."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from quark.catalog.manifest import Manifest
from quark.catalog.model import CollectionKey, Draft, RunRef
from quark.catalog.resting import Resting
from quark.errors import SessionStoreError
from quark.persistence.http_store import HttpStore
from quark.persistence.service_client import ServiceClient
from quark.pipeline.faults import FaultLog
from quark.session.sending import Sending
from quark.settings import Settings
from tests.support.clock import FakeClock
from tests.support.over_service import ServicePlace

KEY = CollectionKey("local", "p", "ds")


def resting(target: str, run_id: str = "gone") -> Resting:
    run = RunRef(run_id, "p", "local")
    wanted = Draft(key=KEY, type="dataset", manifest=Manifest(), run=run, id="abc")
    return Resting(wanted=wanted, target=target, time_us=0)


def test_a_service_that_is_away_is_asked_ever_more_rarely_until_somebody_is_in_a_hurry(
    tmp_path: Path,
) -> None:
    clock, asked = FakeClock(), list[int]()
    settings = Settings(persistence_url="http://127.0.0.1:9", storage_dir=str(tmp_path))
    sending = Sending(tmp_path / ".quark", settings, FaultLog(), clock=clock)
    store = HttpStore(ServiceClient("http://127.0.0.1:9", None), outbox=tmp_path / "outbox")
    assert not sending.waits
    sending.work(store)
    assert sending.last_error is None, "nothing waits, so nothing is asked"
    sending.rest(resting(store.target))
    assert sending.waits
    for second in range(300):
        sending.last_error = None
        sending.work(store)
        if sending.last_error is not None:
            asked.append(second)
        clock.advance(1.0)

    pauses = [after - before for before, after in pairwise(asked)]
    assert asked[0] == 0
    assert max(pauses[:3]) < 5
    assert 15 <= min(pauses[8:]) <= max(pauses[8:]) <= 31
    sending.last_error = None
    sending.hurry()
    sending.work(store)
    assert isinstance(sending.last_error, SessionStoreError)
    store.close()


def test_a_draft_waits_for_its_run_and_not_for_one_that_never_comes(
    place: ServicePlace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / ".quark"
    settings = Settings(
        persistence_url=place.url, user_key=place.key, storage_dir=str(tmp_path), quiet=True
    )
    faults = FaultLog()
    sending = Sending(root, settings, faults)
    store = HttpStore(ServiceClient(place.url, place.key), outbox=root / "outbox")
    path = sending.rest(resting(store.target))
    journal = root / "runs" / "gone" / "journal"
    journal.mkdir(parents=True)
    (journal / "writer-0.qj").touch()
    sending.work(store)
    assert path.exists()
    assert faults.counts() == {}

    (journal / "writer-0.qj").unlink()
    sending.work(store)
    assert not path.exists()
    assert faults.counts() == {"the artifact ds was refused and set aside": 1}
    assert "There is no run 'gone'" in next(iter(faults.last().values()))
    assert str(root / "drafts" / "quarantine" / path.name) in next(iter(faults.last().values()))
    store.close()
