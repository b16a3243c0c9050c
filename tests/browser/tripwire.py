"""What no page may do, whatever it shows: watched while a test runs, and judged when it ends.

A page trips it by an error, by a violation of the Content-Security-Policy, by asking anything of
another host, by a dialog, by a window of its own, and by touching ``window.__tripped``: that is
what every text of the injection corpus would do if it were ever run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Page, Request

_BINDING = "__quarkTripwire"
#: Runs before any script of a page. Frames inside of it are somebody else's: HTML that users logged
#: may do there what it likes, as long as it reaches nothing of ours.
_SCRIPT = """
(() => {
  if (window !== window.top) return;
  const say = (kind, text) => window.BINDING({ kind, text: String(text) });
  const trip = (text) => say("ran", text);
  Object.defineProperty(window, "__tripped", { get: () => trip, set: trip });
  addEventListener("securitypolicyviolation", (event) => {
    const { violatedDirective, blockedURI, sample, sourceFile, lineNumber } = event;
    say("policy", `${violatedDirective}: ${blockedURI} ${sample} ${sourceFile}:${lineNumber}`);
  }, true);
})();
""".replace("BINDING", _BINDING)


class Fault(NamedTuple):
    """Something that a page did and should not have: ``kind`` is one word, ``text`` says what."""

    kind: str
    text: str


class Tripwire:
    """Watches the pages of one test.

    ``faults`` is what has happened so far; :meth:`check` fails for all that was not allowed.
    """

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._allowed: list[re.Pattern[str]] = []
        self._addresses: set[str] = set()
        self._elsewhere: list[Request] = []
        self._contexts: list[BrowserContext] = []

    def allow(self, pattern: str) -> None:
        """Let faults pass whose ``"kind: text"`` holds ``pattern``, such as an error that a test
        is about."""
        self._allowed.append(re.compile(pattern))

    def serve(self, address: str) -> None:
        """Let pages ask things of an address."""
        self._addresses.add(address)

    def watch(self, context: BrowserContext) -> None:
        """Watch everything that a window's pages do."""
        self._contexts.append(context)
        context.expose_binding(_BINDING, self._said)
        context.add_init_script(_SCRIPT)
        context.on("request", self._asked)
        context.on("console", self._printed)
        context.on("weberror", lambda error: self._fault("error", str(error.error)))
        context.on("dialog", self._dialog)
        context.on("page", self._opened)

    def left(self) -> list[Fault]:
        """Return the faults that nothing allows."""
        for context in self._contexts:
            for page in context.pages:
                page.evaluate("0")  # what the browser has sent is heard before its answer
        return [
            fault
            for fault in (*self.faults, *self._left_the_house())
            if not any(one.search(f"{fault.kind}: {fault.text}") for one in self._allowed)
        ]

    def check(self) -> None:
        """Fail for every fault that nothing allows."""
        left = self.left()
        assert not left, "A page did what no page may do:\n" + "\n".join(
            f"  {fault.kind}: {fault.text[:600]}" for fault in left
        )

    def _fault(self, kind: str, text: str) -> None:
        self.faults.append(Fault(kind, text))

    def _said(self, source: Any, said: dict[str, str]) -> None:
        self._fault(said["kind"], f"{said['text']} at {source['page'].url}")

    def _asked(self, request: Request) -> None:
        place = urlsplit(request.url)
        address = f"{place.scheme}://{place.netloc}"
        if place.scheme not in ("data", "blob", "about") and address not in self._addresses:
            self._elsewhere.append(request)

    def _left_the_house(self) -> Iterator[Fault]:
        """Requests to elsewhere that the policy did not stop before they were sent. Where that
        was the policy of a page of ours, the page has said so itself."""
        for request in self._elsewhere:
            if request.failure != "csp":
                yield Fault("elsewhere", f"{request.url}: {request.failure}")

    def _printed(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "assert"):
            self._fault("console", f"{message.text} at {message.location.get('url')}")

    def _dialog(self, dialog: Dialog) -> None:
        self._fault("dialog", dialog.message)
        dialog.dismiss()

    def _opened(self, page: Page) -> None:
        if page.opener():
            self._fault("window", page.url)
