"""The network: what went in and out over all interfaces but the loopback.

A container sees its own interfaces only.
"""

from __future__ import annotations

import psutil

from quark.telemetry.probes.probe import Measured, Window, growth_per_second

RECEIVED_PER_SECOND = "system/network/received_bytes_per_second"
SENT_PER_SECOND = "system/network/sent_bytes_per_second"
_LOOPBACK = ("lo", "lo0")


class NetworkProbe:
    """Counters of bytes, and how fast they grow."""

    name = "network"

    def __init__(self) -> None:
        self._window = Window()

    def measure(self, now: float) -> Measured:
        interfaces = psutil.net_io_counters(pernic=True, nowrap=False)
        counted = [one for name, one in interfaces.items() if name not in _LOOPBACK]
        received_bytes = sum(one.bytes_recv for one in counted)
        sent_bytes = sum(one.bytes_sent for one in counted)
        rates = growth_per_second(
            self._window,
            now,
            {RECEIVED_PER_SECOND: received_bytes, SENT_PER_SECOND: sent_bytes},
        )
        fields = {"network_received_bytes": received_bytes, "network_sent_bytes": sent_bytes}
        return Measured(fields, rates)
