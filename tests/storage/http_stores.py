"""Stores behind one real service that is started when the first of them is asked for."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from quark.persistence.http_store import HttpStore
from tests.support.service import RunningService, running_service, service_config
from tests.support.threads import lasting_threads

_stack = contextlib.ExitStack()
_services: dict[str, RunningService] = {}


def store_over_http(**engines: object) -> HttpStore:
    """Return an empty store behind a service on ``engines``, fields of its configuration."""
    name = repr(sorted(engines.items()))
    if name not in _services:
        root = Path(_stack.enter_context(tempfile.TemporaryDirectory(prefix="quark-service-")))
        config = service_config(root, **engines)
        with lasting_threads():
            _services[name] = _stack.enter_context(running_service(config))
    return _services[name].store()


def stop_services() -> None:
    """Stop what was started; called when the tests are over."""
    _services.clear()
    _stack.close()
