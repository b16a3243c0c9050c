"""Whether more or less of a metric is better, as far as somebody or its name says so."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from quark.analyzers.role_names import read_name

if TYPE_CHECKING:
    from quark.records import MetricDefinitionRecord

#: By family of names (see :func:`quark.analyzers.role_names.read_name`).
_OF_FAMILY = {
    "loss": "at_most",
    "accuracy": "at_least",
    "score": "at_least",
    "throughput": "at_least",
    "step_time_ms": "at_most",
    "data_time_ms": "at_most",
    "compute_time_ms": "at_most",
}
#: By a word of the last part of a name, for what plays no role.
_OF_WORD = {
    **dict.fromkeys(("perplexity", "ppl", "error", "wer", "cer", "fid"), "at_most"),
    **dict.fromkeys(("reward", "return", "rew"), "at_least"),
}
_WORD = re.compile(r"[a-z]+")
_OF_GOAL = {"minimize": "at_most", "maximize": "at_least"}
_OF_SUMMARY = {"min": "at_most", "max": "at_least"}


def metric_directions(
    keys: Sequence[str], definitions: Iterable[MetricDefinitionRecord] = ()
) -> dict[str, str]:
    """Return ``at_least`` for metrics of which more is better, ``at_most`` where less is.

    Metrics of which nobody knows are left out; so are the losses of reinforcement learning and of
    adversaries, which mean nothing by themselves.

    Args:
        keys: The metrics.
        definitions: What ``define_metric`` was told: a goal, or that the summary is the least or
            the most. It goes before names, a later one before an earlier one, and a definition of
            one metric before one of many (``val/*``).

    >>> metric_directions(["train/loss", "val/acc", "lr", "val/perplexity"])
    {'train/loss': 'at_most', 'val/acc': 'at_least', 'val/perplexity': 'at_most'}
    """
    families = {key: reading.family for key in keys if (reading := read_name(key)) is not None}
    found = set(families.values())
    is_unruly = "reinforcement" in found or {"discriminator", "generator"} <= found
    exact: dict[str, str] = {}
    globs: dict[str, str] = {}
    for one in definitions:
        direction = _told(one)
        if direction is not None:
            (globs if one.name.endswith("*") else exact)[one.name] = direction
    directions = {}
    for key in dict.fromkeys(keys):
        fitting = [told for glob, told in globs.items() if key.startswith(glob[:-1])]
        named = _OF_FAMILY.get(families.get(key, "")) or _of_words(key)
        if is_unruly and families.get(key) == "loss":
            named = None
        direction = exact.get(key) or (fitting[-1] if fitting else named)
        if direction is not None:
            directions[key] = direction
    return directions


def _of_words(key: str) -> str | None:
    words = _WORD.findall(key.rpartition("/")[2].lower())
    return next((_OF_WORD[word] for word in words if word in _OF_WORD), None)


def _told(definition: MetricDefinitionRecord) -> str | None:
    if definition.goal is not None:
        return _OF_GOAL.get(definition.goal)
    told = {_OF_SUMMARY[word] for word in definition.summary if word in _OF_SUMMARY}
    return told.pop() if len(told) == 1 else None
