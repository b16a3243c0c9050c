"""References: what an artifact knows of content that is kept elsewhere, and how to fetch it.

Files of this machine are digested. Of ``http`` the ETag is asked for; a server that does not
answer is no reason to fail, and then the URL stands for the content. Buckets are not looked into:
the URL stands for the content, as with ``checksum=False``.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from quark.catalog.manifest import as_base64
from quark.catalog.reading import find_by_id, read_manifest
from quark.compat.wandb.artifacts.entry import ARTIFACT_SCHEME, ArtifactManifestEntry, id_of_hex
from quark.compat.wandb.artifacts.place import Place
from quark.compat.wandb.term import warn_once
from quark.storage.file_copy import digest_file

MAX_OBJECTS = 10_000_000
_BUCKETS = ("s3", "gs")
_TIMEOUT_SECONDS = 10.0


def entries_of(
    uri: str, name: str | None, place: Place, *, checksum: bool, max_objects: int | None
) -> list[ArtifactManifestEntry]:
    """Return the entries for a reference; a folder has one for each of its files.

    Raises:
        ValueError: ``uri`` is no URI, leads to no file, or needs a ``name``.
    """
    parts = urlsplit(uri)
    if not parts.scheme:
        raise ValueError(f"{uri!r} is no URI. To refer to a file of this machine, use file://PATH.")
    if parts.scheme == "file":
        return list(_files(uri, name, checksum=checksum, limit=max_objects or MAX_OBJECTS))
    if parts.scheme == ARTIFACT_SCHEME:
        return [_of_artifact(uri, name, place)]
    if parts.scheme in ("http", "https"):
        return [_web(uri, name or os.path.basename(uri), checksum=checksum)]
    if parts.scheme in _BUCKETS:
        if checksum:
            warn_once(
                "references to buckets",
                f"{uri} is not looked into: the reference stands for what is there, so a change "
                "there makes no new version. Pass checksum=False if that is meant.",
            )
        key = parts.path.lstrip("/")
        path = name or key or parts.netloc
        return [ArtifactManifestEntry(path=path, ref=uri, digest=uri)]
    if name is None:
        raise ValueError(
            f"{uri!r} has a scheme that is not known here, so say what it is called: "
            "add_reference(uri, name='...')."
        )
    warn_once(
        f"references to {parts.scheme}",
        f"{uri} cannot be looked into: the reference stands for what is there.",
    )
    return [ArtifactManifestEntry(path=name, ref=uri, digest=uri)]


def fetch(entry: ArtifactManifestEntry, target: Path) -> None:
    """Write what a reference leads to into ``target``.

    Raises:
        FileNotFoundError: It leads to nothing.
        ValueError: It cannot be read here, or is not what it was.
    """
    ref = entry.ref or ""
    scheme = urlsplit(ref).scheme
    if scheme == "file":
        source = _local_path(ref)
        if not source.is_file():
            raise FileNotFoundError(f"The reference {ref} leads to no file any more.")
        digest = as_base64(digest_file(source).md5)
        if entry.digest not in (digest, _path_digest(source)):
            raise ValueError(f"{ref} is not what it was: its digest is not {entry.digest}.")
        shutil.copyfile(source, target)
    elif scheme in ("http", "https"):
        _load(ref, entry.digest, target)
    else:
        raise ValueError(
            f"{ref} cannot be fetched here. Read it with the client of its storage, or pass "
            "allow_missing_references=True to have the rest."
        )


def source_of(entry: ArtifactManifestEntry) -> tuple[str, str] | None:
    """Return the id of the artifact that a reference leads into, and the path there."""
    parts = urlsplit(entry.ref or "")
    if parts.scheme != ARTIFACT_SCHEME:
        return None
    return id_of_hex(parts.netloc), unquote(parts.path.lstrip("/"))


def _files(
    uri: str, name: str | None, *, checksum: bool, limit: int
) -> Iterator[ArtifactManifestEntry]:
    place = _local_path(uri)
    digest = _content_digest if checksum else _path_digest
    if place.is_file():
        yield ArtifactManifestEntry(
            path=name or place.name, ref=uri, size=place.stat().st_size, digest=digest(place)
        )
        return
    if not place.is_dir():
        raise ValueError(f"{uri!r} leads to no file and no folder.")
    count = 0
    for folder, _, names in os.walk(place):
        for file in names:
            path = Path(folder, file)
            count += 1
            if count > limit:
                raise ValueError(
                    f"{uri!r} holds more than {limit} files; pass max_objects= to take more."
                )
            relative = path.relative_to(place).as_posix()
            yield ArtifactManifestEntry(
                path=os.path.join(name or "", relative),
                ref=os.path.join(uri, relative),
                size=path.stat().st_size,
                digest=digest(path),
            )


def _of_artifact(uri: str, name: str | None, place: Place) -> ArtifactManifestEntry:
    parts = urlsplit(uri)
    path = unquote(parts.path.lstrip("/"))
    with place.opened() as store:
        version = find_by_id(store, id_of_hex(parts.netloc))
        entries = {} if version is None else read_manifest(store, version).entries
    if path not in entries:
        raise ValueError(f"{uri!r} leads to nothing: the artifact or its {path!r} is not there.")
    return ArtifactManifestEntry(
        path=name or os.path.basename(path), ref=uri, digest=entries[path].digest, size=0
    )


def _web(url: str, name: str, *, checksum: bool) -> ArtifactManifestEntry:
    if not checksum:
        return ArtifactManifestEntry(path=name, ref=url, digest=url)
    import httpx

    try:
        with httpx.stream("GET", url, follow_redirects=True, timeout=_TIMEOUT_SECONDS) as response:
            headers, status = response.headers, response.status_code
    except httpx.TransportError as error:
        warn_once(
            f"reference {url}",
            f"{url} does not answer ({type(error).__name__}): the reference stands for "
            "what is there. Pass checksum=False if that is meant.",
        )
        return ArtifactManifestEntry(path=name, ref=url, digest=url)
    if status >= 400:
        raise ValueError(f"{url} answers with status {status}; pass checksum=False to keep it so.")
    etag = headers.get("etag")
    size = headers.get("content-length")
    return ArtifactManifestEntry(
        path=name,
        ref=url,
        digest=etag.strip('"') if etag else url,
        size=int(size) if size else None,
        extra={"etag": etag} if etag else {},
    )


def _load(url: str, digest: str, target: Path) -> None:
    import httpx

    try:
        with (
            httpx.stream("GET", url, follow_redirects=True, timeout=_TIMEOUT_SECONDS) as response,
            target.open("wb") as file,
        ):
            if response.status_code >= 400:
                raise FileNotFoundError(f"{url} answers with status {response.status_code}.")
            _check_etag(url, response.headers, digest)
            for piece in response.iter_bytes():
                file.write(piece)
    except httpx.TransportError as error:
        raise FileNotFoundError(f"{url} does not answer: {error}") from error


def _check_etag(url: str, headers: Any, digest: str) -> None:
    found = headers.get("etag", "").strip('"') or url
    if digest not in (found, url):
        raise ValueError(f"{url} is not what it was: its ETag is {found!r}, not {digest!r}.")


def _local_path(uri: str) -> Path:
    parts = urlsplit(uri)
    return Path(unquote(f"{parts.netloc}{parts.path}"))


def _content_digest(path: Path) -> str:
    return as_base64(digest_file(path).md5)


def _path_digest(path: Path) -> str:
    text = path.resolve().as_uri()
    return as_base64(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest())
