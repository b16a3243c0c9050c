"""A container's limits, out of files as the kernel writes them."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from quark.telemetry.probes.cgroup import Cgroup, MemoryLimit
from quark.telemetry.probes.cpu import CpuProbe
from quark.telemetry.probes.memory import MemoryProbe

GIB = 1024**3
MOUNT = "30 24 0:26 {mounted} {point} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"


def machine(
    root: Path,
    *,
    own: str = "0::/\n",
    mounted: str = "/",
    point: str = "/sys/fs/cgroup",
    files: dict[str, str],
) -> Cgroup:
    """Lay out the files of a machine; ``files`` are below the mount point."""
    proc = root / "proc" / "self"
    proc.mkdir(parents=True)
    (proc / "cgroup").write_text(own)
    (proc / "mountinfo").write_text(
        "22 27 0:21 / /proc rw - proc proc rw\n" + MOUNT.format(mounted=mounted, point=point)
    )
    (root / point.lstrip("/")).mkdir(parents=True)
    for name, text in files.items():
        path = root / point.lstrip("/") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Cgroup(root)


STAT = f"anon 123\nfile 9\ninactive_file {GIB}\nactive_file 4\n"


def test_a_container_has_its_own_memory_and_cores(tmp_path: Path) -> None:
    cgroup = machine(
        tmp_path,
        files={
            "memory.max": f"{4 * GIB}\n",
            "memory.current": f"{3 * GIB}\n",
            "memory.stat": STAT,
            "cpu.max": "150000 100000\n",
        },
    )
    host_bytes = psutil.virtual_memory().total
    if host_bytes <= 4 * GIB:
        pytest.skip("this machine is smaller than the container")

    assert cgroup.memory() == MemoryLimit(4 * GIB, 3 * GIB, GIB)
    memory = MemoryProbe(cgroup).measure(0.0).fields
    assert memory == {
        "container_memory_limit_bytes": 4 * GIB,
        "container_memory_used_bytes": 3 * GIB,
        "ram_source": "container",
        "ram_used_bytes": 2 * GIB,  # without the file cache that is given back
        "ram_total_bytes": 4 * GIB,
        "ram_usage_percent": 50.0,
    }
    assert CpuProbe(cgroup).measure(0.0).fields["cpu_limit_count"] == 1.5


def test_the_tightest_limit_on_the_way_up_counts(tmp_path: Path) -> None:
    cgroup = machine(
        tmp_path,
        own="12:memory:/v1\n0::/slurm/job_7/step_0\n",
        files={
            "slurm/memory.max": f"{64 * GIB}\n",
            "slurm/memory.current": f"{40 * GIB}\n",
            "slurm/job_7/memory.max": f"{2 * GIB}\n",
            "slurm/job_7/memory.current": f"{GIB}\n",
            "slurm/job_7/cpu.max": "400000 100000\n",
            "slurm/job_7/step_0/memory.max": "max\n",
            "slurm/job_7/step_0/memory.current": "77\n",
            "slurm/job_7/step_0/cpu.max": "max 100000\n",
        },
    )

    assert cgroup.memory() == MemoryLimit(2 * GIB, GIB, 0)
    assert cgroup.cpu_count() == 4.0


@pytest.mark.parametrize(
    ("own", "mounted"),
    [
        pytest.param("0::/docker/abc\n", "/docker/abc", id="seen-from-the-host-only-own-mounted"),
        pytest.param("0::/docker/abc\n", "/", id="seen-from-the-host-path-not-there"),
        pytest.param("0::/../..\n", "/", id="outside-the-namespace"),
    ],
)
def test_a_path_that_is_not_below_the_mount_means_the_mount(
    tmp_path: Path, own: str, mounted: str
) -> None:
    cgroup = machine(
        tmp_path,
        own=own,
        mounted=mounted,
        files={"memory.max": "1000\n", "memory.current": "10\n"},
    )

    assert cgroup.memory() == MemoryLimit(1000, 10, 0)


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({}, id="root-cgroup"),
        pytest.param({"memory.max": "max\n", "memory.current": "5\n"}, id="no-limit"),
        pytest.param({"memory.max": "100\n"}, id="no-use"),
        pytest.param({"memory.max": "\n", "cpu.max": "\n"}, id="empty-files"),
    ],
)
def test_without_a_limit_it_is_the_host(tmp_path: Path, files: dict[str, str]) -> None:
    cgroup = machine(tmp_path, files=files)

    assert cgroup.memory() is None
    assert cgroup.cpu_count() is None
    fields = MemoryProbe(cgroup).measure(0.0).fields
    assert fields["ram_source"] == "host"
    assert fields["ram_total_bytes"] == psutil.virtual_memory().total


def test_a_limit_above_the_machine_is_kept_and_does_not_count(tmp_path: Path) -> None:
    host_bytes = psutil.virtual_memory().total
    files = {"memory.max": f"{host_bytes * 2}", "memory.current": "4096"}
    fields = MemoryProbe(machine(tmp_path, files=files)).measure(0.0).fields

    assert fields["container_memory_limit_bytes"] == host_bytes * 2
    assert (fields["ram_source"], fields["ram_total_bytes"]) == ("host", host_bytes)


def test_a_machine_without_version_2_has_no_limits(tmp_path: Path) -> None:
    cgroup = Cgroup(tmp_path)

    assert (cgroup.memory(), cgroup.cpu_count()) == (None, None)
