"""Ports for servers that are told on which one to listen."""

from __future__ import annotations

import contextlib
import random
import socket

#: Below those that the system gives to outgoing connections: nobody takes a port before the server
#: listens on it, or while it is being started again.
_PORTS = range(20_000, 30_000)
_GIVEN: set[int] = set()


def lasting_port() -> int:
    """Return a port that stays free while nobody listens on it. No port is returned twice."""
    for port in random.SystemRandom().sample(_PORTS, 200):
        if port in _GIVEN:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            _GIVEN.add(port)
            return port
    raise AssertionError("no port is free")
