"""Fetches the libraries that the dashboard carries, and says whether they are what was published.

    python tools/vendor.py            # compare with npm's packages; changes nothing
    python tools/vendor.py --write    # take them, and write their hashes into the manifest

``quark/dashboard/static/vendor/manifest.json`` names each file: the package and version that it
comes out of, its place there, its licence, its SHA-256. For another version, change the manifest
and run with ``--write``; tests compare the hashes without a network. Needs npm.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

VENDOR = Path(__file__).resolve().parents[1] / "quark" / "dashboard" / "static" / "vendor"
MANIFEST = VENDOR / "manifest.json"


def published(package: str, version: str, folder: Path) -> tarfile.TarFile:
    """Return a package as npm has it; npm compares it with the hash that the registry states."""
    named = f"{package}@{version}"
    done = subprocess.run(
        ["npm", "pack", "--silent", "--pack-destination", str(folder), named],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"npm does not give {named}:\n{done.stderr}")
    return tarfile.open(folder / done.stdout.split()[-1])


def main() -> None:
    """Compare or take every file of the manifest."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="take the files and their hashes")
    write = parser.parse_args().write
    manifest: dict[str, list[dict[str, Any]]] = json.loads(MANIFEST.read_text())
    wrong = []
    for item in manifest["files"]:
        with (
            tempfile.TemporaryDirectory() as folder,
            published(item["package"], item["version"], Path(folder)) as archive,
        ):
            member = archive.extractfile(f"package/{item['path']}")
            content = member.read() if member else b""
        if write:
            (VENDOR / item["file"]).write_bytes(content)
            item["sha256"] = hashlib.sha256(content).hexdigest()
        elif (VENDOR / item["file"]).read_bytes() != content:
            wrong.append(item["file"])
        print(f"{item['file']}: {item['package']} {item['version']}, {len(content)} bytes")
    if write:
        MANIFEST.write_text(json.dumps(manifest, indent=2) + "\n")
    if wrong:
        sys.exit(f"Not as published: {', '.join(wrong)}. 'tools/vendor.py --write' takes them.")


if __name__ == "__main__":
    main()
