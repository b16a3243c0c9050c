"""Media that lie elsewhere, behind a URL: only the URL is kept."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

from quark.compat.wandb.data_types.contents import Content
from quark.compat.wandb.term import warn_once

_URL = re.compile(r"(gs|s3|https?)://")


def is_reference(value: Any) -> bool:
    """Say whether a value names a file elsewhere."""
    return isinstance(value, str) and _URL.match(value) is not None


class Reference(Content):
    """Stands for the content of a file that is elsewhere; its bytes are those of the URL."""

    __slots__ = ("url",)

    def __init__(self, url: str) -> None:
        super().__init__(url.encode(), size_bytes=1)
        self.url = url

    def fields(self, log_type: str, caption: str | None) -> dict[str, Any]:
        """Return the JSON that stands for the file in a run."""
        warn_once(
            "media by reference",
            f"{self.url} lies elsewhere and is not fetched: the run keeps the URL, not the file.",
        )
        fields: dict[str, Any] = {} if caption is None else {"caption": caption}
        return {
            **fields,
            "_type": log_type,
            "sha256": sha256(self.url.encode()).hexdigest(),
            "size": 0,
            "path": self.url,
        }
