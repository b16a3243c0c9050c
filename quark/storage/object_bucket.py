"""One place in an S3-compatible object store, through obstore, with errors that hold no secrets.

Credentials are not ours to know: obstore finds them as every tool for S3 does (``AWS_…`` variables,
the role of the machine). What a store says when it refuses may hold a key's name or what was
signed, so of an error only its kind, its status and S3's own word for it are passed on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from quark._optional import require
from quark.errors import SessionStoreError, SettingsError

MIB = 1 << 20
#: S3 takes at most 10,000 parts.
_MOST_PARTS = 9_000
_STATUS = re.compile(r"status code: (\d{3}(?: [A-Za-z ]+)?)")
_CODE = re.compile(r"<Code>(\w{1,64})</Code>")
_URL_OPTIONS = frozenset({"endpoint", "region", "virtual_hosted"})
_NAME = re.compile(r"[A-Za-z0-9_=][A-Za-z0-9._=-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketOptions:
    """How patient to be with an object store, and how much to hold in memory.

    An upload in parts holds ``part_bytes * part_concurrency`` bytes.
    """

    timeout_seconds: float = 60.0  # of one request: a part, a range, a list
    connect_timeout_seconds: float = 5.0
    max_retries: int = 4
    retry_seconds: float = 60.0
    part_bytes: int = 8 * MIB
    part_concurrency: int = 4

    def __post_init__(self) -> None:
        if self.part_bytes < 5 * MIB:
            raise SettingsError(
                f"part_bytes is {self.part_bytes}, but S3 takes no part below {5 * MIB}."
            )
        for name in ("timeout_seconds", "connect_timeout_seconds", "part_concurrency"):
            if not getattr(self, name) > 0:
                raise SettingsError(f"{name} is {getattr(self, name)}, but must be more than 0.")


class ObjectStatus(NamedTuple):
    """What a list says of an object. The time is the object store's own, to the second."""

    key: str
    size_bytes: int
    modified_us: int


class ObjectBucket:
    """What is below one prefix of one bucket. Threads may share it; not to be used after a fork.

    ``store`` is one of obstore's; ``target`` names it in messages, without secrets.
    """

    def __init__(self, store: Any, prefix: str, target: str, options: BucketOptions) -> None:
        self._obstore = require("obstore", purpose="Keeping payloads in an object store")
        self._store = store
        self._prefix = prefix
        self.target = target
        self.options = options

    def below(self, name: str) -> ObjectBucket:
        """Return what is in a folder of this one; ``name`` may be several, with ``/``.

        Raises:
            SettingsError: A name is empty, or has characters that not every store takes.
        """
        if not all(map(_NAME.fullmatch, name.split("/"))):
            raise SettingsError(
                f"{name!r} cannot be a folder in {self.target}: it must be names of letters, "
                "digits, '.', '_', '=' and '-', with '/' between them."
            )
        prefix = f"{self._prefix}/{name}" if self._prefix else name
        return ObjectBucket(self._store, prefix, self.target, self.options)

    def check(self) -> None:
        """Ask for something small.

        Raises:
            SessionStoreError: The object store does not answer, or refuses.
        """
        next(self.list("incoming"), None)

    def put(self, key: str, content: bytes) -> None:
        """Write an object in one request."""
        with self._translated():
            self._store.put(self._path(key), content, use_multipart=False)

    def put_pieces(self, key: str, pieces: Iterable[bytes | memoryview], size_bytes: int) -> None:
        """Write an object in parts, in constant memory; it is not there until the last came.

        What ``pieces`` raise is passed on, and nothing is written.
        """
        part_bytes = max(self.options.part_bytes, -(-size_bytes // _MOST_PARTS))
        # Not ``put``, which asks for pieces inside its own event loop: what reads them from the
        # same object store could not run there.
        writer = partial(
            self._obstore.open_writer,
            self._store,
            self._path(key),
            buffer_size=part_bytes,
            max_concurrency=self.options.part_concurrency,
        )
        with self._translated(), writer() as incoming:
            for piece in pieces:
                incoming.write(piece)

    def range(self, key: str, start: int, size_bytes: int) -> bytes | None:
        """Return a part of an object; None if the store gives only whole ones.

        Raises:
            KeyError: There is no such object.
        """
        with self._translated():
            try:
                found = self._store.get_range(self._path(key), start=start, length=size_bytes)
            except FileNotFoundError:
                raise KeyError(key) from None
            except self._obstore.exceptions.GenericError as error:
                if "non-partial response" in str(error):
                    return None
                raise
            return bytes(found)

    def stream(self, key: str) -> Iterator[bytes]:
        """Yield a whole object in pieces.

        Raises:
            KeyError: There is no such object.
        """
        with self._translated():
            try:
                pieces = self._store.get(self._path(key)).stream(min_chunk_size=MIB)
            except FileNotFoundError:
                raise KeyError(key) from None
        while True:
            with self._translated():
                piece = next(pieces, None)
            if piece is None:
                return
            yield bytes(piece)

    def list(self, folder: str = "") -> Iterator[ObjectStatus]:
        """Yield what is in a folder and below, by key."""
        prefix = self._path(folder) if folder else self._prefix
        cut = len(self._prefix) + 1 if self._prefix else 0
        with self._translated():
            chunks = iter(self._store.list(prefix or None, chunk_size=1000))
        while True:
            with self._translated():
                chunk = next(chunks, None)
            if chunk is None:
                return
            for meta in chunk:
                modified_us = _microseconds(meta["last_modified"])
                yield ObjectStatus(meta["path"][cut:], meta["size"], modified_us)

    def delete(self, keys: Sequence[str]) -> None:
        """Remove objects; those that are not there do not matter."""
        if not keys:
            return
        with self._translated():
            try:
                self._store.delete([self._path(key) for key in keys])
            except FileNotFoundError:  # a store in memory or in a folder minds
                if len(keys) > 1:
                    for key in keys:
                        self.delete([key])

    def signed_url(self, method: str, key: str, seconds: float) -> str | None:
        """Return a URL with which anybody may do this for so long; None if it cannot be signed."""
        lasting = timedelta(seconds=seconds)
        try:
            with self._translated():
                url: str = self._obstore.sign(self._store, method, self._path(key), lasting)
        except (TypeError, ValueError):  # a store in memory or in a folder
            return None
        return url

    def _path(self, key: str) -> str:
        return f"{self._prefix}/{key}" if self._prefix else key

    @contextmanager
    def _translated(self) -> Iterator[None]:
        failures = self._obstore.exceptions
        try:
            yield
        except FileNotFoundError:  # where one is looked for, the caller has caught this
            said = "there is no such bucket, or no such object any more"
        except (failures.BaseError, PermissionError, NotImplementedError) as error:
            said = reason(error)
        else:
            return
        # Not chained: what a store answers may show what was signed, and with which key.
        raise SessionStoreError(f"The payloads in {self.target} cannot be used: {said}.") from None


def open_bucket(
    url: str,
    options: BucketOptions | None = None,
    *,
    credentials: Mapping[str, Any] | None = None,
) -> ObjectBucket:
    """Open ``s3://BUCKET/PREFIX?endpoint=URL&region=NAME``; nothing is asked of it yet.

    ``endpoint`` is for stores that are not Amazon's, ``virtual_hosted=1`` for those that have the
    bucket in their host's name. ``credentials`` are settings of obstore's ``S3Store``; it finds its
    own if there are none.

    Raises:
        SettingsError: The URL is not such a one.
        MissingDependencyError: obstore is not installed.

    >>> open_bucket("s3://payloads/quark?region=eu-west-1").target
    's3://payloads/quark'
    """
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    shown = f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
    if parts.scheme != "s3" or not parts.hostname or not given.keys() <= _URL_OPTIONS:
        raise SettingsError(
            f"{shown} is no URL for payloads; write s3://BUCKET/PREFIX, and after a '?' nothing "
            f"but {', '.join(sorted(_URL_OPTIONS))}."
        )
    endpoint = given.get("endpoint", "")
    if "@" in parts.netloc or "@" in urlsplit(endpoint).netloc:
        raise SettingsError(
            f"The URL of {shown} holds credentials; put them into AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, where no log shows them."
        )
    options = options or BucketOptions()
    config: dict[str, Any] = {name: given[name] for name in ("endpoint", "region") if name in given}
    if given.get("virtual_hosted", "") not in ("", "0"):
        config["virtual_hosted_style_request"] = True
    store = require("obstore.store", purpose="Keeping payloads in an object store").S3Store(
        parts.hostname,
        client_options={
            "timeout": timedelta(seconds=options.timeout_seconds),
            "connect_timeout": timedelta(seconds=options.connect_timeout_seconds),
            **({"allow_http": True} if endpoint.startswith("http://") else {}),
        },
        retry_config={
            "max_retries": options.max_retries,
            "retry_timeout": timedelta(seconds=options.retry_seconds),
        },
        **config,
        **(credentials or {}),
    )
    prefix = unquote(parts.path).strip("/")
    target = f"s3://{parts.hostname}/{prefix}".rstrip("/")
    bucket = ObjectBucket(store, "", target, options)
    return bucket.below(prefix) if prefix else bucket


def reason(error: Exception) -> str:
    """Return what may be said of an object store's error: nothing that it answered at length.

    >>> reason(ValueError("status code: 403 Forbidden: <Code>Denied</Code> for the key AKIA…"))
    'ValueError, 403 Forbidden, Denied'
    """
    text = str(error)
    found = [pattern.search(text) for pattern in (_STATUS, _CODE)]
    words = [match[1].strip() for match in found if match]
    if not words and "error sending request" in text:
        words = ["no connection, or no answer in time"]
    return ", ".join([type(error).__name__, *words])


def _microseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000
