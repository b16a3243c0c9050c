"""The architecture of a model: its modules and parameters, and the graph of one forward pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from quark.errors import SchemaValidationError
from quark.hooks.architecture_graph import GraphRecorder, ModelGraph
from quark.hooks.modules import check_model, named_modules
from quark.hooks.parameter_places import own_parameters
from quark.records import ArchitectureModule, ModelArchitectureRecord
from quark.session.resolve import Target, resolve
from quark.storage.model import RecordFilter, StepRange
from quark.writers.batch_extraction import plain_metadata

if TYPE_CHECKING:
    from torch import Tensor, nn

#: So many modules are listed.
MAX_MODULES = 20_000
_MAX_SETTINGS = 200


def log_architecture(
    session: Target,
    model: Any,
    *,
    model_name: str = "model",
    graph: GraphRecorder | ModelGraph | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> ModelArchitectureRecord:
    """Write what ``model`` is made of into a run.

    Args:
        session: The run.
        model: Any ``torch.nn.Module``. Nothing of it is copied, and no device is waited for.
        model_name: Tells several models of one run apart.
        graph: One forward pass, see :class:`~quark.hooks.architecture_graph.GraphRecorder`; without
            it there are modules alone.
        metadata: Anything that JSON can hold.

    Raises:
        MissingDependencyError: torch is not installed.
        SchemaValidationError: ``model`` is no module, ``model_name`` no text, or ``metadata`` has
            no JSON form.

    >>> import tempfile, torch
    >>> from quark import TrainingSession
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU())
    >>> with TrainingSession.start_run(project="demo", storage_dir=tempfile.mkdtemp()) as session:
    ...     record = log_architecture(session, model)
    ...     record.parameter_count, [module.module_type for module in record.modules]
    (9, ['Sequential', 'Linear', 'ReLU'])
    """
    if not isinstance(model_name, str) or not model_name:
        raise SchemaValidationError(f"model_name {model_name!r} is not valid: it must be a text.")
    plain = {} if metadata is None else plain_metadata(metadata)
    handle, owned = resolve(session)
    try:
        if isinstance(graph, GraphRecorder):
            if graph.fault is not None:
                handle.faults.record("the graph of a model could not be recorded", graph.fault)
            graph = graph.graph
        fields = describe(model, graph)
        return handle.emit(ModelArchitectureRecord, model_name=model_name, metadata=plain, **fields)
    finally:
        if owned:
            handle.close()


def read_architectures(
    session: Target, *, model_name: str | None = None, limit: int | None = None
) -> tuple[ModelArchitectureRecord, ...]:
    """Return what :func:`log_architecture` wrote, oldest first; ``limit`` keeps the newest.

    Raises:
        SchemaValidationError: ``limit`` is negative.
        SessionStoreError: The store does not answer.
    """
    equals = {} if model_name is None else {"model_name": model_name}
    where = RecordFilter(steps=StepRange(limit=limit), equals=equals)
    handle, owned = resolve(session)
    try:
        with handle.reading() as store:
            return store.records.read(ModelArchitectureRecord, handle.run_id, where)
    finally:
        if owned:
            handle.close()


def describe(model: Any, graph: ModelGraph | None = None) -> dict[str, Any]:
    """Return the fields of a :class:`~quark.records.ModelArchitectureRecord`, but for its name.

    Parameters of lazy modules count when they have a shape.

    Raises:
        MissingDependencyError: torch is not installed.
        SchemaValidationError: ``model`` is no module.
    """
    watched = check_model(model, purpose="describe")
    import torch

    tree = _Tree(watched)
    parameters = list(tree.parameters.values())
    trainable = sum(p.numel() for p in parameters if p.requires_grad)
    total = sum(p.numel() for p in parameters)
    dtypes: Counter[str] = Counter()
    devices: Counter[str] = Counter()
    for parameter in parameters:
        dtypes[str(parameter.dtype).removeprefix("torch.")] += parameter.numel()
        devices[str(parameter.device)] += parameter.numel()
    lazy = torch.nn.parameter.UninitializedBuffer
    buffers = [buffer for buffer in watched.buffers() if not isinstance(buffer, lazy)]
    return {
        "model_type": type(watched).__name__,
        "parameter_count": total,
        "trainable_parameter_count": trainable,
        "frozen_parameter_count": total - trainable,
        "buffer_count": sum(b.numel() for b in buffers),
        "parameter_bytes": _bytes(parameters),
        "buffer_bytes": _bytes(buffers),
        "parameter_counts_by_dtype": dict(dtypes),
        "parameter_counts_by_device": dict(devices),
        "shared_parameters": tuple(tuple(names) for names in tree.names.values() if len(names) > 1),
        "modules": tuple(tree.modules()),
        "nodes": graph.nodes if graph is not None else (),
        "edges": graph.edges if graph is not None else (),
        "truncated": tree.truncated or (graph is not None and graph.truncated),
    }


class _Tree:
    """The modules of a model with the parameters in and below each."""

    def __init__(self, model: nn.Module) -> None:
        self.parameters: dict[int, nn.Parameter] = {}
        self.names: dict[int, list[str]] = {}
        self._modules = list(named_modules(model))
        self._below: dict[str, set[int]] = {}
        for name, module, _ in self._modules:
            own = set()
            for local_name, parameter in own_parameters(module):
                own.add(id(parameter))
                self.parameters[id(parameter)] = parameter
                full_name = f"{name}.{local_name}" if name else local_name
                self.names.setdefault(id(parameter), []).append(full_name)
            for place in _with_ancestors(name):
                self._below.setdefault(place, set()).update(own)
        self.truncated = len(self._modules) > MAX_MODULES

    def modules(self) -> Iterator[ArchitectureModule]:
        for name, module, leaf in self._modules[:MAX_MODULES]:
            below = [self.parameters[key] for key in self._below[name]]
            own = dict(own_parameters(module))
            yield ArchitectureModule(
                module_name=name,
                module_type=type(module).__name__,
                depth=name.count(".") + 1 if name else 0,
                leaf=leaf,
                own_parameter_count=sum(p.numel() for p in own.values()),
                parameter_count=sum(p.numel() for p in below),
                trainable_parameter_count=sum(p.numel() for p in below if p.requires_grad),
                parameter_shapes={local: list(p.shape) for local, p in own.items()},
                settings=_settings(module),
            )


def _with_ancestors(module_name: str) -> Iterator[str]:
    """Yield the names of a module and of all that it is part of."""
    yield module_name
    while module_name:
        module_name = module_name.rpartition(".")[0]
        yield module_name


def _settings(module: nn.Module) -> str:
    try:
        settings = str(module.extra_repr())
    except Exception:  # anyone's code, and nothing depends on it
        return ""
    fits = len(settings) <= _MAX_SETTINGS
    return settings if fits else settings[: _MAX_SETTINGS - 1] + "…"


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
