"""``wandb.Graph``: nodes and edges, such as the layers of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from quark import jsonio
from quark.compat.wandb.data_types.base import Keeper, Media, Source, WBValue
from quark.compat.wandb.data_types.contents import Content
from quark.compat.wandb.data_types.file_media import FileMedia, read_file
from quark.compat.wandb.errors import unsupported
from quark.compat.wandb.values import plain

_ATTRIBUTES = (
    *("id", "name", "class_name", "size", "parameters", "output_shape", "is_output"),
    "num_parameters",
)


class Node(WBValue):
    """One node. What is given becomes an attribute of it; any other can be set."""

    def __init__(
        self,
        id: Any = None,
        name: str | None = None,
        class_name: str | None = None,
        size: Any = None,
        parameters: Any = None,
        output_shape: Any = None,
        is_output: bool | None = None,
        num_parameters: int | None = None,
        node: Node | None = None,
    ) -> None:
        given = dict(
            zip(
                _ATTRIBUTES,
                (id, name, class_name, size, parameters, output_shape, is_output, num_parameters),
                strict=True,
            )
        )
        self.__dict__["_attributes"] = {"name": None}
        if node is not None:
            inherited = {key: value for key, value in node._attributes.items() if key != "id"}
            self._attributes.update(inherited)
        self._attributes.update({key: value for key, value in given.items() if value is not None})

    _attributes: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._attributes.get(name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._attributes[name] = value

    def to_json(self, run: Any = None) -> dict[str, Any]:
        """Return the attributes."""
        return self._attributes

    def __repr__(self) -> str:
        return repr(self._attributes)


class Edge(WBValue):
    """A connection of two nodes."""

    def __init__(self, from_node: Node, to_node: Node) -> None:
        self.from_node = from_node
        self.to_node = to_node
        self.name: str | None = None

    def to_json(self, run: Any = None) -> list[Any]:
        """Return the ids of the two nodes."""
        return [self.from_node.id, self.to_node.id]


class Graph(Media):
    """Nodes and edges, taken as they are when the graph is logged.

    >>> graph = Graph()
    >>> edge = graph.add_edge(graph.add_node(id="in"), graph.add_node(id="out"))
    >>> edge.to_json()
    ['in', 'out']
    """

    _log_type = "graph-file"
    _folder = "media/graph"

    def __init__(self, format: str = "keras") -> None:
        self.format = format
        self.nodes: list[Node] = []
        self.nodes_by_id: dict[Any, Node] = {}
        self.edges: list[Edge] = []
        self.root: Node | None = None
        self.loaded = False

    def add_node(self, node: Node | None = None, **attributes: Any) -> Node:
        """Add a node, or make one of its attributes.

        Raises:
            ValueError: Both are given.
        """
        if node is not None and attributes:
            raise ValueError("Pass a node or its attributes, not both.")
        added = Node(**attributes) if node is None else node
        self.nodes.append(added)
        self.nodes_by_id[added.id] = added
        return added

    def add_edge(self, from_node: Node, to_node: Node) -> Edge:
        """Connect two nodes."""
        edge = Edge(from_node, to_node)
        self.edges.append(edge)
        return edge

    def __getitem__(self, node_id: Any) -> Node:
        return self.nodes_by_id[node_id]

    @classmethod
    def from_keras(cls, model: Any) -> Graph:
        """Refuse: what W&B reads of a model is gone since Keras 3."""
        raise unsupported("wandb.Graph.from_keras")

    @classmethod
    def get_media_subdir(cls) -> str:
        """Return where graphs lie below the run's files."""
        return cls._folder

    def frozen(self) -> Media:
        whole = {
            "format": self.format,
            "nodes": [node.to_json() for node in self.nodes],
            "edges": [edge.to_json() for edge in self.edges],
        }
        return _GraphFile(Content.of(jsonio.dumps(plain(whole))), ".graph.json")

    def stored(self, keeper: Keeper) -> dict[str, Any]:
        return self.frozen().stored(keeper)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any], source: Source) -> Self:
        whole = jsonio.loads(read_file(source, str(fields["path"])).read())
        graph = cls(whole["format"])
        for attributes in whole["nodes"]:
            node = graph.add_node()
            node._attributes.update(attributes)
            graph.nodes_by_id[node.id] = node
        graph.nodes_by_id.pop(None, None)
        for start, end in whole["edges"]:
            graph.add_edge(graph[start], graph[end])
        return graph


class _GraphFile(FileMedia):
    """A graph as it was when it was logged."""

    _log_type = Graph._log_type
    _folder = Graph._folder
