"""``wandb.data_types.Bokeh``: a plot of bokeh, as its own JSON."""

from __future__ import annotations

import os
import sys
from typing import Any

from quark import jsonio
from quark.compat.wandb.data_types.contents import Content
from quark.compat.wandb.data_types.file_media import FileMedia


class Bokeh(FileMedia):
    """A plot of bokeh.

    Args:
        data_or_path: A model or a document of bokeh, or the path of a file with a document's JSON.

    Raises:
        TypeError: It is none of these.
        SchemaValidationError: The file is no JSON; also a ValueError.
        OSError: The file cannot be read.
    """

    _log_type = "bokeh-file"
    _folder = "media/bokeh"

    def __init__(self, data_or_path: Any) -> None:
        if isinstance(data_or_path, (str, os.PathLike)):
            content = Content.at(data_or_path)
            jsonio.loads(content.read())
        else:
            content = Content.of(jsonio.dumps(_document_json(data_or_path)))
        super().__init__(content, ".bokeh.json")

    @property
    def document(self) -> Any:
        """The document as bokeh's JSON has it."""
        return jsonio.loads(self.read_bytes())


def _document_json(value: Any) -> Any:
    module = sys.modules.get("bokeh.document")  # whoever has a model has loaded it
    if module is not None:
        document = value
        if not isinstance(value, module.Document) and hasattr(value, "references"):
            document = module.Document()
            document.add_root(value)
        if isinstance(document, module.Document):
            try:
                return document.to_json(deferred=False)
            except TypeError:  # before bokeh 3.9
                return document.to_json()
    raise TypeError(
        f"A plot of bokeh is a model, a document or the path of its JSON, not "
        f"{type(value).__name__}."
    )
