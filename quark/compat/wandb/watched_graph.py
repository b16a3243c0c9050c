"""The graph of a watched model, from its first forward pass: W&B's file, and Quark's record."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quark import jsonio
from quark.hooks.architecture import log_architecture
from quark.hooks.architecture_graph import GraphRecorder, ModelGraph
from quark.hooks.passes import attach

if TYPE_CHECKING:
    from torch import nn

    from quark.compat.wandb.run import Run
    from quark.session import TrainingSession


class WatchedGraph:
    """Waits for one forward pass of ``model`` and keeps its graph as ``graph_<number>``.

    It is kept when the next pass begins, in either direction, or at the end.
    """

    def __init__(self, run: Run, session: TrainingSession, model: nn.Module, key: str) -> None:
        self._run = run
        self._session = session
        self._model: nn.Module | None = model
        self._key = key
        self._recorder = GraphRecorder(model)
        self._recorder.begin()
        self._detach: Callable[[], None] = attach(model, self, forward=True)

    def on_forward(self) -> None:
        self._look()

    def on_backward(self) -> None:
        self._look()

    def close(self) -> None:
        """Keep what there is, and let go of the model."""
        self._recorder.end()
        self._look(last=True)

    def _look(self, *, last: bool = False) -> None:
        model, graph = self._model, self._recorder.graph
        if model is None or (graph is None and not last):
            return
        self._model = None
        self._detach()
        try:
            log_architecture(self._session, model, model_name=self._key, graph=self._recorder)
            if graph is not None:
                self._run.summary[self._key] = write_graph(Path(self._run.dir), self._key, graph)
        except Exception as error:
            self._session.handle.faults.record("the graph of a model could not be kept", error)


def write_graph(folder: Path, key: str, graph: ModelGraph) -> dict[str, Any]:
    """Write the file that W&B has of a graph; return what stands for it in the summary."""
    nodes = [
        {
            "name": node.module_name or node.module_type,
            "id": node.node_id,
            "class_name": node.module_type,
            "parameters": [[name, list(shape)] for name, shape in node.parameter_shapes.items()],
            "output_shape": [list(shape) for shape in node.output_shapes],
            "num_parameters": [_product(shape) for shape in node.parameter_shapes.values()],
        }
        for node in graph.nodes
    ]
    edges = [[edge.source_id, edge.target_id] for edge in graph.edges]
    data = jsonio.dumps({"format": "torch", "nodes": nodes, "edges": edges})
    digest = hashlib.sha256(data).hexdigest()
    path = Path("media", "graph", f"{key}_summary_{digest[:20]}.graph.json")
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(data)
    return {"_type": "graph-file", "sha256": digest, "size": len(data), "path": str(path)}


def _product(shape: list[int]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count
