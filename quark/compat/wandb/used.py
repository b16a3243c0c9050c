"""What this process has used of W&B's surface that is not quite W&B's: ``wandb.compat_report()``.

Counted are names that differ from W&B's or do nothing here (their states and notes are those of
``docs/compat.md``), names that were refused, and every warning of the shim about something that
it did otherwise. What is as W&B's is not counted, so a plain script reports nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

from quark.compat.wandb.errors import DOCUMENT
from quark.compat.wandb.symbols import SYMBOLS
from quark.compat.wandb.use_counts import COUNTS, count

C = TypeVar("C", bound=type)

#: States of a use, what matters most first, and what each means.
MEANINGS = {
    "refused": "not supported: an error was raised",
    "no-op": "accepted, and nothing comes of it",
    "warned": "done otherwise, with a warning",
    "differs": "works, with a difference",
}


class Use(NamedTuple):
    """One thing that was used, e.g. ``wandb.Run.save``, and how it is not quite W&B's."""

    name: str
    state: str
    note: str
    times: int


class CompatReport(tuple[Use, ...]):
    """What was used, what matters most first. Print it to read it."""

    __slots__ = ()

    def named(self, *states: str) -> tuple[Use, ...]:
        """Return what is of some states."""
        return tuple(use for use in self if use.state in states)

    def summary(self) -> str:
        """Return one line; an empty text if there is nothing to say."""
        words = {
            "refused": "refused",
            "no-op": "without effect",
            "warned": "done otherwise",
            "differs": "works differently",
        }
        found = [(len(self.named(state)), word) for state, word in words.items()]
        said = ", ".join(f"{number} {word}" for number, word in found if number)
        first = self[0].name if self else ""
        return f"{said} (first: {first}); wandb.compat_report() lists all" if said else ""

    def lines(self) -> Iterator[str]:
        """Yield one line for each use."""
        for use in self:
            times = f", {use.times} times" if use.times > 1 else ""
            note = f": {use.note}" if use.note else ""
            yield f"{use.name} ({MEANINGS[use.state]}{times}){note}"

    def __str__(self) -> str:
        if not self:
            return "Everything that was used so far is as in W&B."
        return "\n".join([*self.lines(), f"{DOCUMENT} has the whole list."])

    __repr__ = __str__


def compat_report() -> CompatReport:
    """Return what this process has used so far that is approximated, ignored or refused here.

    >>> import quark.compat.wandb as wandb
    >>> _ = wandb.login()
    >>> "wandb.login" in [use.name for use in wandb.compat_report()]
    True
    """
    states = list(MEANINGS)
    found = sorted(COUNTS.items(), key=lambda item: states.index(item[0][0]))
    return CompatReport(Use(name, state, note, times) for (state, name), (note, times) in found)


def use(part: str, name: str) -> None:
    """Count a use of a symbol, if it is not as W&B's."""
    symbol = SYMBOLS.get((part, name))
    if symbol is not None and symbol.state in ("differs", "no-op"):
        count(symbol.state, shown(part, name), symbol.note)


def shown(part: str, name: str) -> str:
    """Return a symbol as scripts write it.

    >>> shown("module", "login"), shown("init", "force"), shown("Run", "save")
    ('wandb.login', 'wandb.init(force=)', 'Run.save')
    """
    if part == "module":
        return f"wandb.{name}"
    if part == "init":
        return f"wandb.init({name}=)"
    return name if part == "environment" else f"{part}.{name}"


def counting(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``function``, counted by its name whenever it is called, if it is not as W&B's."""
    symbol = SYMBOLS.get((part, function.__name__))
    if symbol is None or symbol.state not in ("differs", "no-op"):
        return function

    @functools.wraps(function)
    def counted(*args: Any, **keywords: Any) -> Any:
        use(part, function.__name__)
        return function(*args, **keywords)

    return counted


def counted_methods(part: str, *, leave: frozenset[str] = frozenset()) -> Callable[[C], C]:
    """Decorate a class so that uses of its methods that are not as W&B's are counted.

    ``leave``: methods that are called too often for that; what differs in them warns.
    """

    def decorate(owner: C) -> C:
        for name, value in list(vars(owner).items()):
            if name not in leave and callable(value) and (part, name) in SYMBOLS:
                setattr(owner, name, counting(part, value))
        return owner

    return decorate
