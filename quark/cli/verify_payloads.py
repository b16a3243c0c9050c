"""Whether the payloads of a run, and of the artifacts that it logged, are there and whole."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256 as new_sha256
from typing import TYPE_CHECKING

from quark.cli.checks import Check, counted, in_bytes
from quark.errors import QuarkError

if TYPE_CHECKING:
    from quark.records import RunRecord
    from quark.storage.protocols import Store

_PIECE_BYTES = 1 << 20
_SHOWN = 3


class Payloads:
    """Reads each payload once, however many runs refer to it."""

    def __init__(self, store: Store, *, read: bool) -> None:
        self._blobs = store.blobs
        self._read = read
        self._known: dict[str, str] = {}
        self.size_bytes = 0

    def fault(self, sha256: str) -> str:
        """Return what is wrong with a payload; nothing, if nothing is."""
        if sha256 not in self._known:
            self._known[sha256] = self._look(sha256)
        return self._known[sha256]

    def _look(self, sha256: str) -> str:
        if not self._read:
            return "" if self._blobs.exists(sha256) else "is not there"
        digest = new_sha256()
        try:
            with self._blobs.open(sha256) as stream:
                while piece := stream.read(_PIECE_BYTES):
                    digest.update(piece)
                    self.size_bytes += len(piece)
        except KeyError:
            return "is not there"
        except (QuarkError, OSError) as error:
            return f"cannot be read: {error}"
        found = digest.hexdigest()
        return "" if found == sha256 else f"has another content, {found[:12]}…"


def check_payloads(store: Store, run: RunRecord, payloads: Payloads) -> Iterator[Check]:
    """Look at what the run's own records refer to."""
    from quark.records import ArtifactRecord

    before = payloads.size_bytes
    try:
        records = store.records.read(ArtifactRecord, run.id)
    except QuarkError as error:
        yield Check("payloads", "problem", str(error))
        return
    wanted = {one.sha256: one.artifact_key for one in records if one.sha256}
    wrong = [
        f"{sha256[:12]}… of {name} {fault}"
        for sha256, name in wanted.items()
        if (fault := payloads.fault(sha256))
    ]
    yield _check("payloads", len(wanted), "payload", wrong, payloads.size_bytes - before)


def check_artifacts(store: Store, run: RunRecord, payloads: Payloads) -> Iterator[Check]:
    """Look at the versions of artifacts that the run logged."""
    from quark.catalog import lineage
    from quark.catalog.model import RunRef
    from quark.catalog.reading import read_manifest

    before = payloads.size_bytes
    ref = RunRef(run.id, run.project_name, run.workspace)
    wrong: list[str] = []
    try:
        versions = lineage.versions_of(store, ref, lineage.OUTPUT)
    except QuarkError as error:
        yield Check("artifacts", "problem", str(error))
        return
    for version in versions:
        try:
            manifest = read_manifest(store, version)
        except QuarkError as error:
            wrong.append(f"{version.name}: {error}")
            continue
        if manifest.digest != version.digest:
            wrong.append(f"{version.name}: its manifest is another one")
        faults = [
            f"{sha256[:12]}… {fault}"
            for sha256 in sorted(manifest.payloads)
            if (fault := payloads.fault(sha256))
        ]
        if faults:
            wrong.append(f"{version.name}: {faults[0]}" + (" …" if len(faults) > 1 else ""))
    if versions:
        yield _check("artifacts", len(versions), "version", wrong, payloads.size_bytes - before)


def _check(about: str, count: int, one: str, wrong: list[str], size_bytes: int) -> Check:
    if wrong:
        shown = "; ".join(wrong[:_SHOWN]) + (" …" if len(wrong) > _SHOWN else "")
        todo = "Bring what is missing back from a backup, or log it again."
        return Check(about, "problem", f"{len(wrong)} of {counted(count, one)}: {shown}", todo)
    if not count:
        return Check(about, "ok", "none")
    read = f", {in_bytes(size_bytes)} read and compared" if size_bytes else ""
    return Check(about, "ok", f"{counted(count, one)} there{read}")
