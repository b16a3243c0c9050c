"""Every rule: a file here, a line in :data:`RULES`, a row in docs/rules.md.

Where two rules explain each other, the one that comes first is the cause.
"""

from __future__ import annotations

from quark.analyzers.rule import Rule

RULES: tuple[Rule, ...] = ()

BY_ID = {rule.rule_id: rule for rule in RULES}
