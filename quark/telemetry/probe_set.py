"""All probes of a process, looked at one after the other, each behind the barrier."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from quark.telemetry.barrier import guarded
from quark.telemetry.reading import Reading, Trouble

if TYPE_CHECKING:
    from quark.clock import Clock
    from quark.telemetry.probes.nvidia import NvidiaProbe
    from quark.telemetry.probes.probe import Probe


class ProbeSet:
    """Makes readings. Used by one thread at a time; a forked child needs a new one."""

    def __init__(self, probes: Sequence[Probe], gpus: NvidiaProbe) -> None:
        self._probes = tuple(probes)
        self._gpus = gpus

    @property
    def gpus_are_ready(self) -> bool:
        """Whether GPUs can be looked at without loading the driver's library first."""
        return self._gpus.is_ready

    def look(
        self, number: int, clock: Clock, *, cpu: bool, gpu: bool, folders: Iterable[str]
    ) -> Reading:
        """Return what the probes give now. Never raises; what failed is in ``troubles``."""
        troubles: list[Trouble] = []

        def on_trouble(cause: str, error: Exception) -> None:
            troubles.append(Trouble(cause, error))

        host: dict[str, Any] = {}
        series: dict[str, float] = {}
        spaces: dict[str, Mapping[str, Any]] = {}
        gpus: Mapping[int, Mapping[str, Any]] = {}
        if gpu:  # first: loading the driver's library gives the CPU probe a window to measure over
            look_at_gpus = partial(self._gpus.measure, clock.monotonic(), on_trouble)
            gpus = guarded("GPUs cannot be measured", look_at_gpus, on_trouble) or {}
        for probe in self._probes if cpu else ():
            look = partial(probe.measure, clock.monotonic())
            found = guarded(f"{probe.name} cannot be measured", look, on_trouble)
            if found is not None:
                host.update(found.fields)
                series.update(found.series)
        for folder in folders if cpu else ():
            look_at_disk = partial(_space, folder)
            space = guarded("disk space cannot be measured", look_at_disk, on_trouble)
            spaces[folder] = space or {}
        return Reading(
            number=number,
            time_us=clock.time_us(),
            host=host,
            series=series,
            spaces=spaces,
            gpus=gpus,
            gpu_count=self._gpus.count,
            gpus_absent=self._gpus.absent if gpu else None,
            troubles=tuple(troubles),
        )


def _space(folder: str) -> Mapping[str, Any]:
    from quark.telemetry.probes.disk import disk_space

    return disk_space(folder)


def probes_of_this_machine(clock: Clock) -> ProbeSet:
    """Make the probes. Loads psutil (25 ms), so not where somebody waits without having asked."""
    from quark.telemetry.probes.cgroup import Cgroup
    from quark.telemetry.probes.cpu import CpuProbe
    from quark.telemetry.probes.disk import DiskTrafficProbe
    from quark.telemetry.probes.memory import MemoryProbe
    from quark.telemetry.probes.network import NetworkProbe
    from quark.telemetry.probes.nvidia import NvidiaProbe
    from quark.telemetry.probes.process import ProcessProbe

    cgroup = Cgroup()
    cpu = CpuProbe(cgroup)
    cpu.measure(clock.monotonic())  # so that the first reading has something to compare with
    probes: tuple[Probe, ...] = (
        MemoryProbe(cgroup),
        ProcessProbe(),
        DiskTrafficProbe(),
        NetworkProbe(),
        cpu,
    )
    return ProbeSet(probes, NvidiaProbe())
