"""Where tests put the files of tables, and how they read what either package writes of one."""

from __future__ import annotations

import io
import json
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from quark.compat.wandb.data_types.base import KeptFile
from tests.compat.wandb.driver import SHIM


class Folder:
    """Files in memory: a keeper and a source, as a run and an artifact are."""

    as_wandb = True

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def keep(self, content: bytes | Path, *, folder: str, extension: str) -> KeptFile:
        held = content if isinstance(content, bytes) else content.read_bytes()
        digest = sha256(held).hexdigest()
        path = f"{folder}/{digest[:20]}{extension}"
        self.files[path] = held
        return KeptFile(path, digest, len(held))

    def within(self, part: str) -> Folder:
        return self

    def keep_given(self, content: bytes | Path, given: str, *, folder: str) -> KeptFile:
        return self.keep(content, folder=folder, extension=Path(given).suffix)

    def keep_reference(self, url: str, *, folder: str) -> KeptFile:
        return self.keep(url.encode(), folder=folder, extension=".url")

    def keep_json(self, fields: Any, path: str) -> tuple[str, str]:
        content = self.files.setdefault(path, json.dumps(fields).encode())
        return path, sha256(content).hexdigest()

    def open(self, path: str) -> BinaryIO:
        return io.BytesIO(self.files[path])

    def names(self) -> list[str]:
        return list(self.files)


def artifact_text(wandb: Any, table: Any) -> str:
    """Return what a package writes of a table that is added to an artifact, byte for byte."""
    if wandb.__name__ == SHIM:
        text: str = table.whole().artifact_json(Folder()).decode()
        if table.log_mode != "INCREMENTAL":  # there two fields are added
            assert text == json.dumps(table.in_artifact(Folder()), sort_keys=True)
            return text
        return json.dumps(table.in_artifact(Folder()), sort_keys=True)
    artifact = wandb.Artifact("tables", "test")
    artifact.add(table, "t")
    return Path(artifact.manifest.entries["t.table.json"].local_path).read_text()


def run_files(run: Any) -> list[tuple[str, Any]]:
    """Return the files of tables that a run has, without the digests in their names."""
    root = Path(run.dir) / "media" / "table"
    found = []
    for path in root.rglob("*.json"):
        name, _, _ = path.relative_to(root).as_posix().rpartition("_")
        content = json.loads(path.read_bytes())
        found.append((name, {"columns": content["columns"], "data": content["data"]}))
    return sorted(found, key=lambda file: (file[0], str(file[1])))
