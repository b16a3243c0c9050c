"""Where a version comes from and what became of it, as a picture: runs and versions in columns."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from quark.catalog.lineage import INPUT, OUTPUT, runs_of, versions_of
from quark.catalog.model import RunRef, Version
from quark.dashboard.views.artifact_documents import ReadingOnce
from quark.dashboard.views.artifacts import chosen_version
from quark.dashboard.views.runs_rows import records_of

if TYPE_CHECKING:
    from quark.dashboard.asked import Asked
    from quark.dashboard.place import Place
    from quark.records import RunRecord

_MAX_NODES = 160
_SWEEPS = 6


@dataclass(slots=True)
class _Node:
    name: str
    run: RunRef | None
    version: Version | None
    layer: int = 0
    row: float = 0.0


def lineage(place: Place, asked: Asked) -> dict[str, Any]:
    """Return all that a version was made of, and all that was made of it.

    Parameters: those of a version, or ``run``. Nodes have a ``layer``, from 0 on the left, and a
    ``row``; edges lead from what was there first. ``is_cut``: there is more than 160 nodes.

    Raises:
        ArtifactNotFoundError: There is no such version.
        RunNotFoundError: There is no such run.
    """
    graph = _Graph(place)
    run_id = asked.text("run")
    if run_id is not None:
        run = place.store.records.get_run(run_id)
        here = graph.add_run(RunRef(run.id, run.project_name, run.workspace))
    else:
        here = graph.add_version(chosen_version(place, asked))
    assert here is not None  # the first has room
    graph.follow(here, upstream=True)
    graph.follow(here, upstream=False)
    edges = graph.edges()
    _lay_out(graph.nodes, edges)
    return {
        "here": here,
        "nodes": graph.shown(),
        "edges": [[source, target] for source, target in edges],
        "is_cut": graph.is_cut,
    }


class _Graph:
    def __init__(self, place: Place) -> None:
        self._place = place
        self._store = ReadingOnce(place.store)
        self.nodes: dict[str, _Node] = {}
        self.is_cut = False

    def add_run(self, run: RunRef) -> str | None:
        """Return the name of a run's node; None if there is no room for it."""
        name = f"run:{run.workspace}/{run.project}/{run.run_id}"
        return self._add(_Node(name, run, None))

    def add_version(self, version: Version) -> str | None:
        return self._add(_Node(f"version:{version.document}", None, version))

    def _add(self, node: _Node) -> str | None:
        if node.name not in self.nodes:
            if len(self.nodes) >= _MAX_NODES:
                self.is_cut = True
                return None
            self.nodes[node.name] = node
        return node.name

    def follow(self, start: str, *, upstream: bool) -> None:
        """Add everything before a node, or everything behind it; the nearest first."""
        seen, waiting = {start}, deque([start])
        while waiting:
            for name in self._next(self.nodes[waiting.popleft()], upstream):
                if name not in seen:
                    seen.add(name)
                    waiting.append(name)

    def _next(self, node: _Node, upstream: bool) -> list[str]:
        if node.run is not None:
            versions = versions_of(self._store, node.run, INPUT if upstream else OUTPUT)
            names = [self.add_version(version) for version in versions]
        else:
            assert node.version is not None
            runs = runs_of(self._store, node.version, OUTPUT if upstream else INPUT)
            names = [self.add_run(run) for run in runs]
        return [name for name in names if name is not None]

    def edges(self) -> list[tuple[str, str]]:
        """Return the edges between all nodes, without those that would lead in a circle."""
        found: dict[tuple[str, str], None] = {}
        for node in list(self.nodes.values()):
            if node.run is None:
                continue
            for direction in (INPUT, OUTPUT):
                for version in versions_of(self._store, node.run, direction):
                    other = f"version:{version.document}"
                    if other in self.nodes:
                        edge = (other, node.name) if direction == INPUT else (node.name, other)
                        found[edge] = None
        return _without_circles(list(self.nodes), list(found))

    def shown(self) -> list[dict[str, Any]]:
        """Return what a page draws."""
        runs = {node.run.run_id for node in self.nodes.values() if node.run is not None}
        there = records_of(self._place, runs)
        return [self._node_shown(node, there) for node in self.nodes.values()]

    def _node_shown(self, node: _Node, there: Mapping[str, RunRecord]) -> dict[str, Any]:
        place = {"id": node.name, "layer": node.layer, "row": node.row}
        if node.version is not None:
            one = node.version
            return {
                **place,
                "kind": "version",
                "title": f"{one.source.name}:v{one.source_index}",
                "detail": one.type,
                "workspace": one.source.workspace,
                "project": one.source.project,
                "name": one.source.name,
                "version": f"v{one.source_index}",
                "aliases": list(one.aliases),
            }
        run = node.run
        assert run is not None
        record = there.get(run.run_id)  # deleted since, or not for who looks
        return {
            **place,
            "kind": "run",
            "title": (record and record.name) or run.run_id,
            "detail": (record and record.job_type) or "run",
            "status": record.status if record else "",
            "run_id": run.run_id,
            "is_there": record is not None,
        }


def _without_circles(names: list[str], edges: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Leave out every edge that closes a circle, as a run makes that uses what it logged."""
    targets: dict[str, list[str]] = {name: [] for name in names}
    for source, target in edges:
        targets[source].append(target)
    state: dict[str, int] = {}
    closing: set[tuple[str, str]] = set()
    for start in names:
        if start in state:
            continue
        state[start] = 1
        stack = [(start, iter(targets[start]))]
        while stack:
            name, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                state[name] = 2
                stack.pop()
            elif following not in state:
                state[following] = 1
                stack.append((following, iter(targets[following])))
            elif state[following] == 1:
                closing.add((name, following))
    return [edge for edge in edges if edge not in closing]


def _lay_out(nodes: dict[str, _Node], edges: list[tuple[str, str]]) -> None:
    """Give each node a column behind all that lead to it, and a row near its neighbours."""
    before: dict[str, list[str]] = {name: [] for name in nodes}
    behind: dict[str, list[str]] = {name: [] for name in nodes}
    for source, target in edges:
        before[target].append(source)
        behind[source].append(target)
    left = {name: len(sources) for name, sources in before.items()}
    ready = deque(name for name, count in left.items() if not count)
    while ready:
        name = ready.popleft()
        for target in behind[name]:
            nodes[target].layer = max(nodes[target].layer, nodes[name].layer + 1)
            left[target] -= 1
            if not left[target]:
                ready.append(target)
    for name in sorted(nodes, key=lambda name: -nodes[name].layer):
        if not before[name] and behind[name]:  # next to what it leads to, not at the far left
            nodes[name].layer = min(nodes[target].layer for target in behind[name]) - 1
    layers: dict[int, list[str]] = {}
    for name, node in nodes.items():
        layers.setdefault(node.layer, []).append(name)
    for names in layers.values():
        _settle(nodes, names)
    for sweep in range(_SWEEPS):
        neighbours = behind if sweep % 2 else before
        for layer in sorted(layers, reverse=bool(sweep % 2)):
            names = layers[layer]
            wanted = {
                name: sum(nodes[one].row for one in neighbours[name]) / len(neighbours[name])
                if neighbours[name]
                else nodes[name].row
                for name in names
            }
            names.sort(key=lambda name: wanted[name])
            _settle(nodes, names)


def _settle(nodes: dict[str, _Node], names: list[str]) -> None:
    """Put the nodes of a column one below the other, around the middle."""
    for place, name in enumerate(names):
        nodes[name].row = place - (len(names) - 1) / 2
