"""What ``Api().runs`` found: a sequence of runs that is read page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any, overload

from quark.compat.wandb.api_fields import field, narrowed, sort_key, with_times
from quark.compat.wandb.api_filters import read_filters
from quark.compat.wandb.api_run import ApiRun
from quark.compat.wandb.reading import reading
from quark.records import RunRecord
from quark.session.branching import is_archived
from quark.settings import Settings as QuarkSettings
from quark.storage.model import RunQuery

OLDEST_FIRST = "+created_at"


class Runs:
    """Runs that pass filters, in an order; read as far as they are asked for.

    In the order of their creation that is a page of ``per_page`` runs at a time; for any other
    order all of them have to be read. What was read stays: another call of ``Api().runs`` sees what
    has changed since. Runs that are deleted meanwhile, by whoever goes through them, do not make
    others be passed over.
    """

    def __init__(
        self,
        where: QuarkSettings,
        query: RunQuery,
        filters: Mapping[str, Any] | None = None,
        order: str = OLDEST_FIRST,
        per_page: int = 50,
    ) -> None:
        self.filters = filters or {}
        self.order = order or OLDEST_FIRST
        self.per_page = max(1, int(per_page))
        self.entity = query.workspace or where.workspace
        self.project = query.project
        self.objects: list[ApiRun] = []
        self._where = where
        self._passes = read_filters(with_times(self.filters))
        descending = self.order.startswith("-")
        self._query = replace(query, newest_first=descending, **narrowed(self.filters))
        self._in_store_order = field_name(self.order) == "created_at"
        self._seen: list[str] = []  # ids, in the order of the store
        self._more = True
        self._index = -1

    # -- going through them ------------------------------------------------------------------

    @property
    def more(self) -> bool:
        """Whether there may be runs that are not read yet."""
        return self._more

    def __iter__(self) -> Iterator[ApiRun]:
        self._index = -1
        index = 0
        while self._reach(index):
            yield self.objects[index]
            index += 1

    def __next__(self) -> ApiRun:
        self._index += 1
        if not self._reach(self._index):
            raise StopIteration
        return self.objects[self._index]

    next = __next__

    def __bool__(self) -> bool:
        return self._reach(0)

    def __len__(self) -> int:
        self._reach(None)
        return len(self.objects)

    @overload
    def __getitem__(self, index: int) -> ApiRun: ...
    @overload
    def __getitem__(self, index: slice) -> list[ApiRun]: ...
    def __getitem__(self, index: int | slice) -> ApiRun | list[ApiRun]:
        ends = (index.start or 0, index.stop) if isinstance(index, slice) else (index, index)
        from_the_end = any(end is None or end < 0 for end in ends)
        self._reach(None if from_the_end else ends[1])
        return self.objects[index]

    def _reach(self, index: int | None) -> bool:
        """Read until there is a run ``index``, or all of them; say whether there is one."""
        while self._more and (index is None or index >= len(self.objects)):
            self._read_page()
        return index is None or index < len(self.objects)

    def _read_page(self) -> None:
        with reading(self._where) as store:
            if self._in_store_order:
                found = self._next_page(store.records.list_runs)
            else:
                found, self._more = list(store.records.list_runs(self._query)), False
        runs = [ApiRun(self._where, record) for record in found if not is_archived(record)]
        if self.filters:
            runs = [run for run in runs if self._passes(partial(field, run))]
        if not self._in_store_order:
            runs.sort(key=sort_key(self.order), reverse=self.order.startswith("-"))
        self.objects += runs

    def _next_page(self, list_runs: Any) -> list[RunRecord]:
        """Return the records of the next page. It is asked for with the last record of the one
        before: if that has moved, runs came or went meanwhile, and those not seen yet are taken."""
        seen = self._seen
        overlap = 1 if seen else 0
        limit, offset = self.per_page + overlap, len(seen) - overlap
        found = list(list_runs(replace(self._query, limit=limit, offset=offset)))
        if overlap and (not found or found[0].id != seen[-1]):
            known = frozenset(seen)
            found = [record for record in list_runs(self._query) if record.id not in known]
            self._more = False
        else:
            found = found[overlap:]
            self._more = len(found) == self.per_page
        seen += [record.id for record in found]
        return found

    # -- all of them at once -----------------------------------------------------------------

    def histories(
        self,
        samples: int | None = None,
        keys: list[str] | None = None,
        x_axis: str = "_step",
        format: str = "default",
        stream: str = "default",
    ) -> Any:
        """Return the rows of all runs, each with its ``run_id``: all of them, or ``samples`` a run.

        Args:
            format: ``default`` for a list of dicts, ``pandas`` or ``polars`` for a DataFrame.

        Raises:
            ValueError: ``format`` is none of these.
            ModuleNotFoundError: The package of that name is not installed.
        """
        if format not in ("default", "pandas", "polars"):
            raise ValueError(f"format is {format!r}, but must be 'default', 'pandas' or 'polars'.")
        rows = [
            {**row, "run_id": run.id}
            for run in self
            for row in run.history(
                samples=samples, keys=keys, x_axis=x_axis, pandas=False, stream=stream
            )
        ]
        if format == "default":
            return rows
        names = sorted({name for row in rows for name in row})
        if format == "pandas":
            return import_module("pandas").DataFrame.from_records(rows, columns=names)
        columns = {name: [row.get(name) for row in rows] for name in names}
        return import_module("polars").DataFrame(columns, strict=False)

    def upgrade_to_full(self) -> None:
        """Nothing is left out of a run here, so there is nothing to do."""

    def __repr__(self) -> str:
        return f"<Runs {self.entity}/{self.project or '*'}>"


def field_name(order: str) -> str:
    """Return what an order is by, under one name."""
    name = order.lstrip("+-")
    return {"createdAt": "created_at"}.get(name, name)
