"""What the probes of this machine say, against a second source: /proc, or psutil asked directly."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings, strategies as st

from quark.clock import SYSTEM_CLOCK
from quark.telemetry.barrier import guarded
from quark.telemetry.probe_set import probes_of_this_machine
from quark.telemetry.probes.cgroup import Cgroup
from quark.telemetry.probes.cpu import CpuProbe
from quark.telemetry.probes.disk import DiskTrafficProbe, disk_space
from quark.telemetry.probes.memory import MemoryProbe
from quark.telemetry.probes.network import NetworkProbe
from quark.telemetry.probes.probe import SHORTEST_WINDOW_SECONDS, Window, growth_per_second
from quark.telemetry.probes.process import ProcessProbe

LINUX = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc")
CLOSE = 64 * 1024 * 1024  # other processes go on meanwhile


def meminfo() -> dict[str, int]:
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines}


@LINUX
def test_memory_is_what_the_kernel_says(tmp_path: Path) -> None:
    fields = MemoryProbe(Cgroup(tmp_path)).measure(0.0).fields

    info = meminfo()
    used = info["MemTotal"] - info["MemAvailable"]
    assert fields["ram_total_bytes"] == info["MemTotal"]
    assert fields["ram_used_bytes"] == pytest.approx(used, abs=4 * CLOSE)
    assert fields["ram_usage_percent"] == pytest.approx(
        100 * fields["ram_used_bytes"] / info["MemTotal"]
    )
    assert fields["ram_source"] == "host"


@LINUX
def test_cpu_use_is_the_growth_of_what_the_kernel_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two lines of /proc/stat, ten seconds apart on two cores, of which five were busy."""
    probe = CpuProbe(Cgroup(Path("nowhere")))
    times = psutil.cpu_times()
    monkeypatch.setattr(psutil, "cpu_times", lambda: times)
    assert "cpu_usage_percent" not in probe.measure(0.0).fields
    later = times._replace(
        user=times.user + 4, system=times.system + 1, idle=times.idle + 12, iowait=times.iowait + 3
    )
    monkeypatch.setattr(psutil, "cpu_times", lambda: later)

    assert probe.measure(10.0).fields["cpu_usage_percent"] == pytest.approx(100 * 5 / 20)


@LINUX
def test_the_process_is_what_the_kernel_says_of_it() -> None:
    fields = ProcessProbe().measure(0.0).fields

    pages = int(Path("/proc/self/statm").read_text().split()[1])
    rss = pages * os.sysconf("SC_PAGE_SIZE")
    assert fields["process_rss_bytes"] == pytest.approx(rss, abs=CLOSE)
    assert fields["process_thread_count"] == len(os.listdir("/proc/self/task"))
    assert fields["process_open_file_count"] == pytest.approx(
        len(os.listdir("/proc/self/fd")), abs=2
    )


BUSY_CHILD = """
import os, subprocess, sys
if len(sys.argv) == 1:
    subprocess.Popen([sys.executable, __file__, "below"], stdin=sys.stdin, stdout=sys.stdout)
data = bytearray(os.urandom(1024)) * 40_000
end = os.times().user + 0.3
while os.times().user < end:
    pass
print("ready", flush=True)
sys.stdin.read()
"""


def test_children_and_theirs_count_with_their_memory_and_their_time(tmp_path: Path) -> None:
    probe = ProcessProbe()
    probe.measure(0.0)
    script = tmp_path / "child.py"
    script.write_text(BUSY_CHILD)
    child = subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        assert [child.stdout.readline() for _ in range(2)] == [b"ready\n"] * 2
        fields = probe.measure(10.0).fields
        below = psutil.Process().children(recursive=True)
        assert fields["process_child_count"] == len(below)
        assert fields["process_child_count"] >= 2
        rss = sum(process.memory_info().rss for process in below)
        assert fields["process_children_rss_bytes"] == pytest.approx(rss, rel=0.2)
        assert fields["process_children_rss_bytes"] > 80_000_000
        cores = psutil.cpu_count() or 1
        assert fields["process_cpu_percent"] >= 100 * 2 * 0.3 / (10 * cores)
    finally:
        child.communicate(timeout=60)
    assert probe.measure(20.0).fields["process_cpu_percent"] >= 0  # the children took theirs along


@LINUX
def test_disks_and_network_are_what_the_kernel_says(tmp_path: Path) -> None:
    space = disk_space(str(tmp_path))
    disk = shutil.disk_usage(tmp_path)
    assert space["disk_used_bytes"] == pytest.approx(disk.used, abs=CLOSE)
    assert space["disk_free_bytes"] == pytest.approx(disk.free, abs=CLOSE)
    assert space["disk_usage_percent"] == pytest.approx(psutil.disk_usage("/").percent, abs=100)

    lines = [line.split() for line in Path("/proc/net/dev").read_text().splitlines()[2:]]
    received = sum(int(words[1]) for words in lines if words[0] != "lo:")
    network = NetworkProbe().measure(0.0).fields
    assert network["network_received_bytes"] == pytest.approx(received, abs=CLOSE)

    traffic = DiskTrafficProbe().measure(0.0).fields
    total = psutil.disk_io_counters()
    if total is not None:
        assert traffic["disk_written_bytes"] == pytest.approx(total.write_bytes, abs=4 * CLOSE)


@settings(max_examples=60)
@given(
    pauses=st.lists(st.sampled_from([0.001, 0.1, 0.4, 0.6, 1.0, 10.0]), min_size=1, max_size=20),
    rate=st.floats(0, 1e9),
)
def test_a_steady_growth_has_one_rate_however_often_one_looks(
    pauses: list[float], rate: float
) -> None:
    window, now = Window(), 100.0
    looks = [now]
    assert window.since(now, (0.0,)) == (0.0, (0.0,))

    for pause in pauses:
        now += pause
        seconds, (grown,) = window.since(now, (rate * (now - 100.0),))
        assert grown == pytest.approx(rate * seconds, rel=1e-6, abs=1e-3)
        compared_with = now - seconds
        assert min(abs(look - compared_with) for look in looks) < 1e-9
        long_enough = [look for look in looks if now - look >= SHORTEST_WINDOW_SECONDS]
        assert seconds >= SHORTEST_WINDOW_SECONDS - 1e-9 or not long_enough
        looks.append(now)


def test_a_counter_that_begins_anew_has_no_rate() -> None:
    window = Window()
    growth_per_second(window, 0.0, {"a": 100.0, "b": 5.0})

    assert growth_per_second(window, 2.0, {"a": 0.0, "b": 9.0}) == {"b": 2.0}


def test_this_machine_is_measured_without_trouble_and_quickly_told_apart(tmp_path: Path) -> None:
    probes = probes_of_this_machine(SYSTEM_CLOCK)

    reading = probes.look(1, SYSTEM_CLOCK, cpu=True, gpu=False, folders=[str(tmp_path)])
    broken = probes.look(2, SYSTEM_CLOCK, cpu=True, gpu=False, folders=[str(tmp_path / "gone")])
    nothing = probes.look(3, SYSTEM_CLOCK, cpu=False, gpu=False, folders=[])

    assert reading.troubles == ()
    assert reading.host["process_rss_bytes"] > 0
    assert reading.spaces[str(tmp_path)]["disk_free_bytes"] > 0
    assert [trouble.cause for trouble in broken.troubles] == ["disk space cannot be measured"]
    assert broken.host.keys() >= reading.host.keys()  # rates need a moment between two looks
    assert (nothing.host, nothing.gpus, nothing.troubles) == ({}, {}, ())


def test_the_barrier_lets_nothing_through_and_tells() -> None:
    told: list[tuple[str, str]] = []

    def fail() -> int:
        raise RuntimeError("no")

    assert guarded("x", lambda: 3, lambda cause, error: told.append((cause, str(error)))) == 3
    assert guarded("x", fail, lambda cause, error: told.append((cause, str(error)))) is None
    assert told == [("x", "no")]
