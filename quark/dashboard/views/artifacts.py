"""Artifacts: collections, their versions, one version, and what a run logged and used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from quark import jsonio
from quark.catalog.lineage import INPUT, OUTPUT, runs_of, versions_of
from quark.catalog.model import Collection, CollectionKey, RunRef, Version
from quark.catalog.reading import (
    COLLECTION,
    VERSION,
    get_version,
    links_of,
    list_versions,
)
from quark.dashboard.views.artifact_documents import ReadingOnce
from quark.dashboard.views.media_index import PATH_NAME
from quark.dashboard.views.runs_rows import records_of
from quark.errors import ArtifactNotFoundError, SchemaValidationError
from quark.records import ArtifactRecord

if TYPE_CHECKING:
    from quark.dashboard.asked import Asked
    from quark.dashboard.place import Place
    from quark.records import RunRecord

_MAX_VERSIONS = 2000
_MAX_USERS = 500
_MAX_PAYLOADS = 5000


def artifacts(place: Place, asked: Asked) -> dict[str, Any]:
    """Return every collection of the store with what its versions come to, the newest first.

    Parameters: ``project``, ``type``. ``types`` counts the collections of each type, whichever was
    asked for.
    """
    project, type = asked.text("project"), asked.text("type")
    sums = _sums(place)
    rows: list[dict[str, Any]] = []
    types: dict[str, int] = {}
    projects: set[str] = set()
    for item in place.store.documents.list(COLLECTION):
        one = Collection.of(item.name, item.body)
        projects.add(one.key.project)
        if project not in (None, one.key.project):
            continue
        types[one.type] = types.get(one.type, 0) + 1
        if type in (None, one.type):
            rows.append({**_collection(one), **sums.get(one.key.document, _NO_VERSIONS)})
    rows.sort(key=lambda row: row["updated_at"], reverse=True)
    return {"collections": rows, "types": types, "projects": sorted(projects)}


def collection(place: Place, asked: Asked) -> dict[str, Any]:
    """Return one collection and its versions, the newest first, at most 2,000.

    Raises:
        ArtifactNotFoundError: There is none of this name.
        SchemaValidationError: There are several; ``project`` and ``workspace`` say which.
    """
    found = _find(place, asked)
    versions = list_versions(ReadingOnce(place.store), found.key)
    return {
        **_collection(found),
        "versions": [_version(one) for one in reversed(versions[-_MAX_VERSIONS:])],
        "version_count": len(versions),
    }


def version(place: Place, asked: Asked) -> dict[str, Any]:
    """Return one version: what it says of itself, who logged it, who used it.

    Raises:
        ArtifactNotFoundError: There is none.
        SchemaValidationError: There are several collections of this name.
    """
    found = chosen_version(place, asked)
    store = ReadingOnce(place.store)
    loggers, users = runs_of(store, found, OUTPUT), runs_of(store, found, INPUT)
    there = records_of(place, {run.run_id for run in (*loggers, *users[:_MAX_USERS])})
    return {
        **_version(found),
        "metadata": jsonio.to_plain(found.metadata),
        "logged_by": [_run(there, run) for run in loggers],
        "used_by": [_run(there, run) for run in users[:_MAX_USERS]],
        "used_by_count": len(users),
        "links": [_version(link) for link in links_of(store, found)],
    }


def of_run(place: Place, asked: Asked) -> dict[str, Any]:
    """Return the versions that a run logged and used, and the payloads it stored by themselves."""
    run = place.store.records.get_run(asked["run_id"])
    ref = RunRef(run.id, run.project_name, run.workspace)
    records = place.store.records.read(ArtifactRecord, run.id)
    own = [record for record in records if PATH_NAME not in record.metadata]
    store = ReadingOnce(place.store)
    return {
        "logged": [_version(one) for one in versions_of(store, ref, OUTPUT)],
        "used": [_version(one) for one in versions_of(store, ref, INPUT)],
        "payloads": [
            {
                "type": record.artifact_type,
                "key": record.artifact_key,
                "step": record.step,
                "epoch": record.epoch,
                "format": record.payload_format,
                "size": record.size_bytes,
                "sha256": record.sha256,
                "path": record.payload_relative_path,
                "metadata": jsonio.to_plain(record.metadata),
                "time": record.timestamp,
            }
            for record in own[-_MAX_PAYLOADS:]
        ],
        "payload_count": len(own),
    }


def chosen_version(place: Place, asked: Asked) -> Version:
    """Return the version that ``name``, ``version``, ``project`` and ``workspace`` mean.

    Raises:
        ArtifactNotFoundError: There is none.
        SchemaValidationError: There are several collections of this name.
    """
    return get_version(place.store, _find(place, asked).key, asked.text("version") or "latest")


def _find(place: Place, asked: Asked) -> Collection:
    name, project = asked.text("name") or "", asked.text("project")
    workspace = asked.text("workspace")
    if project is not None and workspace is not None:
        key = CollectionKey(workspace, project, name)
        known = place.store.documents.get(COLLECTION, key.document)
        found = [] if known is None else [Collection.of(known.name, known.body)]
    else:
        every = (
            Collection.of(one.name, one.body) for one in place.store.documents.list(COLLECTION)
        )
        found = [
            one
            for one in every
            if one.key.name == name
            and project in (None, one.key.project)
            and workspace in (None, one.key.workspace)
        ]
    if not found:
        where = f" in project {project!r}" if project else ""
        raise ArtifactNotFoundError(f"There is no artifact {name[:200]!r}{where}.")
    if len(found) > 1:
        keys = ", ".join(str(one.key) for one in found)
        raise SchemaValidationError(
            f"There are several artifacts {name[:200]!r}: {keys}. Choose one on the page of all "
            "artifacts."
        )
    return found[0]


_NO_VERSIONS = {"version_count": 0, "total_bytes": 0, "latest_bytes": 0}


def _sums(place: Place) -> dict[str, dict[str, int]]:
    """Return for each collection how many versions it has, and how large they are."""
    found: dict[str, dict[str, int]] = {}
    for item in place.store.documents.list(VERSION):
        sums = found.setdefault(item.name.rpartition("/")[0], dict(_NO_VERSIONS))
        size = item.body.get("size_bytes") or 0  # links have none of their own
        sums["version_count"] += 1
        sums["total_bytes"] += size
        sums["latest_bytes"] = size
    return found


def _collection(one: Collection) -> dict[str, Any]:
    aliases: dict[str, list[str]] = {}
    for alias, index in one.aliases.items():
        aliases.setdefault(f"v{index}", []).append(alias)
    return {
        "workspace": one.key.workspace,
        "project": one.key.project,
        "name": one.key.name,
        "type": one.type,
        "is_portfolio": one.is_portfolio,
        "description": one.description,
        "tags": list(one.tags),
        "aliases": aliases,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
    }


def _version(one: Version) -> dict[str, Any]:
    return {
        "workspace": one.key.workspace,
        "project": one.key.project,
        "name": one.key.name,
        "version": f"v{one.index}",
        "source": f"{one.source}:v{one.source_index}" if one.is_link else None,
        "aliases": list(one.aliases),
        "type": one.type,
        "digest": one.digest,
        "size": one.size_bytes,
        "file_count": one.file_count,
        "description": one.description,
        "tags": list(one.tags),
        "ttl_seconds": one.ttl_seconds,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
        "step": one.step,
        "run_id": one.logged_by.run_id if one.logged_by else None,
    }


def _run(there: Mapping[str, RunRecord], run: RunRef) -> dict[str, Any]:
    """Return how a run is shown; it may be gone, or be somebody else's."""
    record = there.get(run.run_id)
    return {
        "id": run.run_id,
        "project": run.project,
        "name": None if record is None else record.name,
        "status": None if record is None else record.status,
    }
