"""Tables that a run logs are artifacts too: ``run-<id>-<key>`` of type ``run_table``, as in W&B."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from quark.catalog.model import RunRef
from quark.compat.wandb.artifacts.internal import InternalArtifact
from quark.compat.wandb.artifacts.keeping import ArtifactKeeper
from quark.compat.wandb.artifacts.place import Place
from quark.compat.wandb.artifacts.rules import check_path
from quark.compat.wandb.artifacts.saving import Saving
from quark.compat.wandb.data_types.table_artifacts import RUN_TABLE_TYPE, run_table_name
from quark.pipeline.deferred import Deferred

if TYPE_CHECKING:
    from quark.compat.wandb.data_types.table_snapshot import TableSnapshot
    from quark.session.handle import RunHandle

#: What the snapshot of a whole table says of itself.
_SNAPSHOT = "table-file"


def defer_tables(
    handle: RunHandle, run: RunRef, media: Mapping[tuple[str, ...], Any], step: int
) -> None:
    """Have the tables among ``media`` stored as artifacts too, after their row."""
    from quark.compat.wandb.data_types.table_snapshot import TableSnapshot  # it takes its time

    for way, value in media.items():
        if isinstance(value, TableSnapshot) and value.row_type == _SNAPSHOT:
            handle.defer_payload(TableArtifact(handle, run, ".".join(way), value, step))


class TableArtifact(Deferred):
    """The artifact of one table that was logged."""

    what = "artifact of a table"

    def __init__(
        self, handle: RunHandle, run: RunRef, key: str, table: TableSnapshot, step: int
    ) -> None:
        super().__init__(1)  # the table waits in its row anyway
        self._handle = handle
        self._run = run
        self._key = key
        self._table: TableSnapshot | None = table
        self._step = step

    def _journal(self) -> None:
        table, self._table = self._table, None
        assert table is not None
        artifact = InternalArtifact(run_table_name(self._run.run_id, self._key), RUN_TABLE_TYPE)
        artifact._place = Place(self._handle.settings, self._run.project)
        text = table.artifact_json(ArtifactKeeper(artifact, as_wandb=False))
        artifact.add_content(check_path(f"{self._key}.table.json".lstrip("/")), text)
        artifact.finalize()
        Saving(artifact, self._handle, self._run, aliases=(), tags=(), step=self._step).resolve()
