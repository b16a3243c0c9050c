"""What holds for all rules: one file each, documented, known to each other, silent on nothing."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

from quark.analyzers.document import document
from quark.analyzers.evidence import RunEvidence
from quark.analyzers.health import CATEGORIES
from quark.analyzers.rule import Rule
from quark.analyzers.rules import BY_ID, RULES
from quark.analyzers.thresholds import AnalyzerThresholds

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "quark" / "analyzers" / "rules"
#: The SDK guide's, with the categories it puts them in.
GUIDE = {
    "exploding_gradients": "optimization",
    "vanishing_gradients": "optimization",
    "stagnant_layers": "optimization",
    "activation_collapse": "representation",
    "overfitting_onset": "generalization",
    "runtime_bottleneck_risk": "runtime",
}
every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.rule_id)


def test_each_file_is_a_rule_and_each_rule_a_file() -> None:
    files = {path.stem for path in FILES.glob("*.py")} - {"__init__"}

    assert files == set(BY_ID)
    assert len(RULES) == len(BY_ID)
    assert {name: BY_ID[name].category for name in GUIDE} == GUIDE


@every_rule
def test_a_rule_says_what_it_is_and_where_its_idea_comes_from(rule: Rule) -> None:
    module = import_module(f"quark.analyzers.rules.{rule.rule_id}")
    text = inspect.cleandoc(module.__doc__ or "")

    assert rule.check.__name__ == rule.rule_id
    source = text.partition("Source:")[2]
    assert re.search(r"\d|\bours\b", source), "where do the idea and the numbers come from?"
    assert rule.category in CATEGORIES
    assert rule.title
    assert 2 <= len(rule.advice) <= 5
    assert all(advice[0].isupper() and advice[-1] in ".)" for advice in rule.advice)


@every_rule
def test_what_a_rule_explains_is_there_and_not_itself(rule: Rule) -> None:
    assert [name for name in rule.explains if name not in BY_ID] == []
    assert rule.rule_id not in rule.explains
    assert len(set(rule.explains)) == len(rule.explains)


@every_rule
def test_a_rule_is_silent_where_nothing_is_known(rule: Rule) -> None:
    assert list(rule.check(RunEvidence(), AnalyzerThresholds())) == []


def test_the_document_is_made_from_the_rules_as_they_are() -> None:
    text = (ROOT / "docs" / "rules.md").read_text()

    assert text == document(), "python -m quark.analyzers.document > docs/rules.md"
