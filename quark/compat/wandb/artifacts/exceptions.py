"""What artifacts raise. The names and the families are W&B's, so that ``except`` clauses work."""

from __future__ import annotations

from typing import Any

from quark.compat.wandb.errors import CommError, Error
from quark.errors import QuarkError


class ArtifactStatusError(QuarkError, AttributeError):
    """The artifact is not in a state for what was asked of it."""


class ArtifactNotLoggedError(ArtifactStatusError):
    """Only an artifact that was logged has this."""

    def __init__(self, fullname: str, obj: Any = None) -> None:
        super().__init__(
            f"{fullname} is there once the artifact was logged: call run.log_artifact(artifact), "
            "and artifact.wait() to wait until it is stored."
        )
        self.name, self.obj = fullname.rpartition(".")[2], obj


class ArtifactFinalizedError(ArtifactStatusError):
    """An artifact that was logged does not change any more."""

    def __init__(self, fullname: str, obj: Any = None) -> None:
        super().__init__(
            f"{fullname} changes the content of an artifact, and this one was logged. Make a new "
            "version: artifact.new_draft() has its content and can be changed and logged."
        )
        self.name, self.obj = fullname.rpartition(".")[2], obj


class WaitTimeoutError(Error):
    """The artifact was not stored in the time that ``wait`` was given."""


class TooFewItemsError(QuarkError, ValueError):
    """Never raised here; for ``except`` clauses that name it."""


class TooManyItemsError(QuarkError, ValueError):
    """Never raised here; for ``except`` clauses that name it."""


class ArtifactLookupError(CommError, ValueError):
    """There is no such artifact, or it is of another type."""
