"""Charts: a table and the name of the specification that draws it.

Logging a chart under a key logs its table under ``<key>_table``, and puts into the run's config,
below ``_wandb``, what is to be drawn from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from quark.compat.wandb.config import OWN_KEY
from quark.compat.wandb.errors import Error

if TYPE_CHECKING:
    from quark.compat.wandb.data_types.table import Table

#: What the config says of charts, by the way to it.
_Charts = dict[tuple[str, ...], dict[str, Any]]


@dataclass
class CustomChartSpec:
    """What is drawn: the specification's name, and which columns and texts it is filled with."""

    spec_name: str
    fields: dict[str, Any]
    string_fields: dict[str, Any]
    key: str = ""
    panel_type: str = "Vega2"
    split_table: bool = False

    @property
    def table_key(self) -> str:
        """The key under which the table is logged.

        Raises:
            Error: The chart has no key yet.
        """
        if not self.key:
            raise Error("The chart has no key yet; it gets one when it is logged.")
        folder = "Custom Chart Tables/" if self.split_table else ""
        return f"{folder}{self.key}_table"

    @property
    def config_key(self) -> tuple[str, str, str]:
        """Where the chart is in the run's config."""
        return ("_wandb", "visualize", self.key)

    @property
    def config_value(self) -> dict[str, Any]:
        """What the run's config has of the chart."""
        table = {"name": "tableKey", "value": self.table_key}
        asked = [_asked("id"), _asked("name"), _asked("_defaultColorIndex")]
        run_sets = {"name": "runSets", "value": "${runSets}"}
        fields = [*asked, _asked("summaryTable", args=[table])]
        return {
            "panel_type": self.panel_type,
            "panel_config": {
                "panelDefId": self.spec_name,
                "fieldSettings": self.fields,
                "stringSettings": self.string_fields,
                "transform": {"name": "tableWithLeafColNames"},
                "userQuery": {
                    "queryFields": [{"name": "runSets", "args": [run_sets], "fields": fields}]
                },
            },
        }


def _asked(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, **more, "fields": []}


@dataclass
class CustomChart:
    """A table and how it is drawn. Log it under a key of its own."""

    table: Table
    spec: CustomChartSpec

    def set_key(self, key: str) -> None:
        """Take the key under which the chart is logged."""
        self.spec.key = key


@dataclass
class VisualizeSpec:
    """What is drawn by a specification that needs no more than a name."""

    name: str
    key: str = ""

    @property
    def table_key(self) -> str:
        """The key under which the table is logged."""
        return self.key

    @property
    def config_key(self) -> tuple[str, str, str]:
        """Where it is in the run's config."""
        return ("_wandb", "viz", self.key)

    @property
    def config_value(self) -> dict[str, Any]:
        """What the run's config has of it."""
        axes = {"x-axis": "_step", "key": self.key}
        return {"id": self.name, "historyFieldSettings": axes}


@dataclass
class Visualize:
    """A table and the name of what draws it."""

    table: Table
    spec: VisualizeSpec

    def set_key(self, key: str) -> None:
        """Take the key under which it is logged."""
        self.spec.key = key


def plot_table(
    vega_spec_name: str,
    data_table: Table,
    fields: dict[str, Any],
    string_fields: dict[str, Any] | None = None,
    split_table: bool = False,
) -> CustomChart:
    """Draw a table with a Vega specification.

    Args:
        vega_spec_name: The specification, e.g. ``wandb/line/v0``.
        data_table: The table.
        fields: Which column each field of the specification is.
        string_fields: Texts that the specification asks for.
        split_table: Log the table below ``Custom Chart Tables``.

    Raises:
        Error: ``data_table`` is no table.
    """
    spec = CustomChartSpec(vega_spec_name, fields, string_fields or {}, split_table=split_table)
    return CustomChart(_checked(data_table, "data_table"), spec)


def visualize(id: str, value: Table) -> Visualize:
    """Draw a table with what is called ``id``.

    Raises:
        Error: ``value`` is no table.
    """
    return Visualize(_checked(value, "value"), VisualizeSpec(id))


def _checked(table: Any, name: str) -> Any:
    from quark.compat.wandb.data_types.table import Table  # who draws one has loaded it

    if not isinstance(table, Table):
        raise Error(f"{name} must be a wandb.Table, not a {type(table).__name__}.")
    return table


# -- in what is logged ---------------------------------------------------------------------------


def with_tables(row: Mapping[str, Any]) -> tuple[Mapping[str, Any], _Charts]:
    """Return a row with tables in the place of its charts, and what the config says of these.

    A chart in a nested dict is taken out of it, and its table has a dotted key, as with W&B.
    """
    tables: dict[str, Any] = {}
    charts: _Charts = {}
    rest = _without_charts(row, "", tables, charts)
    return ({**rest, **tables}, charts) if charts else (row, charts)


def _without_charts(
    row: Mapping[str, Any], prefix: str, tables: dict[str, Any], charts: _Charts
) -> dict[str, Any]:
    rest: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, (CustomChart, Visualize)):
            value.set_key(f"{prefix}{key}")
            charts[value.spec.config_key] = value.spec.config_value
            tables[value.spec.table_key] = value.table
        elif type(value) is dict and "_type" not in value:
            rest[key] = _without_charts(value, f"{prefix}{key}.", tables, charts)
        else:
            rest[key] = value
    return rest


def joined(charts: Mapping[tuple[str, ...], Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what to put into a run's config: what is drawn, beside what is there already."""
    own = dict(config.get(OWN_KEY) or {})
    for (_, kind, key), value in charts.items():
        own[kind] = {**(own.get(kind) or {}), key: value}
    return {OWN_KEY: own}
