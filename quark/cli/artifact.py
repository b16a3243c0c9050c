"""``quark artifact``: versions of files that runs logged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from quark.cli.checks import counted, in_bytes
from quark.cli.lazy import Entry, LazyGroup
from quark.cli.output import Column, Output, list_of, object_of, with_output
from quark.cli.target import with_store

if TYPE_CHECKING:
    from quark.catalog.model import CollectionKey, Version
    from quark.storage.protocols import Store

_VERSION = object_of(
    name="string",
    version="string",
    type="string",
    aliases="array",
    size_bytes="integer",
    file_count="integer",
    created_at="string",
    project="string",
    logged_by="string|null",
)
_MOST_DEEP = 20
_PIECE_BYTES = 1 << 20


@click.group(
    name="artifact",
    cls=LazyGroup,
    entries=(
        Entry("ls", "quark.cli.artifact:list_artifacts", "List artifacts, or the versions of one."),
        Entry("get", "quark.cli.artifact:get_artifact", "Write a version's files into a folder."),
        Entry(
            "verify",
            "quark.cli.artifact:verify_artifact",
            "Read a version's files, and check them.",
        ),
        Entry("lineage", "quark.cli.artifact:show_lineage", "Show what a version came from."),
    ),
)
def artifact() -> None:
    """Versions of files that runs logged."""


@click.command(name="ls")
@click.argument("name", metavar="[ARTIFACT]", required=False)
@click.option("--project", "-p", metavar="NAME", help="Only those of this project.")
@click.option("--type", "kind", metavar="TYPE", help="Only those of this type.")
@with_store
@with_output(list_of(_VERSION))
def list_artifacts(
    name: str | None, project: str | None, kind: str | None, store: Store, out: Output
) -> None:
    """List artifacts, or the versions of one.

    \b
    quark artifact ls
    quark artifact ls digits-model
    """
    from quark.catalog.reading import get_version, list_collections, list_versions

    found: list[Version] = []
    for key in _collections(store, name, project):
        if name is not None:
            found += list_versions(store, key)
        else:
            listed = list_collections(store, key.workspace, key.project, kind)
            if any(one.key == key and one.aliases for one in listed):
                found.append(get_version(store, key))
    found = [one for one in found if kind in (None, one.type)]
    if out.as_json:
        out.answer([_plain(one) for one in found])
        return
    columns = [
        Column("ARTIFACT", lambda one: f"{one.key.name}:v{one.index}"),
        Column("TYPE", lambda one: one.type),
        Column("ALIASES", lambda one: one.aliases),
        Column("FILES", lambda one: one.file_count, numeric=True),
        Column("SIZE", lambda one: in_bytes(one.size_bytes), numeric=True),
        Column("MADE (UTC)", lambda one: one.created_at[:19].replace("T", " ")),
        Column("BY", lambda one: one.logged_by and one.logged_by.run_id),
        Column("PROJECT", lambda one: one.key.project),
    ]
    out.rows(found, columns, empty="No artifacts yet; run.log_artifact() makes them.")


@click.command(name="get")
@click.argument("text", metavar="NAME:ALIAS")
@click.option("--project", "-p", metavar="NAME", help="Its project, if several have one.")
@click.option("--output", "-o", metavar="DIR", help="Where to. [default: ./NAME-vN]")
@with_store
@with_output(object_of(path="string", files="array", references="array"))
def get_artifact(
    text: str, project: str | None, output: str | None, store: Store, out: Output
) -> None:
    """Write a version's files into a folder.

    Files that are there with the right content stay as they are.

    \b
    quark artifact get digits-model:latest
    quark artifact get digits-model:v3 -o models/
    """
    from quark.catalog.checkout import write_file
    from quark.catalog.reading import read_manifest

    version = _version(store, text, project)
    folder = Path(output or f"{version.key.name}-v{version.index}").absolute()
    manifest = read_manifest(store, version)
    files, references = [], []
    for entry in manifest.entries.values():
        if entry.ref is not None:
            references.append(entry.ref)
        else:
            files.append(str(write_file(store.blobs, entry, folder)))
    if out.as_json:
        out.answer({"path": str(folder), "files": files, "references": references})
        return
    out.text(str(folder))
    if references:
        out.note(f"{counted(len(references), 'reference')} not copied: {', '.join(references[:3])}")


@click.command(name="verify")
@click.argument("text", metavar="NAME:ALIAS")
@click.option("--project", "-p", metavar="NAME", help="Its project, if several have one.")
@with_store
@with_output(object_of(artifact="string", checked="integer", faults="array"))
def verify_artifact(text: str, project: str | None, store: Store, out: Output) -> int:
    """Read a version's files, and check them.

    Exits with 1 if one is missing or damaged.

    \b
    quark artifact verify digits-model:latest
    """
    from quark.catalog.reading import read_manifest

    version = _version(store, text, project)
    faults, checked = [], 0
    for entry in read_manifest(store, version).entries.values():
        if entry.ref is not None:
            continue
        checked += 1
        try:
            with store.blobs.open(entry.sha256 or "") as content:
                found = _sha256_of(content)
            if found != entry.sha256:
                faults.append(f"{entry.path}: damaged")
        except KeyError:
            faults.append(f"{entry.path}: missing")
    if out.as_json:
        name = f"{version.key.name}:v{version.index}"
        out.answer({"artifact": name, "checked": checked, "faults": faults})
    else:
        for fault in faults:
            out.text(fault)
        out.text(f"{counted(checked, 'file')} checked, {len(faults)} at fault")
    return 1 if faults else 0


@click.command(name="lineage")
@click.argument("text", metavar="NAME:ALIAS")
@click.option("--project", "-p", metavar="NAME", help="Its project, if several have one.")
@with_store
@with_output(object_of(artifact="string", logged_by="object|null", used_by="array"))
def show_lineage(text: str, project: str | None, store: Store, out: Output) -> None:
    """Show what a version came from.

    The run that logged it, what that run used, and so on; and who used it since.

    \b
    quark artifact lineage digits-model:latest
    """
    tree = _lineage(store, _version(store, text, project), set(), 0)
    if out.as_json:
        out.answer(tree)
    else:
        for line in _lines(tree):
            out.text(line)


def _sha256_of(content: BinaryIO) -> str:
    from hashlib import sha256

    digest = sha256()
    while piece := content.read(_PIECE_BYTES):
        digest.update(piece)
    return digest.hexdigest()


def _lineage(store: Store, version: Version, seen: set[str], depth: int) -> dict[str, Any]:
    from quark.catalog.lineage import INPUT, runs_of, versions_of

    seen.add(version.document)
    by = version.logged_by
    made: dict[str, Any] | None = None
    if by is not None:
        used = versions_of(store, by, INPUT) if depth < _MOST_DEEP else ()
        made = {
            "run_id": by.run_id,
            "project": by.project,
            "used": [
                _lineage(store, one, seen, depth + 1) for one in used if one.document not in seen
            ],
        }
    users = [one.run_id for one in runs_of(store, version, INPUT)]
    name = f"{version.key.name}:v{version.index}"
    return {"artifact": name, "type": version.type, "logged_by": made, "used_by": users}


def _lines(tree: dict[str, Any], indent: str = "") -> Iterator[str]:
    yield f"{indent}{tree['artifact']} ({tree['type']})"
    if tree["used_by"]:
        yield f"{indent}  used by {', '.join(tree['used_by'])}"
    made = tree["logged_by"]
    if made is not None:
        yield f"{indent}  logged by run {made['run_id']}" + (", which used" if made["used"] else "")
        for one in made["used"]:
            yield from _lines(one, indent + "    ")


def _version(store: Store, text: str, project: str | None) -> Version:
    from quark.catalog.reading import get_version

    name, _, alias = text.rpartition(":") if ":" in text else (text, "", "latest")
    keys = _collections(store, name, project)
    if len(keys) > 1:
        projects = ", ".join(f"{key.workspace}/{key.project}" for key in keys)
        raise click.UsageError(f"Several projects have an artifact {name!r}: {projects}. Add -p.")
    return get_version(store, keys[0], alias)


def _collections(store: Store, name: str | None, project: str | None) -> list[CollectionKey]:
    from quark.catalog.model import CollectionKey
    from quark.catalog.reading import COLLECTION
    from quark.errors import ArtifactNotFoundError

    keys = [CollectionKey.of_document(item.name) for item in store.documents.list(COLLECTION)]
    found = [
        key for key in sorted(keys) if name in (None, key.name) and project in (None, key.project)
    ]
    if name is not None and not found:
        known = ", ".join(sorted({key.name for key in keys})[:8]) or "none"
        raise ArtifactNotFoundError(f"There is no artifact {name!r}; there are: {known}.")
    return found


def _plain(version: Version) -> dict[str, Any]:
    return {
        "name": version.key.name,
        "version": f"v{version.index}",
        "type": version.type,
        "aliases": list(version.aliases),
        "size_bytes": version.size_bytes,
        "file_count": version.file_count,
        "created_at": version.created_at,
        "project": version.key.project,
        "logged_by": None if version.logged_by is None else version.logged_by.run_id,
    }
