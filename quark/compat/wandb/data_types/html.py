"""``wandb.Html``: a page of HTML."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from quark.compat.wandb.data_types.contents import Content
from quark.compat.wandb.data_types.file_media import FileMedia

#: Links in a page that is shown inside of another one open in a tab of their own.
_BASE = '<base target="_blank">'


class Html(FileMedia):
    """A page.

    Args:
        data: HTML; the path of a file that ends in ``.html``; or a file object, which is read from
            its beginning.
        inject: Whether links are made to open in a tab of their own. W&B also links its style
            sheet, which a page on this machine does without.
        data_is_not_path: Take a text for HTML even if there is a file of that name.

    Raises:
        ValueError: ``data`` is none of these.
        OSError: The file cannot be read.

    >>> Html("<h1>7</h1>", inject=False).html
    '<h1>7</h1>'
    """

    _log_type = "html-file"
    _folder = "media/html"

    def __init__(self, data: Any, inject: bool = True, data_is_not_path: bool = False) -> None:
        path = None if data_is_not_path else _path_of(data)
        if path is not None:
            self.html = path.read_text("utf-8")
        elif isinstance(data, str):
            self.html = data
        elif hasattr(data, "read"):
            if hasattr(data, "seek"):
                data.seek(0)
            text = data.read()
            self.html = text.decode() if isinstance(text, bytes) else text
        else:
            raise ValueError(
                f"HTML is a text, the path of an .html file or a file object, not "
                f"{type(data).__name__}."
            )
        if inject:
            self.inject_head()
        as_it_is = path is not None and not inject
        content = Content.at(data) if as_it_is else Content.of(self.html.encode())
        super().__init__(content, ".html")

    def inject_head(self) -> None:
        """Let links open in a tab of their own."""
        for tag, added in (("<head>", _BASE), ("<html>", f"<head>{_BASE}</head>")):
            if tag in self.html:
                self.html = self.html.replace(tag, tag + added, 1).strip()
                return
        self.html = (_BASE + self.html).strip()

    def _take_details(self, fields: Any, source: Any) -> None:
        self.html = self.read_bytes().decode()

    @classmethod
    def _listed(cls, values: Sequence[Any], kept: list[dict[str, Any]]) -> dict[str, Any]:
        return {"_type": "html", "count": len(kept), "html": kept}


def _path_of(data: Any) -> Path | None:
    if not isinstance(data, (str, os.PathLike)):
        return None
    text = os.fspath(data)
    if isinstance(text, str) and text.endswith(".html") and "\n" not in text:
        path = Path(text)
        return path if path.is_file() else None
    return None
