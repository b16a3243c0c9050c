"""What flows from which module to which, seen in one real forward pass.

Modules are seen by hooks, which are there for that pass alone, and what happens between them by
watching the functions that are called: a tensor belongs to the node that it came out of, and what
a function makes of it does too. A function that brings several nodes together becomes a node
itself; without that, each layer of a residual network would have an edge from every layer before
it. Tensors are only ever referred to weakly.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from quark.hooks import eager
from quark.hooks.modules import check_model, named_modules, tensors_in
from quark.hooks.parameter_places import own_parameters
from quark.records import ArchitectureEdge, ArchitectureNode

if TYPE_CHECKING:
    from torch import Tensor, nn

#: So many nodes are kept of one pass.
MAX_NODES = 20_000
_MAX_OUTPUTS = 16
#: How far back the autograd graph is searched for where a tensor came from.
_MAX_ANCESTORS = 1_000


class ModelGraph(NamedTuple):
    """Nodes in the order of their calls, with the edges between them."""

    nodes: tuple[ArchitectureNode, ...]
    edges: tuple[ArchitectureEdge, ...]
    truncated: bool


class _Call(NamedTuple):
    """A call of a module that has begun."""

    name: str
    sources: set[int]
    first_id: int
    calls: list[None]  # one for each module it called


class GraphRecorder:
    """Records one forward pass of a model, on one thread.

    From :meth:`begin` on it waits for the model to be called, and ends by itself when that call
    returns. Of a model whose own ``forward`` is never called (some trainers call its parts), it
    records until :meth:`end`. Replicas that run in other threads are not seen.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU())
    >>> with GraphRecorder(model) as recorder:
    ...     _ = model(torch.ones(1, 2))
    >>> [(node.module_name, node.output_shapes) for node in recorder.graph.nodes]
    [('0', ((1, 3),)), ('1', ((1, 3),))]
    >>> [(edge.source_id, edge.target_id) for edge in recorder.graph.edges]
    [(0, 1)]
    """

    def __init__(self, model: Any, *, max_nodes: int = MAX_NODES) -> None:
        self._model: nn.Module | None = check_model(model, purpose="GraphRecorder")
        self._names = {id(module): name for name, module, _ in named_modules(self._model)}
        self._max_nodes = max_nodes
        self._undo = contextlib.ExitStack()
        self._thread: int | None = None
        self._mode: Any = None
        self._stack: list[_Call] = []
        self._nodes: dict[int, ArchitectureNode] = {}
        self._edges: dict[tuple[int, int], None] = {}
        self._next_id = 0
        self._calls: dict[str, int] = {}
        self._known: dict[int, tuple[weakref.ref[Tensor], int]] = {}
        self._known_functions: dict[Any, int] = {}
        self._truncated = False
        self._graph: ModelGraph | None = None
        #: What made the recording stop early; None if nothing did.
        self.fault: Exception | None = None

    @property
    def graph(self) -> ModelGraph | None:
        """What was recorded; None while the recording goes on, or if no module was called."""
        return self._graph

    def begin(self) -> None:
        """Record the next forward pass. A second call does nothing."""
        if self._model is None or self._thread is not None:
            return
        self._thread = 0
        self._undo.enter_context(eager.instead_of_compiled())
        for _, module, _ in named_modules(self._model):
            before = module.register_forward_pre_hook(self._before, with_kwargs=True)
            after = module.register_forward_hook(self._after, with_kwargs=True, always_call=True)
            self._undo.callback(before.remove)
            self._undo.callback(after.remove)

    def end(self) -> ModelGraph | None:
        """Stop, and return what was recorded; a second call returns it again."""
        self._undo.close()
        self._leave_mode()
        if self._model is not None and self._nodes:
            places = {node_id: place for place, node_id in enumerate(self._nodes)}
            self._graph = ModelGraph(
                tuple(_renumbered(node, places[node_id]) for node_id, node in self._nodes.items()),
                tuple(
                    ArchitectureEdge(source_id=places[source], target_id=places[target])
                    for source, target in self._edges
                    if source in places and target in places
                ),
                self._truncated,
            )
        self._model = None
        self._names, self._stack = {}, []
        self._known, self._known_functions = {}, {}
        self._nodes, self._edges = {}, {}
        return self._graph

    def __enter__(self) -> GraphRecorder:
        self.begin()
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    # -- during the forward pass ---------------------------------------------------------------

    def _before(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        name = self._names.get(id(module))
        if name is None or not self._is_here():
            return
        if not self._stack:
            self._thread = threading.get_ident()
            self._mode = _flow(self)
            self._mode.__enter__()
        else:
            self._stack[-1].calls.append(None)
        sources: set[int] = set()
        self._guard(lambda: sources.update(self._sources((args, kwargs))))
        self._stack.append(_Call(name, sources, self._next_id, []))

    def _after(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        here = self._stack and self._thread == threading.get_ident()
        if not here or id(module) not in self._names:
            return
        call = self._stack.pop()
        if not call.calls:
            self._guard(lambda: self._see_module(call, module, output))
        if not self._stack:
            self._leave_mode()
            if module is self._model:
                self.end()

    def on_function(self, function: Any, arguments: Any, result: Any) -> None:
        """Take note of a function that was called between modules, or in one."""
        if self._stack:
            self._guard(lambda: self._see_function(function, arguments, result))

    def _guard(self, work: Callable[[], None]) -> None:
        """Do ``work`` unless something went wrong before; the forward pass goes on in any case."""
        if self.fault is None:
            try:
                work()
            except Exception as error:
                self.fault = error
                self._truncated = True

    def _is_here(self) -> bool:
        """Say whether a call belongs to the pass that is recorded."""
        import torch

        if torch._C._current_graph_task_id() != -1:
            return False  # a checkpointed part that is computed once more, during the backward pass
        return not self._stack or self._thread == threading.get_ident()

    def _leave_mode(self) -> None:
        mode, self._mode = self._mode, None
        if mode is not None:
            mode.__exit__(None, None, None)

    def _see_module(self, call: _Call, module: nn.Module, output: Any) -> None:
        for inner in range(call.first_id, self._next_id):
            self._nodes.pop(inner, None)  # what it is made of is not looked into
        index = self._calls.get(call.name, 0)
        self._calls[call.name] = index + 1
        own = dict(own_parameters(module))
        self._add(
            call.sources,
            output,
            module_name=call.name,
            module_type=type(module).__name__,
            call_index=index,
            parameter_count=sum(parameter.numel() for parameter in own.values()),
            parameter_shapes={name: list(parameter.shape) for name, parameter in own.items()},
        )

    def _see_function(self, function: Any, arguments: Any, result: Any) -> None:
        tensors = [tensor for _, tensor in tensors_in(result)]
        sources = self._sources(arguments) if tensors else set()
        if len(sources) > 1:
            name = str(getattr(function, "__name__", "function")).strip("_")
            here = self._stack[-1].name
            self._add(sources, result, module_name=here, module_type=name, is_function=True)
        for source in sources if len(sources) == 1 else ():
            for tensor in tensors:
                self._know(tensor, source)

    def _add(self, sources: set[int], output: Any, **fields: Any) -> None:
        tensors = [tensor for _, tensor in tensors_in(output)]
        if len(self._nodes) >= self._max_nodes:
            self._truncated = True
            return
        node_id, self._next_id = self._next_id, self._next_id + 1
        shapes = tuple(tuple(tensor.shape) for tensor in tensors[:_MAX_OUTPUTS])
        self._nodes[node_id] = ArchitectureNode(node_id=node_id, output_shapes=shapes, **fields)
        for source in sorted(sources):
            self._edges[source, node_id] = None
        for tensor in tensors:
            self._know(tensor, node_id)
            if tensor.grad_fn is not None:
                self._known_functions[tensor.grad_fn] = node_id

    def _know(self, tensor: Tensor, node_id: int) -> None:
        self._known[id(tensor)] = (weakref.ref(tensor), node_id)

    def _sources(self, values: Any) -> set[int]:
        """Return the nodes that the tensors in ``values`` came out of."""
        found: set[int] = set()
        for _, tensor in tensors_in(values):
            known = self._known.get(id(tensor))
            if known is not None and known[0]() is tensor:
                found.add(known[1])
            elif tensor.grad_fn is not None:
                found |= self._ancestors(tensor.grad_fn)
        return found & self._nodes.keys()

    def _ancestors(self, function: Any) -> set[int]:
        """Return the nodes that a tensor of unknown origin was computed from."""
        found: set[int] = set()
        seen = {function}
        waiting = [function]
        while waiting and len(seen) < _MAX_ANCESTORS:
            current = waiting.pop()
            node_id = self._known_functions.get(current)
            if node_id is not None:
                found.add(node_id)
                continue
            above = {up for up, _ in current.next_functions if up is not None} - seen
            seen |= above
            waiting += above
        return found


def _renumbered(node: ArchitectureNode, node_id: int) -> ArchitectureNode:
    return node if node.node_id == node_id else dataclasses.replace(node, node_id=node_id)


def _flow(recorder: GraphRecorder) -> Any:
    """Return what tells ``recorder`` of each function that is called while it is entered."""
    from torch.overrides import TorchFunctionMode

    class Flow(TorchFunctionMode):
        def __torch_function__(
            self, function: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            result = function(*args, **(kwargs or {}))
            recorder.on_function(function, (args, kwargs), result)
            return result

    return Flow()
