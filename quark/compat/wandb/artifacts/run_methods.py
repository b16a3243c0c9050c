"""What a run does with artifacts. Everything that takes time is loaded when it is first used."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from quark.compat.wandb.run_identity import RunIdentity
from quark.compat.wandb.used import counted_methods

if TYPE_CHECKING:
    from quark.compat.wandb.artifacts.artifact import Artifact
    from quark.compat.wandb.logged_media import Storable, Take, Way

_StrPath = str | os.PathLike[str]

#: Where tables are: a run that has not loaded this has logged none.
_TABLE = "quark.compat.wandb.data_types.table"


@counted_methods("Run")
class RunArtifacts(RunIdentity):
    """Logs, uses and links artifacts."""

    __slots__ = ()

    def log_artifact(
        self,
        artifact_or_path: Artifact | _StrPath,
        name: str | None = None,
        type: str | None = None,
        aliases: Sequence[str] | str | None = None,
        tags: Sequence[str] | str | None = None,
    ) -> Artifact:
        """Log an artifact, or what lies at a path, as an output of the run; return the artifact.

        It is stored in the background: ``artifact.wait()`` waits for it, and so does ``finish``.

        Args:
            name: Of a path; by default ``run-<id>-<file>``.
            type: Of a path.
            aliases: Words that lead to this version from now on, besides ``latest``.
            tags: Words for it.

        Raises:
            TypeError: It is no artifact and no path.
            ValueError: There is nothing at the path, its name has another type, or an alias or a
                tag breaks a rule.
            UsageError: The run is finished.
        """
        logged: Artifact = self._artifacts(
            "log_artifact", artifact_or_path, name, type, aliases, tags
        )
        return logged

    def upsert_artifact(
        self,
        artifact_or_path: Artifact | _StrPath,
        name: str | None = None,
        type: str | None = None,
        aliases: Sequence[str] | str | None = None,
        distributed_id: str | None = None,
    ) -> Artifact:
        """Add to an artifact that several processes build and :meth:`finish_artifact` finishes.

        Raises:
            TypeError: The run has no group, and there is no ``distributed_id``.
        """
        logged: Artifact = self._artifacts(
            "upsert_artifact", artifact_or_path, name, type, aliases, distributed_id
        )
        return logged

    def finish_artifact(
        self,
        artifact_or_path: Artifact | _StrPath,
        name: str | None = None,
        type: str | None = None,
        aliases: Sequence[str] | str | None = None,
        distributed_id: str | None = None,
    ) -> Artifact:
        """Make a version of what was given to :meth:`upsert_artifact`, and of this.

        Raises:
            TypeError: The run has no group, and there is no ``distributed_id``.
        """
        logged: Artifact = self._artifacts(
            "finish_artifact", artifact_or_path, name, type, aliases, distributed_id
        )
        return logged

    def use_artifact(
        self,
        artifact_or_name: Artifact | str,
        type: str | None = None,
        aliases: Sequence[str] | str | None = None,
        use_as: str | None = None,
    ) -> Artifact:
        """Note an artifact as an input of the run and return it.

        Args:
            artifact_or_name: ``name:alias`` or ``name:v3``, with ``project/`` or
                ``entity/project/`` before it where it is of another one; or the artifact, which is
                logged first if it was not.
            type: What its type has to be.
            aliases: Of an artifact that is logged by this.
            use_as: Accepted; W&B has given it up.

        Raises:
            CommError: There is no such artifact.
            ValueError: It is of another type, or none.
        """
        logged: Artifact = self._artifacts("use_artifact", artifact_or_name, type, aliases, use_as)
        return logged

    def link_artifact(
        self, artifact: Artifact, target_path: str, aliases: Sequence[str] | None = None
    ) -> Artifact:
        """Let an artifact be found in another collection too; log it first if need be."""
        logged: Artifact = self._artifacts("link_artifact", artifact, target_path, aliases)
        return logged

    def log_model(
        self,
        path: _StrPath,
        name: str | None = None,
        aliases: Sequence[str] | str | None = None,
    ) -> None:
        """Log what lies at a path as an artifact of type ``model``.

        Raises:
            ValueError: There is nothing at the path, or ``name`` is no name.
        """
        self._artifacts("log_artifact", path, name, "model", aliases, None)

    def use_model(self, name: str) -> str:
        """Note a model as an input of the run, download it, and return where it is.

        Raises:
            AssertionError: Its type does not say ``model``.
            CommError: There is no such artifact.
        """
        found: str = self._artifacts("use_model", name)
        return found

    def link_model(
        self,
        path: _StrPath,
        registered_model_name: str,
        name: str | None = None,
        aliases: Sequence[str] | None = None,
    ) -> Artifact:
        """Log what lies at a path as a model, and link it to a registered model.

        Raises:
            AssertionError: ``registered_model_name`` is a path, or ``name`` is no model.
        """
        logged: Artifact = self._artifacts("link_model", path, registered_model_name, name, aliases)
        return logged

    def _keep_media(
        self, row: int, media: Mapping[Way, Storable], take: Take, step: int | str
    ) -> None:
        super()._keep_media(row, media, take, step)
        if not self.disabled and _TABLE in sys.modules:
            from quark.compat.wandb.artifacts import logging

            logging.log_tables(self, media, row)

    def _artifacts(self, call: str, *arguments: Any) -> Any:
        self._check_open(call)
        if self.disabled:
            from quark.compat.wandb.artifacts.nothing import Nothing

            return Nothing() if call == "log_artifact" else None
        from quark.compat.wandb.artifacts import logging

        return getattr(logging, call)(self, *arguments)
