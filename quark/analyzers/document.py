"""docs/rules.md, made from the rules: ``python -m quark.analyzers.document > docs/rules.md``."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from typing import Any

from quark.analyzers.health import CATEGORIES
from quark.analyzers.rule import Rule
from quark.analyzers.rules import BY_ID, RULES
from quark.analyzers.thresholds import _GROUPS, AnalyzerThresholds

_HEAD = """# Rules

What Quark looks for in a run. Every rule is one file below `quark/analyzers/rules/` and one pure
function; each says what was observed (*fact*), what that probably means (*inference*), the evidence
with observed and threshold values and steps, and what to try. This page is made from the rules:
`python -m quark.analyzers.document > docs/rules.md`.

An alert is one cause: findings that another one explains are listed under it, as *consequences*.
Severities are `info` (worth knowing, no alarm), `warning`, `error` and `critical`. Thresholds are
fields of `AnalyzerThresholds`: the SDK guide's are its own fields, the others are in a group for
each family, such as `AnalyzerThresholds(loss=LossLimits(...))`. How often the rules are right is
measured in [benchmarks/faults/RESULTS.md](../benchmarks/faults/RESULTS.md).
"""


def document() -> str:
    """Return the page."""
    parts = [_HEAD]
    for category in CATEGORIES:
        parts.append(f"\n## {category.capitalize()}\n")
        parts.append("| rule | what it sees |\n|---|---|")
        rules = [rule for rule in RULES if rule.category == category]
        parts += [f"| [`{rule.rule_id}`](#{rule.rule_id}) | {_first(rule)} |" for rule in rules]
    parts.append("\n## Each rule\n")
    parts += [part for rule in RULES for part in _details(rule)]
    parts.append("## Thresholds\n")
    parts += list(_thresholds())
    return "\n".join(parts).rstrip() + "\n"


def _docstring(rule: Rule) -> list[str]:
    module = import_module(f"quark.analyzers.rules.{rule.rule_id}")
    return inspect.cleandoc(module.__doc__ or "").split("\n\n")


def _first(rule: Rule) -> str:
    said = _plain(_docstring(rule)[0]).partition(": ")[2] or _plain(_docstring(rule)[0])
    return (said[:1].upper() + said[1:]).replace("|", "\\|")


def _details(rule: Rule) -> Iterator[str]:
    yield f"### {rule.rule_id}\n"
    yield f"{rule.title}, {rule.category}.\n"
    for paragraph in _docstring(rule):
        yield _plain(paragraph) + "\n"
    if rule.advice:
        yield "What to try:\n"
        yield "\n".join(f"- {text}" for text in rule.advice) + "\n"
    explained = [f"[`{name}`](#{name})" for name in rule.explains if name in BY_ID]
    if explained:
        yield f"Explains: {', '.join(explained)}.\n"


def _thresholds() -> Iterator[str]:
    yield "| field of `AnalyzerThresholds` | default |\n|---|---|"
    defaults = AnalyzerThresholds()
    for item in fields(defaults):
        if item.name not in _GROUPS:
            yield f"| `{item.name}` | {_number(getattr(defaults, item.name))} |"
    for group in _GROUPS:
        limits = getattr(defaults, group)
        for item in fields(limits):
            yield f"| `{group}.{item.name}` | {_number(getattr(limits, item.name))} |"


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _plain(paragraph: str) -> str:
    """Join the lines of a paragraph and turn reST's code and roles into Markdown's."""
    if re.search(r"^\s*[*-] ", paragraph, re.M):
        return re.sub(r"``(.+?)``", r"`\1`", paragraph)
    text = " ".join(paragraph.split())
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text)
    return re.sub(r"``(.+?)``", r"`\1`", text)


if __name__ == "__main__":
    sys.stdout.write(document())
