"""Names that nobody else has: runs, writers, projects.

An id is made of lower-case letters and digits, so that it is a safe file name everywhere and
survives case-insensitive file systems.
"""

from __future__ import annotations

import os

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


def random_id(length: int = 8) -> str:
    """Return ``length`` random characters out of ``[0-9a-z]``, from the system's generator.

    >>> len(random_id())
    8
    """
    number = int.from_bytes(os.urandom(length + 8), "little")
    characters = []
    for _ in range(length):
        number, index = divmod(number, 36)
        characters.append(_ALPHABET[index])
    return "".join(characters)


def new_run_id() -> str:
    """Return a fresh run id such as ``run_4k2j9x0a7bqc``."""
    return "run_" + random_id(12)


def new_writer_id() -> str:
    """Return a fresh id for one writer: one process logging into one run."""
    return "w" + random_id(11)


def project_id(workspace: str, project: str) -> str:
    """Return the id of a project; the same names always give the same id.

    So a project needs no registration before the first run, also offline.
    """
    from hashlib import sha256  # OpenSSL: 2 ms that most imports do not need

    digest = sha256(f"{workspace}\x00{project}".encode()).hexdigest()
    return "proj_" + digest[:16]


def record_id(writer_id: str, seq: int, ordinal: int = 0) -> str:
    """Return the id of the record that ``writer_id`` journaled as its ``seq``-th frame.

    ``ordinal`` tells apart several records that came out of one frame.

    >>> record_id("w1", 17), record_id("w1", 17, 2)
    ('w1-17', 'w1-17.2')
    """
    return f"{writer_id}-{seq}.{ordinal}" if ordinal else f"{writer_id}-{seq}"
