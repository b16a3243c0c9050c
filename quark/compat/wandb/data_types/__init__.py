"""Values that are more than numbers: images, tables, audio and their like.

``wandb.data_types``. The classes are loaded when they are first used; none needs more than numpy
until a value is made of something that does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quark.compat.wandb.data_types.audio import Audio as Audio
    from quark.compat.wandb.data_types.base import (
        BatchableMedia as BatchableMedia,
        Media as Media,
        WBValue as WBValue,
    )
    from quark.compat.wandb.data_types.bokeh import Bokeh as Bokeh
    from quark.compat.wandb.data_types.bounding_boxes import BoundingBoxes2D as BoundingBoxes2D
    from quark.compat.wandb.data_types.classes import Classes as Classes
    from quark.compat.wandb.data_types.eval_table import EvalTable as EvalTable
    from quark.compat.wandb.data_types.graph import Edge as Edge, Graph as Graph, Node as Node
    from quark.compat.wandb.data_types.histogram import Histogram as Histogram
    from quark.compat.wandb.data_types.html import Html as Html
    from quark.compat.wandb.data_types.image import Image as Image
    from quark.compat.wandb.data_types.image_mask import ImageMask as ImageMask
    from quark.compat.wandb.data_types.joined_table import JoinedTable as JoinedTable
    from quark.compat.wandb.data_types.molecule import Molecule as Molecule
    from quark.compat.wandb.data_types.object_3d import Object3D as Object3D
    from quark.compat.wandb.data_types.oriented_box import box3d as box3d
    from quark.compat.wandb.data_types.partitioned_table import PartitionedTable as PartitionedTable
    from quark.compat.wandb.data_types.plotly import Plotly as Plotly
    from quark.compat.wandb.data_types.reading import read_value as read_value
    from quark.compat.wandb.data_types.table import Table as Table
    from quark.compat.wandb.data_types.video import Video as Video

#: What is loaded when it is first used: names, and where they are below this package.
_HOMES = {
    "Audio": "audio",
    "BatchableMedia": "base",
    "Bokeh": "bokeh",
    "BoundingBoxes2D": "bounding_boxes",
    "Classes": "classes",
    "Edge": "graph",
    "EvalTable": "eval_table",
    "Graph": "graph",
    "Histogram": "histogram",
    "Html": "html",
    "Image": "image",
    "ImageMask": "image_mask",
    "JoinedTable": "joined_table",
    "Media": "base",
    "Molecule": "molecule",
    "Node": "graph",
    "Object3D": "object_3d",
    "PartitionedTable": "partitioned_table",
    "Plotly": "plotly",
    "Table": "table",
    "Video": "video",
    "WBValue": "base",
    "box3d": "oriented_box",
    "read_value": "reading",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(_HOMES)
