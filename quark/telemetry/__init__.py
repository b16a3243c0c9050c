"""What the machine and the training loop do: timings of steps, CPU, memory, disks, GPUs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quark._lazy import lazy_names

if TYPE_CHECKING:
    from quark.telemetry.config import SystemTelemetryConfig as SystemTelemetryConfig
    from quark.telemetry.scope import StepTelemetryScope as StepTelemetryScope
    from quark.telemetry.system import SystemTelemetry as SystemTelemetry

#: What ``settings.extensions`` calls the sampler that W&B runs have.
SAMPLER = "quark.telemetry.sampler:SystemSampler"

_HOMES = {
    "StepTelemetryScope": "quark.telemetry.scope",
    "SystemTelemetry": "quark.telemetry.system",
    "SystemTelemetryConfig": "quark.telemetry.config",
}

__all__ = ["SAMPLER", *sorted(_HOMES)]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
