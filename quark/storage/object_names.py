"""What the objects of one payload are called, and what a list of them says.

::

    blobs/ab/cd/<sha256>/<copy>                 the payload itself; usually one copy
    blobs/ab/cd/<sha256>/claim-<id>             empty: when somebody last said to be using it
    blobs/ab/cd/<sha256>/<copy>.removing-<id>   empty: somebody is about to remove that copy

A name is used once and never again, and only an exact name is ever deleted. So whoever is slow,
or paused for a day, can remove what was to be removed then, and nothing that came since.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

from quark import ids
from quark.storage.object_bucket import ObjectBucket, ObjectStatus

FOLDER = "blobs"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_COPY = re.compile(r"[0-9a-z]{16}")
_CLAIM = "claim-"
_REMOVING = ".removing-"
#: Object stores tell times to the second.
_TICK_US = 1_000_000


def is_digest(text: str) -> bool:
    """Say whether this is a SHA-256 as payloads are named by."""
    return _DIGEST.fullmatch(text) is not None


def folder_of(sha256: str) -> str:
    """Return where a payload's objects are.

    >>> folder_of("ab" + "0" * 62)[:16]
    'blobs/ab/00/ab00'
    """
    return f"{FOLDER}/{sha256[:2]}/{sha256[2:4]}/{sha256}"


def new_copy_key(sha256: str) -> str:
    return f"{folder_of(sha256)}/{ids.random_id(16)}"


def new_claim_key(sha256: str) -> str:
    return f"{folder_of(sha256)}/{_CLAIM}{ids.random_id(16)}"


def new_removing_key(copy_key: str) -> str:
    return f"{copy_key}{_REMOVING}{ids.random_id(16)}"


def marked_copy(removing_key: str) -> str:
    """Return the key of the copy that a mark is on."""
    return removing_key.partition(_REMOVING)[0]


@dataclass(slots=True)
class Kept:
    """All objects of one payload at one moment."""

    sha256: str
    copies: list[ObjectStatus] = field(default_factory=list)
    claims: list[ObjectStatus] = field(default_factory=list)
    removing: list[ObjectStatus] = field(default_factory=list)

    @property
    def sound(self) -> list[ObjectStatus]:
        """The copies that nobody is about to remove."""
        doomed = {marked_copy(status.key) for status in self.removing}
        return [status for status in self.copies if status.key not in doomed]

    @property
    def best(self) -> ObjectStatus | None:
        """The copy to read; None if the payload is not here."""
        found = self.sound or self.copies
        return found[0] if found else None

    def is_unclaimed(self, before_us: int) -> bool:
        """Say whether it was certainly neither put nor claimed since."""
        latest_us = max((status.modified_us for status in self.copies + self.claims), default=0)
        return latest_us + _TICK_US <= before_us

    def outdated_claims(self, claim_key: str) -> list[str]:
        """Return the claims that this one makes needless.

        Of two that were made at the same time, one stays: both sides rank them alike.
        """
        rank = {status.key: (status.modified_us, status.key) for status in self.claims}
        own = rank.get(claim_key)
        return [] if own is None else [key for key, place in rank.items() if place < own]


def kept_of(bucket: ObjectBucket, sha256: str) -> Kept:
    """Ask for all objects of a payload, in one request."""
    kept = Kept(sha256)
    _sort_in(kept, bucket.list(folder_of(sha256)))
    return kept


def all_kept(bucket: ObjectBucket) -> Iterator[Kept]:
    """Yield every payload of which there is any object, in a request for each 1,000 objects."""
    for sha256, statuses in groupby(bucket.list(FOLDER), key=_digest_of):
        if sha256 is not None:
            kept = Kept(sha256)
            _sort_in(kept, statuses)
            yield kept


def _digest_of(status: ObjectStatus) -> str | None:
    sha256 = status.key.split("/")[-2]
    whole = is_digest(sha256) and status.key.startswith(f"{folder_of(sha256)}/")
    return sha256 if whole else None


def _sort_in(kept: Kept, statuses: Iterable[ObjectStatus]) -> None:
    for status in statuses:
        name = status.key.rpartition("/")[2]
        if name.startswith(_CLAIM):
            kept.claims.append(status)
        elif _REMOVING in name:
            kept.removing.append(status)
        elif _COPY.fullmatch(name):
            kept.copies.append(status)
