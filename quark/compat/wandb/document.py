"""Makes ``docs/compat.md``: ``python -m quark.compat.wandb.document > docs/compat.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from quark.compat.wandb.differences import DIFFERENCES
from quark.compat.wandb.symbols import PARTS, STATES, SYMBOLS, Symbol

_INTRODUCTION = """\
# What `quark.compat.wandb` does of W&B 0.31

```python
import quark.compat.wandb as wandb
```

How to use it is in [wandb.md](wandb.md). This file is made from `quark/compat/wandb/symbols.py` and
`differences/`; a test compares it with them and with the installed `wandb`. Make it anew with
`python -m quark.compat.wandb.document > docs/compat.md`.

Touching a name that is known and not supported raises `UnsupportedSymbolError`, which is a
`NotImplementedError` and an `AttributeError`, so `hasattr` and `getattr` with a default work. An
unknown name is a plain `AttributeError`.
"""

_MEANINGS = {
    "works": "As W&B's.",
    "differs": "Works, with the difference that is noted.",
    "no-op": "Accepted; nothing comes of it.",
    "not supported": "Known; the note says why not.",
}
_PREFACES = {
    "environment": "Any setting can be given as `WANDB_<NAME>` too. They are read once, at the "
    "first `init`, `setup` or `login`, and again after `teardown`.\n",
}
_TITLES = {
    "module": "The module",
    "init": "Parameters of `init`",
    "Api run": "Runs that `Api` gives",
    "environment": "Environment variables",
    "data types": "Data types, their members, and those that all of them have",
    "apis.public": "`wandb.apis.public`",
    "plot": "`wandb.plot`",
    "Api objects": "Other objects that `Api` gives",
    "commands": "Commands of the command line `wandb`",
}


def compat_document() -> str:
    """Return the text of ``docs/compat.md``."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _INTRODUCTION
    yield "| state | meaning | names |"
    yield "| --- | --- | --: |"
    for state in STATES:
        count = sum(symbol.state == state for symbol in SYMBOLS.values())
        yield f"| {state} | {_MEANINGS[state]} | {count} |"
    yield "\n| part | names | work | no-op | not supported |"
    yield "| --- | --: | --: | --: | --: |"
    for part in PARTS:
        yield _counts(part)
    yield "\n## Differences in behaviour\n"
    yield "| what | W&B 0.31 | here | why |"
    yield "| --- | --- | --- | --- |"
    for difference in DIFFERENCES:
        yield "| " + " | ".join(difference[:4]) + " |"
    for part in PARTS:
        yield from _part(part)


def _counts(part: str) -> str:
    """Return how many names of a part work, as a row of a table."""
    states = [symbol.state for symbol in SYMBOLS.values() if symbol.part == part]
    works = sum(state in ("works", "differs") for state in states)
    shown = [len(states), f"{works} ({works / len(states):.0%})"]
    shown += [states.count("no-op"), states.count("not supported")]
    return f"| {_TITLES.get(part, f'`{part}`')} | {' | '.join(map(str, shown))} |"


def _part(part: str) -> Iterator[str]:
    yield f"\n## {_TITLES.get(part, f'`{part}`')}\n"
    if part in _PREFACES:
        yield _PREFACES[part]
    symbols = [symbol for symbol in SYMBOLS.values() if symbol.part == part]
    for state in STATES:
        found = sorted((s for s in symbols if s.state == state), key=lambda s: s.name.lower())
        if not found:
            continue
        yield f"**{state}**\n"
        yield from _noted([symbol for symbol in found if symbol.note])
        bare = ", ".join(f"`{symbol.name}`" for symbol in found if not symbol.note)
        if bare:
            yield f"{bare}\n"


def _noted(symbols: list[Symbol]) -> Iterator[str]:
    """Yield a line for each note, with all the names that have it."""
    by_note: dict[str, list[str]] = {}
    for symbol in symbols:
        by_note.setdefault(symbol.note, []).append(f"`{symbol.name}`")
    for note, names in by_note.items():
        yield f"- {', '.join(names)}: {note}"
    if symbols:
        yield ""


if __name__ == "__main__":
    sys.stdout.write(compat_document())
