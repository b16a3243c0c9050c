"""Values that are too long to be sent along wherever a run is shown."""

from __future__ import annotations

from typing import Any

from quark import jsonio

#: What a value may take as JSON.
_MAX_BYTES = 4096
_MAX_TEXT = 2000


def shortened(value: Any) -> Any:
    """Return a plain value, or what it is in a few words if it is long.

    >>> shortened({"lr": 0.1})
    {'lr': 0.1}
    >>> shortened(list(range(5000)))
    {'_shortened': 'a list of 5000 values'}
    """
    if isinstance(value, str):
        return value if len(value) <= _MAX_TEXT else value[:_MAX_TEXT] + "…"
    if isinstance(value, dict) and value.get("_type") == "histogram":
        return {"_type": "histogram", "_shortened": "a histogram"}
    if not isinstance(value, (dict, list, tuple)) or len(jsonio.dumps(value)) <= _MAX_BYTES:
        return value
    if isinstance(value, dict):
        if isinstance(value.get("_type"), str):
            return {"_type": value["_type"][:80], "_shortened": value["_type"][:80]}
        inner = {key: shortened(one) for key, one in value.items()}
        if len(jsonio.dumps(inner)) <= 16 * _MAX_BYTES:
            return inner
        return {"_shortened": f"{len(value)} values"}
    return {"_shortened": f"a list of {len(value)} values"}
