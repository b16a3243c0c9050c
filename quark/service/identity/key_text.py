"""The text of a user key, and what is kept of it.

A key is ``qk_<key id>_<secret>``: the id finds it, the secret proves it. Both are digits and
lower-case letters without ``i``, ``l``, ``o`` and ``u`` (Crockford's base 32), so that nothing in
it looks like something else, and a double click selects all of it.

Kept is a salted SHA-256 of the secret, not scrypt or the like: those make guessing dear where a
person chose the secret. This one is 200 random bits, which nobody guesses at any price, and it is
checked at every request. The salt keeps equal secrets from being seen as equal, and tables made
beforehand from being of use.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import NamedTuple

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
KEY_ID_CHARACTERS = 12  # 60 bits: two of a million keys are the same once in two million services
SECRET_CHARACTERS = 40  # 200 bits
_SALT_BYTES = 16

_KEY_TEXT = re.compile(
    rf"qk_([{_ALPHABET}]{{{KEY_ID_CHARACTERS}}})_([{_ALPHABET}]{{{SECRET_CHARACTERS}}})"
)


class KeyText(NamedTuple):
    """The two parts of a key's text."""

    key_id: str
    secret: str

    def __str__(self) -> str:
        return f"qk_{self.key_id}_{self.secret}"

    def __repr__(self) -> str:
        return f"KeyText(key_id={self.key_id!r})"


def new_key_text() -> KeyText:
    """Return a key that nobody has."""
    return KeyText(_random(KEY_ID_CHARACTERS), _random(SECRET_CHARACTERS))


def read_key_text(text: str) -> KeyText | None:
    """Return the parts of a key, None if ``text`` cannot be one.

    >>> read_key_text("qk_000000000000_" + "z" * 40)
    KeyText(key_id='000000000000')
    >>> read_key_text("hunter2")
    """
    match = _KEY_TEXT.fullmatch(text)
    return None if match is None else KeyText(match[1], match[2])


def hashed(secret: str) -> dict[str, str]:
    """Return what is kept of a secret: a fresh salt, and the hash of both."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return {"salt": salt.hex(), "sha256": _digest(salt, secret)}


#: What a secret is compared with where there is no key, so that this takes as long as one.
NO_SECRET = {"salt": "00" * _SALT_BYTES, "sha256": "00" * 32}


def matches(secret: str, kept: dict[str, str]) -> bool:
    """Say whether ``kept`` was made of ``secret``, in a time that does not depend on it."""
    return hmac.compare_digest(_digest(bytes.fromhex(kept["salt"]), secret), kept["sha256"])


def _digest(salt: bytes, secret: str) -> str:
    return hashlib.sha256(salt + secret.encode()).hexdigest()


def _random(characters: int) -> str:
    return "".join(_ALPHABET[secrets.randbelow(32)] for _ in range(characters))
