"""What the routes of payloads and uploads take, give and refuse."""

from __future__ import annotations

import gzip
import os
import random
from collections.abc import Iterator
from hashlib import sha256 as new_sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from quark.persistence.wire_payloads import encode_payloads
from quark.service import uploads as uploads_module
from quark.service.app import create_app
from quark.service.config import ServiceConfig
from quark.service.identity.model import Role, Scope
from quark.service.payload_answers import selected
from quark.service.state import ServiceState
from tests.support.asgi import InProcess
from tests.support.clock import FakeClock
from tests.support.identity import ROOT, WORKSPACE, first_key

PART_BYTES = 100_000
BASE = "/api/v1/workspaces/-"
WHOLE = random.Random(3).randbytes(3 * PART_BYTES - 7)
DIGEST = new_sha256(WHOLE).hexdigest()


class Service(InProcess):
    """A service in this process that takes small parts."""

    def __init__(self, root: Path) -> None:
        self.root, self.clock = root, FakeClock()
        config = ServiceConfig(root=root, max_part_bytes=PART_BYTES, max_payload_bytes=10**9)
        app = create_app(config, clock=self.clock)
        super().__init__(app, first_key(app))

    def key_of(self, user: str, scope: Scope) -> str:
        """Return a key of another member of the same workspace."""
        state: ServiceState = self.app.state.service
        state.identity.directory.create_user(user, by=ROOT)
        state.identity.directory.set_member(WORKSPACE, user, Role.ADMIN, by=ROOT)
        issued = state.identity.keys.issue(user=user, workspace=WORKSPACE, scope=scope, by=ROOT)
        return issued.text

    def put(self, path: str, content: Any, **more: Any) -> httpx.Response:
        return self.request("PUT", BASE + path, content=content, **more)

    def begin(self, payload: bytes = WHOLE, **more: Any) -> dict[str, Any]:
        wanted = {"sha256": new_sha256(payload).hexdigest(), "size_bytes": len(payload)}
        answer = self.post(f"{BASE}/uploads", json=wanted, **more)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def part(self, upload: dict[str, Any], number: int, content: bytes | None = None) -> int:
        start = number * PART_BYTES
        body = WHOLE[start : start + PART_BYTES] if content is None else content
        return self.put(f"/uploads/{upload['upload_id']}/parts/{number}", body).status_code

    def complete(self, upload: dict[str, Any]) -> httpx.Response:
        return self.post(f"{BASE}/uploads/{upload['upload_id']}/complete")

    @property
    def incoming(self) -> list[str]:
        """The uploads that are under way."""
        return [path.name for path in (self.root / "incoming-parts" / WORKSPACE).iterdir()]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path / "root")
    with service:
        yield service
        service.app.state.service.close()


def told(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["type"]


# -- whole ---------------------------------------------------------------------------------------


def test_a_payload_is_what_its_name_says_or_is_not_kept(service: Service) -> None:
    small = b"weights"
    name = new_sha256(small).hexdigest()

    assert told(service.put(f"/payloads/{name}", b"other")) == (422, "SchemaValidationError")
    assert service.request("HEAD", f"{BASE}/payloads/{name}").status_code == 404
    assert told(service.get(f"{BASE}/payloads/{name}")) == (404, "ArtifactNotFoundError")
    assert service.post(f"{BASE}/payloads/{name}/claim").json() == {"is_here": False}
    assert service.put(f"/payloads/{name}", small).json()["size_bytes"] == 7
    assert service.post(f"{BASE}/payloads/{name}/claim").json() == {"is_here": True}
    head = service.request("HEAD", f"{BASE}/payloads/{name}")
    assert (head.status_code, head.headers["Content-Length"]) == (200, "7")


def test_a_body_that_is_too_long_or_packed_is_refused_and_leaves_nothing(service: Service) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    packed = {"Content-Encoding": "gzip"}
    name = new_sha256(bomb).hexdigest()
    long = bytes(PART_BYTES + 1)

    assert len(bomb) < PART_BYTES
    assert told(service.put(f"/payloads/{name}", bomb, headers=packed))[0] == 422
    assert told(service.put(f"/payloads/{new_sha256(long).hexdigest()}", long))[0] == 413
    endless = (bytes(50_000) for _ in range(10**9))

    async def told_no_length() -> Any:
        for piece in endless:
            yield piece

    assert told(service.put(f"/payloads/{name}", told_no_length()))[0] == 413
    assert service.get(f"{BASE}/payloads").json() == {"digests": []}
    assert list((service.root / "incoming-parts").iterdir()) == []


def test_several_payloads_come_at_once_and_none_under_a_wrong_name(service: Service) -> None:
    sent = [(new_sha256(text).hexdigest(), text) for text in (b"one", b"", b"three" * 100)]
    names = [name for name, _ in sent]

    def keep(body: bytes) -> httpx.Response:
        return service.post(f"{BASE}/payloads", content=body)

    assert keep(encode_payloads(sent)).json() == {"count": 3}
    assert keep(b"").json() == {"count": 0}
    for name, text in sent:
        assert service.get(f"{BASE}/payloads/{name}").content == text
    claimed = service.post(f"{BASE}/payloads/claim", json={"digests": [*names, "0" * 64, "x"]})
    assert claimed.json() == {"missing": ["0" * 64, "x"]}

    good = (new_sha256(b"good").hexdigest(), b"good")
    for body in (
        encode_payloads([good, (names[0], b"two")]),  # not what it is called
        encode_payloads(sent)[:-1],  # cut off
        encode_payloads(sent) + b"more",
        bytes(32) + b"\xff" * 8 + b"endless",
    ):
        assert told(keep(body)) == (422, "SchemaValidationError")
    assert told(keep(bytes(PART_BYTES + 1)))[0] == 413
    found = service.get(f"{BASE}/payloads").json()["digests"]
    assert found == sorted([*names, good[0]]), "those before a bad one stay"
    assert list((service.root / "incoming-parts").iterdir()) == []
    reader = {"Authorization": f"Bearer {service.key_of('reader', Scope.READ)}"}
    for path in ("payloads", "payloads/claim"):
        answer = service.post(f"{BASE}/{path}", json={"digests": []}, headers=reader)
        assert answer.status_code == 403


def test_nothing_but_a_digest_names_a_payload(service: Service) -> None:
    for name in (
        "..%2F..%2Findex.db", "../../index.db", "ABC", DIGEST.upper(), DIGEST + "0", "%00" * 64,
    ):  # fmt: skip
        for method in ("PUT", "GET", "DELETE"):
            answer = service.request(method, f"{BASE}/payloads/{name}")
            assert answer.status_code in (404, 405, 422)
        for path in (f"uploads/{name}", f"uploads/{name}/parts/0/location"):
            assert service.get(f"{BASE}/{path}").status_code in (404, 422)


def test_what_a_collector_and_a_lister_ask(service: Service) -> None:
    names = sorted(new_sha256(bytes([number])).hexdigest() for number in range(7))
    for number in range(7):
        service.put(f"/payloads/{new_sha256(bytes([number])).hexdigest()}", bytes([number]))
    pages, after = [], ""
    while page := service.get(f"{BASE}/payloads?limit=3&after={after}").json()["digests"]:
        pages.append(page)
        after = page[-1]
    assert pages == [names[:3], names[3:6], names[6:]]

    missing = service.post(f"{BASE}/payloads/sync", json={"digests": [*names, "0" * 64, "x"]})
    assert missing.json() == {"missing": ["0" * 64, "x"]}
    for before_us, count in ((0, 0), (2**62, 7)):
        found = service.get(f"{BASE}/payloads/unclaimed?before_us={before_us}").json()
        assert len(found["payloads"]) == count
    removal = f"{BASE}/payloads/{names[0]}/remove-unclaimed"
    assert service.post(f"{removal}?before_us=0").json() == {"size_bytes": None}
    assert service.post(f"{removal}?before_us={2**62}").json() == {"size_bytes": 1}
    assert service.request("DELETE", f"{BASE}/payloads/{names[1]}").status_code == 204
    assert service.get(f"{BASE}/payloads").json() == {"digests": names[2:]}


# -- read ----------------------------------------------------------------------------------------


RANGES: list[tuple[str, bytes | None]] = [
    ("bytes=0-0", WHOLE[:1]),
    ("bytes=5-99", WHOLE[5:100]),
    ("bytes=100-", WHOLE[100:]),
    ("bytes=-10", WHOLE[-10:]),
    (f"bytes=10-{len(WHOLE) + 10}", WHOLE[10:]),
    (f"bytes=-{len(WHOLE) + 10}", WHOLE),
    (f"bytes={len(WHOLE)}-", None),
    ("bytes=9-5", WHOLE),
    ("bytes=0-1,4-5", WHOLE),
    ("bytes=--1", WHOLE),
    ("pages=1-2", WHOLE),
    ("bytes=" + "9" * 5000 + "-", WHOLE),
]


def test_a_range_is_that_part_of_it(service: Service) -> None:
    _keep(service)

    for header, part in RANGES:
        answer = service.get(f"{BASE}/payloads/{DIGEST}", headers={"Range": header})

        if part is None:
            assert answer.status_code == 416
            assert answer.headers["Content-Range"] == f"bytes */{len(WHOLE)}"
            continue
        assert answer.content == part, header
        assert answer.status_code == (206 if selected(header, len(WHOLE)) else 200)
        assert int(answer.headers["Content-Length"]) == len(part)


def test_an_answer_is_cached_by_its_digest_and_never_shown(service: Service) -> None:
    _keep(service)
    etag = {"ETag": f'"{DIGEST}"'}
    url = f"{BASE}/payloads/{DIGEST}"

    answer = service.get(url)
    assert answer.content == WHOLE
    assert etag.items() <= {"ETag": answer.headers["ETag"]}.items()
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{DIGEST}"'

    assert service.get(url, headers={"If-None-Match": etag["ETag"]}).status_code == 304
    ranged = {"Range": "bytes=0-9", "If-Range": etag["ETag"]}
    assert service.get(url, headers=ranged).content == WHOLE[:10]
    assert service.get(url, headers={**ranged, "If-Range": '"other"'}).content == WHOLE
    assert service.get(f"{url}/location").json() == {"url": None}


def _keep(service: Service) -> None:
    upload = service.begin()
    assert [service.part(upload, number) for number in range(3)] == [204] * 3
    assert service.complete(upload).status_code == 200


# -- in parts ------------------------------------------------------------------------------------


def test_parts_come_in_any_order_and_as_often_as_they_like(service: Service) -> None:
    upload = service.begin()
    assert (upload["part_bytes"], upload["parts"], upload["direct"]) == (PART_BYTES, [], False)

    assert service.part(upload, 2) == 204
    assert service.part(upload, 0, b"x" * PART_BYTES) == 204
    assert service.part(upload, 0) == 204
    assert service.begin()["parts"] == [0, 2], "whoever begins it again goes on"
    assert told(service.complete(upload)) == (422, "SchemaValidationError")
    assert service.part(upload, 1) == 204
    assert service.complete(upload).json() == {"sha256": DIGEST, "size_bytes": len(WHOLE)}

    assert service.get(f"{BASE}/payloads/{DIGEST}").content == WHOLE
    assert service.begin() == {"is_here": True}
    assert told(service.complete(upload)) == (404, "ArtifactNotFoundError")
    assert service.incoming == []


def test_parts_that_are_not_the_payload_are_thrown_away(service: Service) -> None:
    upload = service.begin()
    for number in range(3):
        service.part(upload, number, WHOLE[: len(WHOLE) % PART_BYTES] if number == 2 else None)

    assert told(service.complete(upload)) == (422, "SchemaValidationError")

    assert service.begin()["parts"] == []
    assert service.request("HEAD", f"{BASE}/payloads/{DIGEST}").status_code == 404


def test_a_part_has_its_length_and_its_number(service: Service) -> None:
    upload = service.begin()

    assert service.part(upload, 0, WHOLE[: PART_BYTES - 1]) == 422
    assert service.part(upload, 0, WHOLE[: PART_BYTES + 1]) == 413
    assert service.part(upload, 2, WHOLE[:PART_BYTES]) == 413
    assert service.part(upload, 3, b"") == 422
    assert service.part(upload, 10**6, b"") == 422
    assert service.begin()["parts"] == []


def test_a_part_of_zeros_needs_no_body(service: Service) -> None:
    payload = bytes(2 * PART_BYTES) + b"end"
    upload = service.begin(payload)
    for number in range(2):
        answer = service.put(f"/uploads/{upload['upload_id']}/parts/{number}?zeros=true", b"")
        assert answer.status_code == 204
    assert service.part(upload, 2, b"end") == 204

    assert service.complete(upload).status_code == 200
    assert service.get(f"{BASE}/payloads/{upload['sha256']}").content == payload


def test_an_upload_is_its_sender_s_alone(service: Service) -> None:
    upload = service.begin()
    path = f"{BASE}/uploads/{upload['upload_id']}"
    other = service.key_of("ann", Scope.WRITE)

    assert service.begin(key=other)["upload_id"] != upload["upload_id"]
    for method, place in (("GET", ""), ("DELETE", ""), ("PUT", "/parts/0"), ("POST", "/complete")):
        answer = service.request(method, path + place, key=other)
        assert told(answer) == (404, "ArtifactNotFoundError")
    elsewhere = {"Quark-Storage-Dir": "elsewhere"}
    assert service.get(path, headers=elsewhere).status_code == 404
    assert service.get(path).status_code == 200
    assert service.request("DELETE", path).status_code == 204
    assert service.get(path).status_code == 404


def test_too_large_and_too_many_are_refused(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quark.service.parts_folder.MOST_OPEN_UPLOADS", 2)
    service.begin(b"a" * 5), service.begin(b"b" * 5)

    for size_bytes, status in ((10**9 + 1, 413), (0, 422), (-1, 422), (2**70, 422), (10, 503)):
        answer = service.post(f"{BASE}/uploads", json={"sha256": DIGEST, "size_bytes": size_bytes})
        assert answer.status_code == status
    assert answer.headers["Retry-After"] == "30"
    assert service.begin(b"a" * 5)["is_here"] is False, "one that was begun goes on"


def test_uploads_that_nobody_goes_on_with_are_removed_after_a_day(service: Service) -> None:
    old, young = service.begin(b"a" * 5), service.begin(b"b" * 5)
    day = uploads_module.ABANDONED_AFTER_SECONDS
    for upload, seconds in ((old, day + 60), (young, day - 60)):
        folder = service.root / "incoming-parts" / WORKSPACE / upload["upload_id"]
        then = FakeClock.START_US / 1e6 + 7_200 - seconds
        os.utime(folder, (then, then))
    service.clock.advance(7_200)

    service.begin(b"c" * 5)

    assert old["upload_id"] not in service.incoming
    assert young["upload_id"] in service.incoming
    assert service.part(old, 0, b"a" * 5) == 404
