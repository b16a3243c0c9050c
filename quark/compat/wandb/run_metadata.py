"""What a run's folder knows of machine and program, under the names of W&B's metadata."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from quark import jsonio
from quark.errors import SchemaValidationError
from quark.session.run_folder import METADATA_FILE, RUNTIME_FILE


def run_metadata(folder: Path, created_at: str) -> dict[str, Any] | None:
    """Return the metadata of the run in ``folder``, None if nothing was captured."""
    runtime, about = _read(folder / RUNTIME_FILE), _read(folder / METADATA_FILE)
    if not runtime and not about:
        return None
    launcher = about.get("launcher") or {}
    platform = runtime.get("platform") or {}
    python = runtime.get("python") or {}
    argv = launcher.get("argv") or []
    found = {
        "os": "-".join(str(platform[part]) for part in ("system", "release") if part in platform),
        "python": python.get("version"),
        "executable": python.get("executable"),
        "host": runtime.get("hostname"),
        "cpu_count": runtime.get("cpu_count"),
        "cpu_count_logical": runtime.get("cpu_count"),
        "program": launcher.get("program") or (argv[0] if argv else None),
        "args": argv[1:],
        "root": launcher.get("cwd"),
        "startedAt": created_at,
        "git": {"commit": about["git_sha"]} if about.get("git_sha") else None,
    }
    return {name: value for name, value in found.items() if value not in (None, "")}


def _read(path: Path) -> dict[str, Any]:
    try:
        found = jsonio.loads(path.read_bytes())
    except (OSError, SchemaValidationError):
        return {}
    return found if isinstance(found, dict) else {}
