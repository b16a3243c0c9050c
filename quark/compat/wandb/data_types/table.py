"""``wandb.Table``: rows and columns whose cells have types.

A table is logged as it is at that moment, as often as it is logged. W&B keeps a table that was
changed after it had been logged only with ``log_mode="MUTABLE"``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, Self

from quark.compat.wandb import current
from quark.compat.wandb.data_types.base import (
    ArtifactFiles,
    Keeper,
    KeptFile,
    Media,
    Source,
    WBValue,
)
from quark.compat.wandb.data_types.table_artifacts import UntilChanged
from quark.compat.wandb.data_types.table_file import Content, read_file, read_rows, read_types
from quark.compat.wandb.data_types.table_keys import TableIndex
from quark.compat.wandb.data_types.table_nested_types import (
    TypedDictType,
)
from quark.compat.wandb.data_types.table_rows import TypedRows, cast_values
from quark.compat.wandb.data_types.table_snapshot import (
    Increment,
    Increments,
    TableSnapshot,
    copied_rows,
)
from quark.compat.wandb.data_types.table_type_of import Files
from quark.compat.wandb.data_types.table_types import (
    ANY,
    UNKNOWN,
)
from quark.compat.wandb.errors import Error, RowLimitError

LOG_MODES = ("IMMUTABLE", "MUTABLE", "INCREMENTAL")


class Table(TypedRows, Media):
    """Rows under named columns. A column takes values of one type, and None.

    Args:
        columns: Names of the columns. Without them and without a data frame: Input, Output,
            Expected.
        data: The rows: lists, a 2-D numpy array, or a pandas DataFrame, whose columns count then.
        rows: The same as ``data``, from old scripts.
        dataframe: A pandas DataFrame. Its columns count.
        dtype: What a column may hold: a class, a type of W&B's, a value that is the only one; or a
            list with one for each column. Without it, what the first row says.
        optional: Whether None is allowed; or a list with one answer for each column.
        allow_mixed_types: Let every column take everything.
        log_mode: ``"INCREMENTAL"``: each ``log`` writes only the rows that are new. With the other
            two, ``"IMMUTABLE"`` and ``"MUTABLE"``, each ``log`` writes the whole table.

    Raises:
        TypeError: A value does not fit its column, or an argument is of the wrong type.
        ValueError: A row is too long or too short, or ``log_mode`` is not known.

    >>> table = Table(columns=["word", "count"], data=[["one", 1]])
    >>> table.add_data("two", 2)
    >>> table.get_column("count")
    [1, 2]
    """

    #: W&B cuts a logged table here. Nothing is cut here; kept because scripts set and read it.
    MAX_ROWS = 10_000
    #: Beyond this ``log`` raises, if ``Settings(table_raise_on_max_row_limit_exceeded=True)``.
    MAX_ARTIFACT_ROWS = 200_000

    _log_type: ClassVar[str] = "table"
    _other_log_types: ClassVar[tuple[str, ...]] = ("table-file", "incremental-table-file")

    _artifact_source = UntilChanged()
    _artifact_target = UntilChanged()

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
    ) -> None:
        if log_mode not in LOG_MODES:
            raise ValueError(f"log_mode={log_mode!r} is not one of {', '.join(LOG_MODES)}.")
        if dataframe is None and hasattr(data, "columns") and hasattr(data, "iloc"):
            dataframe = data
        if dataframe is not None:
            from quark.compat.wandb.data_types.table_frame_rows import frame_columns, frame_rows

            columns, given = frame_columns(dataframe), frame_rows(dataframe)
        else:
            given = _checked_rows(data if data is not None else rows)
        kinds = ANY if allow_mixed_types else dtype
        TypedRows.__init__(
            self, _checked_columns(columns), UNKNOWN if kinds is None else kinds, optional
        )
        self.log_mode: str = log_mode
        self._increments = Increments() if log_mode == "INCREMENTAL" else None
        self._logged = False
        for row in given:
            self.add_data(*row)

    # -- adding ------------------------------------------------------------------------------

    def add_column(self, name: str, data: Any, optional: bool = False) -> None:
        """Add a column on the right.

        Args:
            name: Its name, a new one.
            data: A value for each row, in a list or a numpy array.
            optional: Whether None is allowed among them.

        Raises:
            TypeError: The values do not go together.
            ValueError: There is such a column, or there are not as many values as rows.
            Error: The table is incremental.
        """
        self._refuse_incremental("add_column")
        if not isinstance(name, str) or not _is_list(data):
            raise TypeError(
                "add_column() takes the name of the column and a list or a numpy array of values, "
                f"not {name!r} and a {type(data).__name__}."
            )
        if name in self.columns:
            raise ValueError(f"The table has a column {name!r} already; take another name.")
        first = not self.columns
        if not first and len(data) != len(self.data):
            raise ValueError(
                f"The table has {len(self.data)} rows, but the column {len(data)} values."
            )
        values = list(data)
        kind = cast_values(name, values, UNKNOWN, optional=optional)
        self.data = [[value] for value in values] if first else self.data
        for row, value in zip(self.data, values, strict=True) if not first else ():
            row.append(value)
        self.columns.append(name)
        self._types[name] = kind
        self._settled.append(set())

    def add_computed_columns(self, fn: Callable[[int, dict[Any, Any]], dict[str, Any]]) -> None:
        """Add columns whose values ``fn`` computes from the number and the values of each row.

        Raises:
            TypeError: ``fn`` does not return a dict.
        """
        self._refuse_incremental("add_computed_columns")
        computed: dict[str, list[Any]] = {}
        for index, row in self.iterrows():
            values = fn(index, dict(zip(self.columns, row, strict=True)))
            if not isinstance(values, dict):
                raise TypeError(
                    "The function given to add_computed_columns() must return a dict of values by "
                    f"column, not a {type(values).__name__}."
                )
            for name, value in values.items():
                computed.setdefault(name, []).append(value)
        for name, column in computed.items():
            self.add_column(name, column)

    # -- reading -----------------------------------------------------------------------------

    def get_column(self, name: Any, convert_to: str | None = None) -> Any:
        """Return the values of a column: a list, or with ``convert_to="numpy"`` an array.

        Raises:
            KeyError: There is no such column.
            ValueError: ``convert_to`` is something else.
        """
        place = self._place(name)
        if convert_to not in (None, "numpy"):
            raise ValueError(f"convert_to={convert_to!r} is not known; only 'numpy' is.")
        values = [row[place] for row in self.data]
        if convert_to is None:
            return values
        import numpy as np

        return np.array(
            [
                value.to_data_array()  # type: ignore[attr-defined]
                if isinstance(value, WBValue)
                else value
                for value in values
            ]
        )

    def get_dataframe(self) -> Any:
        """Return the table as a pandas DataFrame.

        Raises:
            MissingDependencyError: pandas is not installed.
        """
        from quark._optional import require

        pandas = require("pandas", purpose="Table.get_dataframe")
        return pandas.DataFrame.from_records(self.data, columns=self.columns)

    def get_index(self) -> list[TableIndex]:
        """Return the numbers of the rows; in another table they refer to this one."""
        return [TableIndex.of(number, self) for number in range(len(self.data))]

    def index_ref(self, index: int) -> TableIndex:
        """Return the number of one row; in another table it refers to this one.

        Raises:
            IndexError: There is no such row.
        """
        if index >= len(self.data):
            raise IndexError(f"There is no row {index}: the table has {len(self.data)}.")
        return TableIndex.of(index, self)

    def iterrows(self) -> Iterator[tuple[TableIndex, list[Any]]]:
        """Yield each row with its number."""
        for number, row in enumerate(self.data):
            yield TableIndex.of(number, self), row

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Table):
            return False
        same = self.columns == other.columns and self._column_types == other._column_types
        return same and _equal(self.data, other.data)

    __hash__ = None  # type: ignore[assignment]  # as with W&B: two may become equal

    # -- keeping -----------------------------------------------------------------------------

    def has_been_logged(self) -> bool:
        """Whether the table was logged."""
        return self._logged

    def frozen(self) -> Media:
        """Return the rows as they are now.

        Raises:
            RowLimitError: There are more than ``MAX_ARTIFACT_ROWS`` rows and the run's settings say
                that this is an error.
        """
        self._check_row_limit()
        self._logged = True
        increments = self._increments
        if increments is None:
            return self.whole()
        if increments.last is None or increments.logged_rows < len(self.data):
            content = self._content(self.data[increments.logged_rows :])
            increments.last = Increment(content, increments, len(self.data))
            increments.logged_rows = len(self.data)
        return increments.last

    def stored(self, keeper: Keeper) -> dict[str, Any]:
        return self.frozen().stored(keeper)

    def in_artifact(self, keeper: ArtifactFiles) -> dict[str, Any]:
        """Return what is written of the table when it is added to an artifact."""
        incremental = self._increments is not None
        own = {"increment_num": 0, "previous_increments_paths": []} if incremental else {}
        return {**self.whole().in_artifact(keeper), **own}

    def kept_whole(self, keeper: Keeper) -> KeptFile:
        """Keep the table as a part of another value."""
        return self.whole().kept_whole(keeper)

    def whole(self) -> TableSnapshot:
        """Return all rows as they are now."""
        return TableSnapshot(self._content(self.data), row_type=self._row_type())

    @classmethod
    def from_json(cls, fields: Mapping[str, Any], source: Source) -> Self:
        written = read_file(fields, source)
        files = Files(source, lambda path: Table.from_json({"path": path}, source))
        types = read_types(written, files)
        rows = [
            row
            for path in fields.get("previous_increments_paths", ())
            for row in read_rows(read_file({"path": path}, source), types, source)
        ]
        rows += read_rows(written, types, source)
        table = cls._empty(written)
        table.data = rows
        table._types = {**table._types, **types}
        if not types:
            table.data = []
            for row in rows:
                table.add_data(*row)
        table._wrap_keys(table.data)
        return table

    # -- inside ------------------------------------------------------------------------------

    @classmethod
    def _empty(cls, written: Mapping[str, Any]) -> Self:
        return cls(columns=written["columns"], log_mode=written.get("log_mode") or "IMMUTABLE")

    def _content(self, rows: list[list[Any]]) -> Content:
        types = dict(self._types)
        return Content(
            list(self.columns),
            copied_rows(rows, types),
            TypedDictType(types),
            self.log_mode,
            self._roles(),
        )

    def _roles(self) -> dict[str, Any]:
        """Return what else is written of the table."""
        return {}

    def _row_type(self) -> str:
        return "table-file"

    def _refuse_incremental(self, call: str) -> None:
        if self._increments is not None:
            raise Error(
                f"{call}() cannot be used on a table with log_mode='INCREMENTAL': rows that were "
                "logged do not change any more. Use log_mode='MUTABLE'."
            )

    def _check_row_limit(self) -> None:
        run = current.bound_run()
        if run is None or len(self.data) <= Table.MAX_ARTIFACT_ROWS:
            return
        if run.settings.table_raise_on_max_row_limit_exceeded or run.settings.strict:
            raise RowLimitError(
                f"The table has {len(self.data)} rows, and the run's settings allow "
                f"{Table.MAX_ARTIFACT_ROWS}. Set wandb.Table.MAX_ARTIFACT_ROWS higher, or leave "
                "out Settings(table_raise_on_max_row_limit_exceeded=True)."
            )


def _checked_columns(columns: Any) -> list[Any]:
    if columns is None:
        return ["Input", "Output", "Expected"]
    if not isinstance(columns, list):
        raise TypeError(f"columns must be a list of names, not a {type(columns).__name__}.")
    for column in columns:
        if type(column) not in (str, int):
            raise TypeError(
                f"Column {column!r} is a {type(column).__name__}; a column is named by a string or "
                "an integer."
            )
    return list(columns)


def _checked_rows(rows: Any) -> Any:
    if rows is None:
        return []
    if not _is_list(rows):
        raise TypeError(
            "data must be a list of rows, a numpy array or a pandas DataFrame, not a "
            f"{type(rows).__name__}."
        )
    return rows


def _is_list(values: Any) -> bool:
    return isinstance(values, list) or type(values).__name__ == "ndarray"


def _equal(mine: list[list[Any]], others: list[list[Any]]) -> bool:
    if len(mine) != len(others):
        return False
    for row, other in zip(mine, others, strict=True):
        for cell, its in zip(row, other, strict=True):
            same = cell == its
            if not (same.all() if hasattr(same, "all") else same):
                return False
    return True
