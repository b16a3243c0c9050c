"""Every error that Quark raises on purpose.

The tree::

    QuarkError
    ├── SessionStoreError            the store could not answer, or refused
    │   ├── RunNotFoundError         no such run
    │   ├── ArtifactNotFoundError    no such artifact, or no such version of it
    │   ├── DocumentConflictError    somebody else changed a document first (read it and try again)
    │   ├── AuthenticationError      the service does not accept this user key
    │   ├── PermissionDeniedError    the key is good, but may not do this
    │   ├── IdentityNotFoundError    no such workspace, user, member or key
    │   └── RecordRejectedError      the store will never accept this batch (not worth a retry)
    ├── InvalidRunStateError         a lifecycle transition that is not allowed
    ├── SchemaValidationError        a value breaks a documented rule (also a ValueError)
    ├── SchemaMigrationError         a store cannot be brought to the current schema
    ├── SettingsError                a setting has a value that is not allowed (also a ValueError)
    ├── WriterClosedError            a writer or session was used after it was closed
    ├── TrainingStoppedError         an alert ended the training, as was asked for
    ├── DamagedFileError             bytes at rest do not match their checksum or format
    └── MissingDependencyError       an optional package is needed (also an ImportError)

A message names the value, the rule it broke and the way out.
"""


class QuarkError(Exception):
    """The root of all errors raised by Quark."""


class SessionStoreError(QuarkError):
    """The store could not be reached, could not answer in time, or refused.

    ``retry_after_seconds``: when the store asks to be tried again, if it said so.
    """

    retry_after_seconds: float | None = None


class RunNotFoundError(SessionStoreError):
    """The store has no run with this id."""


class ArtifactNotFoundError(SessionStoreError):
    """The store has no such collection of artifacts, or no such version in it."""


class DocumentConflictError(SessionStoreError):
    """A document is not at the revision that was expected: somebody else has changed it."""


class AuthenticationError(SessionStoreError):
    """The service was given no user key, or one that it does not accept (any more)."""


class PermissionDeniedError(SessionStoreError):
    """The user key is good, but neither it nor its user's role allow what was asked for."""


class IdentityNotFoundError(SessionStoreError):
    """The service has no such workspace, user, member or user key."""


class RecordRejectedError(SessionStoreError):
    """The store refused a batch for good: sending it again would not help."""


class InvalidRunStateError(QuarkError):
    """The run's status does not allow what was asked for."""


class SchemaValidationError(QuarkError, ValueError):
    """A record or a value does not match the current schema."""


class SchemaMigrationError(QuarkError):
    """A store cannot be migrated safely to the current schema."""


class SettingsError(QuarkError, ValueError):
    """A setting has a value that is not allowed."""


class WriterClosedError(QuarkError):
    """A writer or session was used after it had been closed."""


class TrainingStoppedError(QuarkError):
    """An alert, a gradient that is not finite or a person ended the training, as was asked for.

    ``end_reason`` is what the run's record says of its end. With ``interrupts`` the run counts as
    interrupted, as after Ctrl-C, and not as failed.
    """

    def __init__(
        self, message: str, *, end_reason: str | None = None, interrupts: bool = False
    ) -> None:
        super().__init__(message)
        self.end_reason = end_reason
        self.interrupts = interrupts


class DamagedFileError(QuarkError):
    """Bytes at rest do not match their checksum or their documented format."""


class MissingDependencyError(QuarkError, ImportError):
    """An optional package is needed for what was asked; the message has the pip line."""
