"""What an export of runs says of itself: which runs, and the SHA-256 of every file.

An export is an embedded store of its own with this beside it (``docs/formats.md``). Whoever reads
one trusts nothing in it: a path may lead nowhere but below its folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from quark import jsonio
from quark.errors import DamagedFileError, SchemaValidationError
from quark.storage.admission import is_run_id
from quark.storage.file_copy import digest_file
from quark.storage.layout import STORE_FOLDER

FILE_NAME = "quark-export.json"
#: The manifest's own SHA-256, as ``sha256sum`` writes it.
CHECKSUM_NAME = f"{FILE_NAME}.sha256"
FORMAT = 1

#: All that an export may hold, below the store's folder.
_OF_STORE = re.compile(
    r"index\.db|documents\.db|blobs/[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{64}"
    r"|runs/[^/]+/(run\.db|files/.+)",
    re.DOTALL,
)


class ExportedFile(NamedTuple):
    """A file of an export, as it was when that was made."""

    sha256: str
    size_bytes: int
    modified_ns: int


class ExportedRun(NamedTuple):
    """Which run it is, to be read without opening the store."""

    id: str
    name: str | None
    project: str
    workspace: str
    status: str
    created_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportManifest:
    """An export's content. ``missing_payloads``: what records name and the store that it was made
    from had not any more. ``made_at`` is ISO 8601."""

    format: int
    quark_version: str
    made_at: str
    runs: tuple[ExportedRun, ...]
    missing_payloads: tuple[str, ...]
    files: dict[str, ExportedFile]  # by path, relative to the export's folder, parted by /

    @property
    def size_bytes(self) -> int:
        """How large all files are together."""
        return sum(file.size_bytes for file in self.files.values())

    def write(self, folder: Path) -> None:
        """Write it; from now on the folder is an export."""
        plain = {
            **asdict(self),
            "runs": [run._asdict() for run in self.runs],
            "files": {name: file._asdict() for name, file in self.files.items()},
        }
        path = folder / FILE_NAME
        path.write_bytes(jsonio.dumps(plain, indent=True) + b"\n")
        line = f"{sha256(path.read_bytes()).hexdigest()}  {FILE_NAME}\n"
        (folder / CHECKSUM_NAME).write_text(line, encoding="ascii")


def read_manifest(folder: Path) -> ExportManifest:
    """Read what an export says of itself.

    Raises:
        DamagedFileError: The folder is no export, no whole one, or one of a newer Quark.
    """
    try:
        text = (folder / FILE_NAME).read_bytes()
        expected = (folder / CHECKSUM_NAME).read_bytes()[:64].decode("ascii", "replace")
    except FileNotFoundError as error:
        raise DamagedFileError(
            f"{folder} is no export of runs, or one that was cut off: it has no "
            f"{Path(str(error.filename)).name}. `quark export RUN --to …` makes one."
        ) from None
    actual = sha256(text).hexdigest()
    if actual != expected:
        raise _damaged(folder / FILE_NAME, f"its SHA-256 is {actual}, not {expected}")
    try:
        plain: dict[str, Any] = jsonio.loads(text)
        if plain["format"] != FORMAT:
            raise DamagedFileError(
                f"{folder} is an export of format {plain['format']!r}; this Quark reads format "
                f"{FORMAT}. Install the Quark that made it ({plain.get('quark_version')})."
            )
        manifest = ExportManifest(
            format=FORMAT,
            quark_version=str(plain["quark_version"]),
            made_at=str(plain["made_at"]),
            runs=tuple(ExportedRun(**run) for run in plain["runs"]),
            missing_payloads=tuple(map(str, plain["missing_payloads"])),
            files={str(name): _file(**file) for name, file in plain["files"].items()},
        )
        ids = [run.id for run in manifest.runs if is_run_id(run.id)]
    except (SchemaValidationError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(folder / FILE_NAME, f"it is no manifest ({error!r})") from error
    strange = [name for name in manifest.files if not is_name(name)]
    if strange:
        raise _damaged(folder / FILE_NAME, f"no export has a file {strange[0]!r}")
    other = [
        name
        for name, file in manifest.files.items()
        if name.startswith(f"{STORE_FOLDER}/blobs/") and not name.endswith(f"/{file.sha256}")
    ]
    if other:
        raise _damaged(folder / FILE_NAME, f"the payload {other[0]!r} has another SHA-256")
    found = {name.split("/")[2] for name in manifest.files if name.endswith("/run.db")}
    if len(ids) != len(manifest.runs) or set(ids) - found:
        raise _damaged(folder / FILE_NAME, "it lists a run that has no run.db")
    return manifest


def check_file(folder: Path, name: str, file: ExportedFile) -> Path:
    """Return where a file of an export is, once its content is what the manifest says.

    Raises:
        DamagedFileError: It is not there, or another.
    """
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise _damaged(path, "it leads out of the export")
    try:
        found = digest_file(path)
    except OSError as error:
        raise _damaged(path, error.strerror or "it cannot be read") from error
    if found.size_bytes != file.size_bytes:
        raise _damaged(path, f"it has {found.size_bytes:,} bytes, not {file.size_bytes:,}")
    if found.sha256 != file.sha256:
        raise _damaged(path, f"its SHA-256 is {found.sha256}, not {file.sha256}")
    return path


def names_below(folder: Path) -> Iterator[str]:
    """Yield the files of a store that belong into an export, by path.

    What only says that a process lives, or can be made again, is left out.
    """
    for path in sorted((folder / STORE_FOLDER).rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and is_name(name):
            yield name


def is_name(name: str) -> bool:
    """Say whether a file of an export may have this path."""
    head, _, rest = name.partition("/")
    parts = rest.split("/")
    safe = "\0" not in name and not {"", ".", ".."} & set(parts)
    return head == STORE_FOLDER and safe and _OF_STORE.fullmatch(rest) is not None


def _file(sha256: str, size_bytes: int, modified_ns: int) -> ExportedFile:
    if not (0 <= int(size_bytes) < 2**62 and abs(int(modified_ns)) < 2**62):
        raise ValueError(f"a file of {size_bytes} bytes, modified at {modified_ns}")
    return ExportedFile(str(sha256), int(size_bytes), int(modified_ns))


def _damaged(path: Path, why: str) -> DamagedFileError:
    return DamagedFileError(
        f"{path} is damaged: {why}. Nothing was imported; copy the export again, or make another."
    )
