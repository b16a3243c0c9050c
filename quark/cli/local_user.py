"""Who changes a service from its own machine: the user of that machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quark.service.identity.model import Actor


def local_actor() -> Actor:
    """Return whom the audit log is to name."""
    from quark.service.identity.model import Actor

    return Actor(user=f"local:{machine_user()}")


def machine_user() -> str:
    """Return the name of this machine's user."""
    import os
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
