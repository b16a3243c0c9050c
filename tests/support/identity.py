"""Keys for tests of a service."""

from __future__ import annotations

from fastapi import FastAPI

from quark.service.identity.bootstrap import bootstrap
from quark.service.identity.model import Actor
from quark.service.state import ServiceState

ROOT = Actor(user="root")
WORKSPACE = "local"


def first_key(app: FastAPI) -> str:
    """Return a new key of the administrator of an application's service."""
    state: ServiceState = app.state.service
    issued = bootstrap(
        state.identity, workspace=WORKSPACE, user="admin", by=ROOT, force_new_key=True
    )
    return issued.text
