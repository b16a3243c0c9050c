"""A run in a notebook: a small table, since there is no page that could be shown."""

from __future__ import annotations

import sys
from html import escape
from typing import Any

_MAX_ROWS = 100
_MAX_CHARACTERS = 200


def run_html(run: Any, *, height: int = 420, hidden: bool = False) -> str:
    """Return the name, the state, the config and the summary of a run as HTML.

    Args:
        run: A run, open or of the Api.
        height: At most so many pixels.
        hidden: Whether it is folded up behind its name.
    """
    facts = {"project": run.project, "id": run.id, "state": getattr(run, "state", "running")}
    parts = [("run", facts), ("config", dict(run.config)), ("summary", dict(run.summary))]
    tables = "".join(_table(title, values) for title, values in parts if values)
    body = f'<div style="max-height:{height:d}px;overflow:auto">{tables}</div>'
    shown = "" if hidden else " open"
    return f"<details{shown}><summary>{escape(str(run.name))}</summary>{body}</details>"


def display_html(text: str) -> bool:
    """Show HTML in the notebook that this process serves; False if it serves none."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None or "IPKernelApp" not in getattr(shell, "config", {}):
        return False
    from importlib import import_module

    notebook = import_module("IPython.display")
    notebook.display(notebook.HTML(text))
    return True


def _table(title: str, values: dict[str, Any]) -> str:
    lines = [(key, item) for key, item in values.items() if not str(key).startswith("_")]
    rows = "".join(
        f"<tr><td>{escape(str(key))}</td><td>{escape(_short(item))}</td></tr>"
        for key, item in lines[:_MAX_ROWS]
    )
    more = (
        f"<tr><td>+{len(lines) - _MAX_ROWS}</td><td>…</td></tr>" if len(lines) > _MAX_ROWS else ""
    )
    return f"<table><caption>{escape(title)}</caption>{rows}{more}</table>"


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}…"
