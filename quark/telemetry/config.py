"""What a :class:`~quark.telemetry.SystemTelemetry` keeps, and how often."""

from __future__ import annotations

from dataclasses import dataclass, fields

from quark.errors import SchemaValidationError


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemTelemetryConfig:
    """How often steps are recorded and what is measured.

    Args:
        sample_every_n_steps: Steps that this divides are recorded; 1 records every step.
        emit_scalar_metrics: Write timings, counters and what was measured as metrics below
            ``system/`` too.
        capture_cpu: Measure CPU, memory, this process, disks and the network.
        capture_gpu: Measure NVIDIA GPUs.
        gpu_index: The only GPU to measure, as CUDA counts: 0 is ``cuda:0``. None: all that
            ``CUDA_VISIBLE_DEVICES`` leaves to this process.

    Raises:
        SchemaValidationError: A value is not allowed.

    >>> SystemTelemetryConfig(sample_every_n_steps=10).capture_gpu
    True
    """

    sample_every_n_steps: int = 1
    emit_scalar_metrics: bool = True
    capture_cpu: bool = True
    capture_gpu: bool = True
    gpu_index: int | None = None

    def __post_init__(self) -> None:
        every = self.sample_every_n_steps
        if type(every) is not int or every < 1:
            raise _refusal("sample_every_n_steps", every, "be an integer of 1 or more")
        for item in fields(self):
            value = getattr(self, item.name)
            if item.type == "bool" and not isinstance(value, bool):
                raise _refusal(item.name, value, "be True or False")
        index = self.gpu_index
        if index is not None and (type(index) is not int or index < 0):
            raise _refusal("gpu_index", index, "be an integer of 0 or more, or None for all GPUs")


def _refusal(name: str, value: object, rule: str) -> SchemaValidationError:
    return SchemaValidationError(f"SystemTelemetryConfig.{name} is {value!r}, but it must {rule}.")
