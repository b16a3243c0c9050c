"""One chart of ``wandb.plot``, as much of its table as can be drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quark.dashboard.views.media import FileReader, kept_file
from quark.dashboard.views.media_index import media_of
from quark.dashboard.views.media_reading import KeptLately, read_table
from quark.dashboard.views.plots_drawn import drawing_of
from quark.dashboard.views.plots_named import plots_of
from quark.errors import ArtifactNotFoundError, SchemaValidationError

if TYPE_CHECKING:
    from quark.dashboard.asked import Asked
    from quark.dashboard.place import Place

_KEPT_DRAWINGS = 64


def plot(place: Place, asked: Asked) -> dict[str, Any]:
    """Return what is to be drawn of a chart.

    Parameters: ``key`` (of its table), ``path`` (the table's file; of one that was logged in
    parts, all of them in their order). Of many rows only what can be seen is returned. ``kind`` is
    ``none`` where nothing can be drawn; ``reason`` says why.

    Raises:
        ArtifactNotFoundError: The run has no such chart or file.
        SchemaValidationError: A file is no table, or too large.
    """
    run_id, key = asked["run_id"], asked.text("key") or ""
    chosen = plots_of(place.store.records.get_run(run_id).config).get(key)
    if chosen is None:
        raise ArtifactNotFoundError(f"The run {run_id} draws no chart from {key[:200]!r}.")
    found = media_of(place, run_id)
    parts = [kept_file(found, run_id, path) for path in asked.all("path")]
    if not parts:
        raise SchemaValidationError("path is missing: name the file of a table.")
    home = place.store.target  # who knows a digest has not the payload of another store

    def draw() -> dict[str, Any]:
        if chosen.kind == "none":
            return {"kind": "none", "reason": f"Charts of {chosen.spec!r} are not drawn here."}
        table = read_table(home, parts, FileReader(place, run_id))
        try:
            return {"kind": chosen.kind, **drawing_of(table, chosen)}
        except SchemaValidationError as error:
            return {"kind": "none", "reason": str(error)}

    drawing = _drawings.get((home, *(part.sha256 for part in parts), chosen), draw)
    titles = {"title": chosen.title, "name": chosen.name, "spec": chosen.spec}
    return {**titles, **drawing}


_drawings = KeptLately(_KEPT_DRAWINGS, lambda one: 1)
