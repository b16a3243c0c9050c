"""The OpenAPI document beyond what the routes say themselves, and a page that shows it.

The page is written by the service: it loads nothing, from here or from elsewhere.
"""

from __future__ import annotations

from html import escape
from typing import Any

from fastapi import FastAPI, Response
from fastapi.routing import APIRoute

DESCRIPTION = (
    "Keeps the runs of a team: what trainings log, and what is found in it. "
    "See docs/service-api.md for how to begin."
)

#: Each family of routes, and what it is for.
TAGS = {
    "runs": "Projects and runs: begin, change, list and remove them.",
    "points": "Metric values: keys, series, ranges of them for plots, and writing them as JSON.",
    "records": "Everything that is kept of a run and is no point.",
    "live": "What has changed, with cursors that hold across restarts and processes.",
    "analysis": "Alerts, health scores and phases; having runs analysed and compared.",
    "ingest": "How Quark's own clients deliver: batches of frames in columns.",
    "documents": "Small JSON documents that belong to no single run, such as sweeps.",
    "payloads": "Files by their SHA-256, sent in parts where they are large.",
    "identity": "Workspaces, users, members, keys and the audit log.",
    "health": "For who watches over the service.",
}

#: Parameters that mean the same wherever they are.
_PARAMETERS = {
    "run_id": "The run's id.",
    "status": "Only those of this status.",
    "group": "Only those of this group.",
    "category": "Only those of this category.",
    "severity": "Only those of this severity.",
    "score_key": "`overall`, or a category.",
    "phase_name": "Only those of this name.",
    "step": "Only this step.",
    "step_min": "The first step, inclusive.",
    "step_max": "The last step, inclusive.",
    "epoch": "Only this epoch.",
    "epoch_min": "The first epoch, inclusive.",
    "epoch_max": "The last epoch, inclusive.",
    "limit": "How many at most.",
    "job_id": "The job's id.",
    "upload_id": "The upload's id.",
    "user": "The user's name.",
    "key_id": "The key's id: the part of it that is no secret.",
}
_METHODS = ("get", "put", "post", "patch", "delete", "head")


def operation_id(route: APIRoute) -> str:
    """Return a name that stays the same when a path changes: the family's, and the route's."""
    family = str(route.tags[0]) if route.tags else "other"
    return f"{family}_{route.name}"


def describe(app: FastAPI) -> None:
    """Complete what ``app`` says of itself, and give it the page ``/docs``. To be called once,
    when all routes are there."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = made()
            document["tags"] = [{"name": name, "description": text} for name, text in TAGS.items()]
            for operation in operations(document):
                operation["summary"] = operation["summary"].capitalize()
                for parameter in operation.get("parameters", ()):
                    words = _PARAMETERS.get(parameter["name"], "")
                    parameter["description"] = parameter.get("description") or words
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]

    @app.get("/docs", include_in_schema=False)
    def docs() -> Response:
        policy = "default-src 'none'; style-src 'unsafe-inline'"
        headers = {"Content-Security-Policy": policy}
        return Response(page_of(app.openapi()), media_type="text/html", headers=headers)


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every operation of an OpenAPI document, with its ``path`` and ``method``."""
    return [
        operation
        for path in document["paths"].values()
        for method, operation in path.items()
        if method in _METHODS
    ]


def page_of(document: dict[str, Any]) -> str:
    """Return a page that shows an OpenAPI document."""
    parts = [_HEAD.format(version=escape(document["info"]["version"]))]
    for tag in document["tags"]:
        parts.append(f"<h2>{escape(tag['name'])}</h2><p>{escape(tag['description'])}</p>")
        for path, item in document["paths"].items():
            for method, operation in item.items():
                if tag["name"] in operation.get("tags", ()):
                    parts.append(_shown(method, path, operation))
    return "".join(parts)


def _shown(method: str, path: str, operation: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(one['name'])}</code><td>{escape(one['in'])}"
        f"<td>{escape(one.get('description', ''))}"
        for one in operation.get("parameters", ())
    )
    body = operation.get("requestBody", {}).get("content", {})
    if body:
        rows += f"<tr><td>body<td>{escape(', '.join(body))}<td>{escape(_model(body))}"
    good = {code: one for code, one in operation["responses"].items() if code < "400"}
    for code, one in good.items():
        rows += f"<tr><td>{escape(code)}<td>answer<td>{escape(_model(one.get('content', {})))}"
    return (
        f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code> "
        f"{escape(operation.get('summary', ''))}</summary>"
        f"<p>{escape(operation.get('description', ''))}</p><table>{rows}</table></details>"
    )


def _model(content: dict[str, Any]) -> str:
    references = (one.get("schema", {}).get("$ref", "") for one in content.values())
    return ", ".join(name.rpartition("/")[2] for name in references if name)


_HEAD = (
    "<!doctype html><meta charset=utf-8><title>Quark</title>"
    "<style>body{{font:15px sans-serif;max-width:60em;margin:2em auto;padding:0 1em}}"
    "td{{padding:.2em 1em .2em 0;vertical-align:top}}details{{margin:.4em 0}}</style>"
    "<h1>Quark {version}</h1><p>The document behind this page is <code>/openapi.json</code>.</p>"
)
