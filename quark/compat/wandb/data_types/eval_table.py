"""``wandb.EvalTable``: a table whose columns are inputs, outputs and scores of an evaluation.

W&B sends it to its service Weave, in preview, and refuses it offline. Here it is a table that also
says which column is what.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from quark.compat.wandb.data_types.base import ArtifactFiles, Source
from quark.compat.wandb.data_types.table import Table
from quark.compat.wandb.data_types.table_file import read_file
from quark.compat.wandb.errors import UsageError
from quark.compat.wandb.term import warn_once

_ROLES = ("input_columns", "output_columns", "score_columns")


class EvalTable(Table):
    """A table of an evaluation.

    Args:
        columns: As for :class:`Table`; without them those of the three lists, in that order.
        input_columns: What rows of two evaluations are compared by.
        output_columns: What is compared. Columns in none of the lists belong here.
        score_columns: What the outputs were judged with.
        backend: Accepted; there is one only.
        unsupported_media_mode: ``"stub"`` or ``"raise"``; all media are kept.

    Raises:
        UsageError: ``log_mode`` is not IMMUTABLE.
        ValueError: ``unsupported_media_mode`` is not known.
    """

    _log_type: ClassVar[str] = "eval-table"
    _other_log_types: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        columns: list[Any] | None = None,
        data: Any = None,
        rows: list[Iterable[Any]] | None = None,
        dataframe: Any = None,
        dtype: Any = None,
        optional: bool | list[bool] = True,
        allow_mixed_types: bool = False,
        log_mode: str | None = "IMMUTABLE",
        *,
        input_columns: list[str] | None = None,
        output_columns: list[str] | None = None,
        score_columns: list[str] | None = None,
        backend: str | None = None,
        unsupported_media_mode: str = "stub",
    ) -> None:
        if log_mode != "IMMUTABLE":
            raise UsageError(f"log_mode={log_mode!r}: an EvalTable is IMMUTABLE only.")
        if unsupported_media_mode not in ("stub", "raise"):
            raise ValueError(
                f"unsupported_media_mode={unsupported_media_mode!r} is neither 'stub' nor 'raise'."
            )
        self._input_columns = list(input_columns or ())
        self._output_columns = list(output_columns or ())
        self._score_columns = list(score_columns or ())
        named = [*self._input_columns, *self._output_columns, *self._score_columns]
        if columns is None and dataframe is None and named:
            columns = named
        super().__init__(
            columns, data, rows, dataframe, dtype, optional, allow_mixed_types, log_mode
        )

    def in_artifact(self, keeper: ArtifactFiles) -> dict[str, Any]:
        raise TypeError("An EvalTable cannot be put into an artifact; use wandb.Table.")

    @classmethod
    def from_json(cls, fields: Mapping[str, Any], source: Source) -> Self:
        table = super().from_json(fields, source)
        written = read_file(fields, source)
        table._input_columns, table._output_columns, table._score_columns = (
            list(written.get(role, ())) for role in _ROLES
        )
        return table

    def _roles(self) -> dict[str, Any]:
        known = {str(column) for column in self.columns}
        named = [*self._input_columns, *self._output_columns, *self._score_columns]
        if missing := sorted(set(named) - known):
            warn_once(
                f"EvalTable columns {missing}",
                f"the columns {missing} are named as inputs, outputs or scores of an EvalTable, "
                f"but it has {self.columns}; they are passed over.",
            )
        others = [str(column) for column in self.columns if str(column) not in named]
        roles = (self._input_columns, [*self._output_columns, *others], self._score_columns)
        return {
            role: [column for column in columns if column in known]
            for role, columns in zip(_ROLES, roles, strict=True)
        }

    def _row_type(self) -> str:
        return self._log_type
