"""What ``quark doctor`` asks a service: does it answer, what may the key do, what time is it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from quark.cli.checks import Check
from quark.clock import SYSTEM_CLOCK, parse_timestamp
from quark.errors import QuarkError, SessionStoreError

if TYPE_CHECKING:
    from quark.persistence.service_client import ServiceClient
    from quark.settings import Settings

#: A header's time is to the second. Beyond the second figure times in reports mislead.
_SKEW_SECONDS, _FALSE_SECONDS = 5.0, 60.0
_SLOW_SECONDS = 1.0
_EXPIRES_SOON_US = 14 * 86_400_000_000


def check_service(settings: Settings) -> Iterator[Check]:
    """Ask the service of the settings."""
    from quark.persistence.service_client import ServiceClient

    try:
        client = ServiceClient(
            str(settings.persistence_url),
            settings.user_key,
            timeout_seconds=settings.persistence_timeout_seconds,
        )
    except SessionStoreError as error:
        yield Check("service", "problem", str(error))
        return
    try:
        reached = False
        for check in _check_reaching(client):
            reached = reached or check.about == "clock"
            yield check
        if reached:
            yield _check_readiness(client)
            yield from _check_key(settings)
    finally:
        client.close()


def _check_reaching(client: ServiceClient) -> Iterator[Check]:
    from email.utils import parsedate_to_datetime

    from quark.persistence.wire import VERSION_HEADER, WIRE_VERSION

    began, began_us = SYSTEM_CLOCK.monotonic(), SYSTEM_CLOCK.time_us()
    try:
        with client.stream("GET", "/healthz") as answer:
            answer.read()
            headers = answer.headers
            status = answer.status_code
    except QuarkError as error:
        yield Check("service", "problem", str(error))
        return
    seconds = SYSTEM_CLOCK.monotonic() - began
    spoken = headers.get(VERSION_HEADER)
    if status != 200 or "json" not in headers.get("Content-Type", ""):
        said = f"{client.target} answers, but not as a Quark service does"
        yield Check("service", "problem", said, "Look whether QUARK_PERSISTENCE_URL is right.")
        return
    wire = f"wire version {spoken or WIRE_VERSION}"
    slow = seconds > _SLOW_SECONDS
    yield Check(
        "service",
        "warning" if slow else "ok",
        f"{client.target} answers after {seconds * 1000:.0f} ms, {wire}",
        "The network or the service is slow; training does not wait for it." if slow else None,
    )
    if not (client.url.is_encrypted or client.url.is_local):
        said = "the user key goes to the service unencrypted"
        yield Check("encryption", "warning", said, "Use https:// there, or a tunnel.")
    try:
        there_us = int(parsedate_to_datetime(headers["Date"]).timestamp() * 1e6) + 500_000
    except (KeyError, TypeError, ValueError):
        yield Check("clock", "ok", "the service does not say what time it is")
        return
    yield _check_clock((began_us + seconds * 500_000 - there_us) / 1e6)


def _check_clock(ahead_seconds: float) -> Check:
    off = abs(ahead_seconds)
    if off <= _SKEW_SECONDS:
        return Check("clock", "ok", f"within {max(off, 1):.0f} s of the service's")
    where = "ahead of" if ahead_seconds > 0 else "behind"
    return Check(
        "clock",
        "problem" if off > _FALSE_SECONDS else "warning",
        f"this machine's clock is {off:.0f} s {where} the service's",
        "Let NTP set it: timedatectl set-ntp true. Times of runs are those of this machine.",
    )


def _check_readiness(client: ServiceClient) -> Check:
    try:
        client.request("GET", "/readyz")
    except QuarkError as error:
        return Check("readiness", "problem", str(error), "Ask who runs the service.")
    return Check("readiness", "ok", "its store and engines answer")


def _check_key(settings: Settings) -> Iterator[Check]:
    from quark.cli.signing_in import whose_key
    from quark.persistence.open import LOCAL

    try:
        me = whose_key(
            str(settings.persistence_url),
            settings.user_key,
            timeout_seconds=settings.persistence_timeout_seconds,
        )
    except QuarkError as error:
        yield Check("key", "problem", str(error), "quark auth login")
        return
    said = f"{me['user']} in workspace {me['workspace']}, scope {me['scope']}"
    if me["scope"] == "read":
        yield Check(
            "key", "warning", f"{said}: it cannot log runs", "Ask for a key that may write."
        )
    else:
        yield Check("key", "ok", said)
    if settings.workspace not in (LOCAL, me["workspace"]) and not me["service_admin"]:
        yield Check(
            "workspace",
            "problem",
            f"the settings name {settings.workspace!r}, but the key is for {me['workspace']!r}",
            "Leave the workspace out, or log in with a key for it.",
        )
    expires_at = me["expires_at"]
    if expires_at is not None:
        left_us = parse_timestamp(expires_at) - SYSTEM_CLOCK.time_us()
        soon = left_us < _EXPIRES_SOON_US
        yield Check(
            "key's end",
            "warning" if soon else "ok",
            f"{expires_at[:16]} UTC, in {left_us / 86_400e6:.0f} days",
            "Ask for a new key in time." if soon else None,
        )
