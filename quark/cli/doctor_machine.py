"""What ``quark doctor`` looks at on this machine: versions, GPUs, the disk, who may do what."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from quark import __version__
from quark.cli.checks import Check, in_bytes
from quark.settings import Settings, config_file, config_path

_OLDEST_PYTHON = (3, 11)
#: Below the first a run that goes on may fill the disk soon; below the second it nearly is full.
_LITTLE_BYTES, _NOTHING_BYTES = 5 * 10**9, 3 * 10**8
_FOR_OTHERS = 0o077


def check_machine(folder: Path) -> Iterator[Check]:
    """Look at everything here; ``folder`` is where journals, and maybe runs, are kept."""
    yield Check("quark", "ok", f"{__version__}, in {Path(__file__).parent.parent}")
    yield _check_python()
    yield from _check_gpus()
    yield _check_writing(folder)
    yield from _check_file_system(folder)
    yield _check_disk(folder)


def _check_python() -> Check:
    import platform

    said = f"{platform.python_version()}, {sys.executable}"
    if sys.version_info < _OLDEST_PYTHON:
        return Check("python", "problem", said, "Quark needs Python 3.11 or newer.")
    return Check("python", "ok", said)


def _check_gpus() -> Iterator[Check]:
    """Ask NVML, and not torch, which takes seconds to import."""
    from quark.telemetry.probes.nvidia import NvidiaProbe

    troubles: list[str] = []
    probe = NvidiaProbe()
    found = probe.measure(0.0, lambda what, error: troubles.append(f"{what}: {error}"))
    torch = _version("torch")
    names = [str(numbers.get("gpu_name") or f"GPU {number}") for number, numbers in found.items()]
    for_cpus = torch is not None and torch.endswith("+cpu")
    if torch is None:
        yield Check("torch", "ok", "not installed; layers and gradients are not watched without it")
    elif for_cpus and names:
        yield Check(
            "torch",
            "warning",
            f"{torch}, which is for CPUs alone, beside {len(names)} GPUs",
            "Install a build of torch for CUDA: see pytorch.org.",
        )
    else:
        yield Check("torch", "ok", torch)
    if troubles:
        todo = "See what nvidia-smi says; after a driver's update the machine must start anew."
        yield Check("gpu", "problem", "; ".join(troubles), todo)
    elif probe.absent and "hides" in probe.absent:
        yield Check(
            "gpu", "warning", probe.absent, "Unset it to train on the GPUs of this machine."
        )
    elif names:
        counts = {name: names.count(name) for name in names}
        said = ", ".join(f"{count} × {name}" for name, count in counts.items())
        yield Check("gpu", "ok", f"{said}, visible to CUDA")
    else:
        yield Check("gpu", "ok", f"none to be used ({probe.absent or 'none is visible'})")


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def check_config(settings: Settings) -> Check:
    """Look at the file that settings come from, which can be read."""
    path = Path(config_path())
    try:
        status = path.stat()
    except OSError:
        return Check("settings", "ok", f"from the environment and defaults; there is no {path}")
    file = config_file()
    has_key = "user_key" in file.settings or any("user_key" in t for t in file.targets.values())
    mode = status.st_mode & 0o777
    chosen = f", target {settings.target}" if settings.target else ""
    if has_key and mode & _FOR_OTHERS:
        return Check(
            "settings",
            "problem",
            f"{path} holds a user key and may be read by others (mode {mode:04o})",
            f"chmod 600 {path}",
        )
    return Check("settings", "ok", f"{path}{chosen}")


def _check_writing(folder: Path) -> Check:
    place = _existing(folder / ".quark")
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".quark-doctor-") as file:
            os.fsync(file.write(b"quark") and file.fileno())
    except OSError as error:
        return Check(
            "folder",
            "problem",
            f"{place} cannot be written: {error.strerror}",
            "Make it writable, or keep runs elsewhere with QUARK_STORAGE_DIR.",
        )
    foreign = _foreign_run(folder / ".quark" / "runs")
    if foreign is not None:
        todo = f"chown -R $(id -un) {folder / '.quark'}"
        return Check("folder", "warning", f"{foreign} cannot be written by this user", todo)
    return Check("folder", "ok", f"{place} can be written")


def _foreign_run(runs: Path) -> Path | None:
    try:
        found = sorted(runs.iterdir())
    except OSError:
        return None
    return next((path for path in found if not os.access(path, os.W_OK)), None)


def _check_file_system(folder: Path) -> Iterator[Check]:
    from quark.storage.filesystem import is_network_path

    if is_network_path(folder):
        yield Check(
            "file system",
            "warning",
            f"{folder} is on a network: logging is slower there, and one machine at a time should "
            "write a run",
            "Keep runs on a local disk with QUARK_STORAGE_DIR, or by a service.",
        )


def _check_disk(folder: Path) -> Check:
    place = _existing(folder)
    usage = shutil.disk_usage(place)
    said = f"{in_bytes(usage.free)} of {in_bytes(usage.total)} are free in {place}"
    todo = "Make room: `quark gc` and `quark run delete` help, or keep runs on another disk."
    if usage.free < _NOTHING_BYTES:
        return Check("disk", "problem", said, todo)
    if usage.free < _LITTLE_BYTES:
        return Check("disk", "warning", said, todo)
    return Check("disk", "ok", said)


def _existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.exists())
