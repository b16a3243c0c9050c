"""Every public symbol of W&B 0.31 and what it is here. ``docs/compat.md`` is made from this.

``works``: as W&B's. ``differs``: works, with the difference that the note states. ``no-op``:
accepted, and nothing comes of it. ``not supported``: known, and the note says why not; touching it
raises :class:`~quark.compat.wandb.errors.UnsupportedSymbolError`, which is an ``AttributeError``.
"""

from __future__ import annotations

from typing import NamedTuple

from quark.compat.wandb import class_names, variable_names
from quark.compat.wandb.errors import UnsupportedSymbolError, unsupported
from quark.compat.wandb.symbol_names import NO_OP, NOTES, WORKS

STATES = ("works", "differs", "no-op", "not supported")
PARTS = (
    *("module", "init", "Run", "Config", "Summary", "Settings", "data types", "plot", "Artifact"),
    *("Api", "Api run", "Api objects", "apis.public", "environment", "commands"),
)


class Symbol(NamedTuple):
    """One name, where it belongs, its state, and what there is to say about it."""

    part: str
    name: str
    state: str
    note: str = ""


def _table() -> dict[tuple[str, str], Symbol]:
    found: dict[tuple[str, str], Symbol] = {}
    notes = NOTES | class_names.NOTES
    for state, names_of in (("works", WORKS | class_names.WORKS), ("no-op", NO_OP)):
        for part, text in names_of.items():
            for name in text.split():
                note = notes.get((part, name), "")
                shown = "differs" if note and state == "works" else state
                found[part, name] = Symbol(part, name, shown, note)
    for part, reasons in class_names.NOT_SUPPORTED.items():
        for reason, text in reasons.items():
            for name in text.split():
                found[part, name] = Symbol(part, name, "not supported", reason)
    return found | _variables()


def _variables() -> dict[tuple[str, str], Symbol]:
    part, states = "environment", ("works", "no-op")
    texts = (variable_names.WORKS, variable_names.NO_OP)
    found = {}
    for state, text in zip(states, texts, strict=True):
        for name in text.split():
            note = variable_names.NOTES.get(name, "")
            shown = "differs" if note and state == "works" else state
            found[part, f"WANDB_{name}"] = Symbol(part, f"WANDB_{name}", shown, note)
    return found


SYMBOLS = _table()


def names(part: str, *states: str) -> frozenset[str]:
    """Return the names of a part, of some states or of all."""
    wanted = states or STATES
    return frozenset(
        symbol.name for symbol in SYMBOLS.values() if symbol.part == part and symbol.state in wanted
    )


def refuse_attribute(part: str, name: str) -> AttributeError | UnsupportedSymbolError:
    """Return what to raise for a name that an object of W&B's kind ``part`` does not have."""
    shown = "wandb" if part == "module" else part
    if (part, name) in SYMBOLS:
        return unsupported(f"{shown}.{name}", SYMBOLS[part, name].note)
    owner = "module 'quark.compat.wandb'" if part == "module" else f"{part!r} object"
    return AttributeError(f"{owner} has no attribute {name!r}")
