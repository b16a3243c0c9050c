"""This process and its children: data loaders' workers are half of a training."""

from __future__ import annotations

import os
from typing import Any

import psutil

from quark.telemetry.probes.probe import LEAST_WINDOW_SECONDS, Measured, Window


class ProcessProbe:
    """CPU time, memory, threads and open files of the process that made this, with its children.

    CPU use is the share of all cores' time since the last look. A child that ended in between has
    taken what it used since then with it.
    """

    name = "process"

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._cores = psutil.cpu_count() or 1
        self._window = Window()
        self._cpu_seconds: dict[int, float] | None = None
        self._used_seconds = 0.0

    def measure(self, now: float) -> Measured:
        process = self._process
        with process.oneshot():
            own_memory = process.memory_info()
            fields: dict[str, Any] = {
                "process_rss_bytes": own_memory.rss,
                "process_thread_count": process.num_threads(),
            }
            cpu_seconds = {process.pid: _cpu_seconds(process)}
        if hasattr(process, "num_fds"):
            fields["process_open_file_count"] = process.num_fds()
        children = _descendants(process)
        children_bytes = 0
        for child in children:
            try:
                with child.oneshot():
                    children_bytes += child.memory_info().rss
                    cpu_seconds[child.pid] = _cpu_seconds(child)
            except psutil.Error:  # it ended just now, or is somebody else's
                continue
        fields["process_child_count"] = len(cpu_seconds) - 1
        fields["process_children_rss_bytes"] = children_bytes
        self._count(cpu_seconds)
        seconds, (used_seconds,) = self._window.since(now, (self._used_seconds,))
        if seconds >= LEAST_WINDOW_SECONDS:
            share = used_seconds / (seconds * self._cores)
            fields["process_cpu_percent"] = min(100.0 * share, 100.0)
        return Measured(fields)

    def _count(self, cpu_seconds: dict[int, float]) -> None:
        """Add up what was used since the last look; a new child has used all of its time since."""
        before = self._cpu_seconds
        if before is not None:
            for pid, used in cpu_seconds.items():
                self._used_seconds += max(used - before.get(pid, 0.0), 0.0)
        self._cpu_seconds = cpu_seconds


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        pids = _pids_below(process.pid)
    except OSError:  # no /proc, or a kernel that does not list children
        found: list[psutil.Process] = process.children(recursive=True)
        return found
    processes = []
    for pid in pids:
        try:
            processes.append(psutil.Process(pid))
        except psutil.Error:
            continue
    return processes


def _pids_below(pid: int) -> list[int]:
    """Return the processes below ``pid``, without looking at every process of the machine.

    Raises:
        OSError: The kernel does not list them.
    """
    found: list[int] = []
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        for child in _children(parent, must_be_there=parent == pid):
            if child not in found:
                found.append(child)
                waiting.append(child)
    return found


def _children(pid: int, *, must_be_there: bool) -> list[int]:
    children: list[int] = []
    is_listed = False
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        if must_be_there:
            raise
        return []
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                children += map(int, file.read().split())
            is_listed = True
        except OSError:  # the thread ended just now
            continue
    if must_be_there and not is_listed:
        raise OSError(f"/proc/{pid}/task/*/children is not there")
    return children
