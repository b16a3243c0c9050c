"""Artifacts: what adding costs in memory, time and disk.

``python -m benchmarks artifacts``. Three cases, each in a process and a folder of its own:

* *5 GB sparse*: a file of 5 GB that holds 64 MiB of data in 16 places and holes elsewhere, added
  with ``add_file`` and logged. Both digests go over all 5 GB; the copy keeps the holes.
* *1 GB folder*: 1,000 files of 1 MB of random bytes, added with ``add_dir`` and logged.
* *1 GB folder again*: the same folder, unchanged, in another process: what it reads and writes.

Peak memory is that of the process above what it had before ``add``; bytes on disk are blocks that
the store's folder takes. Read and written are the process's system calls (``/proc/self/io``).
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measure import child, median

SPARSE_BYTES = 5 * 10**9
DATA_PLACES = 16
DATA_BYTES = 4 << 20
FILES = 1_000
FILE_BYTES = 10**6


def run(rounds: int) -> list[dict[str, Any]]:
    """Measure the three cases; medians of ``rounds``."""
    taken = [_round() for _ in range(rounds)]
    return [
        {
            name: value if isinstance(value, str) else median([part[case][name] for part in taken])
            for name, value in row.items()
        }
        for case, row in enumerate(taken[0])
    ]


def _round() -> list[dict[str, Any]]:
    rows = []
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as place:
        folder = Path(place)
        _sparse_file(folder / "sparse")
        rows.append({"what": "5 GB sparse", **_log(folder, "sparse")})
        _files(folder / "files")
        rows.append({"what": "1 GB folder", **_log(folder, "files")})
        rows.append({"what": "1 GB folder again", **_log(folder, "files")})
    return rows


def _log(folder: Path, name: str) -> dict[str, Any]:
    before = _disk_bytes(folder / ".quark" / "blobs")
    found = child("benchmarks.artifacts", {"name": name}, folder)
    found["new_on_disk_mb"] = (_disk_bytes(folder / ".quark" / "blobs") - before) / 1e6
    return found


def _sparse_file(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(SPARSE_BYTES)
        for place in range(DATA_PLACES):
            file.seek(place * (SPARSE_BYTES // DATA_PLACES))
            file.write(os.urandom(DATA_BYTES))


def _files(folder: Path) -> None:
    """Write the files, and wait until they are old enough to be known again."""
    folder.mkdir()
    for number in range(FILES):
        (folder / f"{number:04d}.bin").write_bytes(os.urandom(FILE_BYTES))
    time.sleep(3)  # what is younger than the coarsest clock of a file system is read again


def _disk_bytes(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def _in_child(name: str) -> dict[str, Any]:
    import quark.compat.wandb as wandb

    run = wandb.init(project="benchmark")
    warm = wandb.Artifact("warm", "dataset")
    with warm.new_file("x") as file:
        file.write("x")
    run.log_artifact(warm).wait()
    memory, traffic, began = _peak_mb(), _traffic_mb(), time.perf_counter()
    artifact = wandb.Artifact("data", "dataset")
    add = artifact.add_file if os.path.isfile(name) else artifact.add_dir
    add(name)
    added = time.perf_counter()
    run.log_artifact(artifact)
    returned = time.perf_counter()
    artifact.wait()
    stored = time.perf_counter()
    read, written = (after - before for after, before in zip(_traffic_mb(), traffic, strict=True))
    peak = _peak_mb() - memory
    run.finish()
    return {
        "add_s": added - began,
        "log_ms": (returned - added) * 1e3,
        "store_s": stored - returned,
        "peak_mb": peak,
        "read_mb": read,
        "written_mb": written,
    }


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _traffic_mb() -> tuple[float, float]:
    """Return what system calls have read and written so far."""
    lines = Path("/proc/self/io").read_text().splitlines()
    values = {name: int(value) for name, value in (line.split(": ") for line in lines)}
    return values["rchar"] / 1e6, values["wchar"] / 1e6


if __name__ == "__main__":
    print(json.dumps(_in_child(json.loads(sys.argv[1])["name"])))
