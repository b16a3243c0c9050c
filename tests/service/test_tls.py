"""A service that speaks TLS with a company's own authority, and a client that has to trust it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from quark.errors import SessionStoreError
from quark.persistence.service_client import ServiceClient
from tests.storage.building import batch, losses, run_record
from tests.support.certificates import Authority
from tests.support.service import RunningService, running_service, service_config


@pytest.fixture(autouse=True)
def none_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def refused(url: str) -> str:
    client = ServiceClient(url, None)
    try:
        with pytest.raises(SessionStoreError) as caught:
            client.get("/api/v1/me")
    finally:
        client.close()
    return str(caught.value)


def test_a_run_goes_through_tls_to_a_service_of_ones_own_authority(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = authority.sign("good")
    config = service_config(tmp_path / "root", tls_cert=certificate, tls_key=key)
    with running_service(config) as service:
        assert service.url.startswith("https://")
        said = refused(service.url)
        assert "its certificate is refused" in said
        assert "set SSL_CERT_FILE to a file" in said
        assert "begins with https://" in refused(service.url.replace("https:", "http:"))

        monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
        store = service.store()
        try:
            store.append(batch(1, 1, run_record(), run_id="r"))
            store.append(batch(2, 3, losses(2, [0.5, 0.25]), run_id="r"))

            assert [run.id for run in store.records.list_runs()] == ["r"]
        finally:
            store.close()

        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nosuch.pem"))
        assert "SSL_CERT_FILE names cannot be used" in refused(service.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(key))
        assert "SSL_CERT_FILE names cannot be used" in refused(service.url)


@pytest.mark.parametrize(
    ("host", "expired", "said"),
    [
        ("other.example.com", False, "must have a host that the certificate is for"),
        ("127.0.0.1", True, "certificate has expired"),
    ],
    ids=["other-host", "expired"],
)
def test_a_certificate_that_does_not_hold_is_told_from_one_that_is_not_trusted(
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    expired: bool,
    said: str,
) -> None:
    certificate, key = authority.sign("bad", host, expired=expired)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    config = service_config(tmp_path / "root", tls_cert=certificate, tls_key=key)
    with running_service(config) as service:
        message = refused(service.url)

    assert said in message
    assert "SSL_CERT_FILE" not in message


def test_tls_to_a_service_without_it_says_so(tmp_path: Path) -> None:
    with running_service(service_config(tmp_path / "root")) as service:
        assert "does not speak TLS" in refused(_as_https(service))


def test_a_client_that_says_nothing_does_not_keep_a_service_from_stopping(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = authority.sign("good")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    config = service_config(
        tmp_path / "root", tls_cert=certificate, tls_key=key, shutdown_timeout_seconds=60.0
    )
    with running_service(config) as service:
        client = ServiceClient(service.url, service.key)
        client.get("/api/v1/me")
        before = time.monotonic()
    client.close()
    assert time.monotonic() - before < 20  # uvloop would wait for 30 s


def _as_https(service: RunningService) -> str:
    return service.url.replace("http:", "https:")
