"""What ``autolog`` of an integration is: a library's calls are logged as they are made.

The call itself is not changed: what it returns and raises is the library's. What goes wrong while
it is described costs the description and nothing else.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from quark.clock import SYSTEM_CLOCK
from quark.compat import wandb
from quark.compat.wandb import term
from quark.compat.wandb.integration.requirement import library

Init = Mapping[str, Any] | None


class Call(NamedTuple):
    """One call of the library, after it has returned."""

    args: tuple[Any, ...]
    keywords: Mapping[str, Any]
    returned: Any
    started_us: int
    seconds: float


class Autolog:
    """Logs calls of one method of a library. Call it to begin, with what ``init`` takes.

    Args:
        integration: What this is called below ``wandb.integration``.
        module: Where the class is.
        owner: The class.
        method: Its method.
        describe: Says what is logged of a call; None for nothing.
    """

    def __init__(
        self,
        integration: str,
        module: str,
        owner: str,
        method: str,
        describe: Callable[[Call], Mapping[str, Any] | None],
    ) -> None:
        self._integration = integration
        self._module = module
        self._owner = owner
        self._method = method
        self._describe = describe
        self._original: Callable[..., Any] | None = None
        self._opened: Any = None

    def __call__(self, init: Init = None) -> None:
        """Begin to log; as :meth:`enable`."""
        self.enable(init)

    def enable(self, init: Init = None) -> None:
        """Begin to log. Where no run is open, one is opened with ``init``, its arguments.

        Raises:
            MissingLibraryError: The library is not installed.
        """
        if self._original is not None:
            return
        owner = self._class()
        if wandb.run is None:
            self._opened = wandb.init(**(init or {}))
        self._original = original = getattr(owner, self._method)

        @functools.wraps(original)
        def logged(*args: Any, **keywords: Any) -> Any:
            started_us, begun = SYSTEM_CLOCK.time_us(), SYSTEM_CLOCK.monotonic()
            returned = original(*args, **keywords)
            seconds = SYSTEM_CLOCK.monotonic() - begun
            self._log(Call(args, keywords, returned, started_us, seconds))
            return returned

        setattr(owner, self._method, logged)

    def disable(self) -> None:
        """Log no longer, and finish the run that :meth:`enable` opened."""
        if self._original is not None:
            setattr(self._class(), self._method, self._original)
            self._original = None
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.finish()

    def _class(self) -> Any:
        return getattr(library(self._module, integration=self._integration), self._owner)

    def _log(self, call: Call) -> None:
        run = wandb.run
        if run is None:
            return
        try:
            row = self._describe(call)
            if row:
                run.log(dict(row))
        except Exception as error:  # a hook: the library's call has succeeded
            term.warn_once(
                f"autolog {self._integration}",
                f"a call of {self._module} could not be logged: {type(error).__name__}: {error}",
            )
