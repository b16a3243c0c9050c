"""How a run logs, uses and links artifacts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from quark.catalog import lineage
from quark.catalog.editing import change_aliases, change_version
from quark.catalog.model import LATEST, CollectionKey, RunRef
from quark.catalog.reading import find_collection
from quark.compat.wandb import term
from quark.compat.wandb.artifacts.artifact import Artifact
from quark.compat.wandb.artifacts.finding import artifact_by_name
from quark.compat.wandb.artifacts.place import Place
from quark.compat.wandb.artifacts.rules import (
    ArtifactPath,
    check_aliases,
    check_tags,
    safe_name,
    usable_aliases,
)
from quark.compat.wandb.artifacts.saving import Saving, rest_again, tell
from quark.compat.wandb.errors import CommError
from quark.errors import SessionStoreError
from quark.session.places import is_remote

if TYPE_CHECKING:
    from quark.compat.wandb.run import Run
    from quark.compat.wandb.run_identity import RunIdentity
    from quark.session.handle import RunHandle

_Aliases = Sequence[str] | str | None

#: Where W&B keeps registered models.
MODEL_REGISTRY = "model-registry"


def log_artifact(
    run: Run, given: Any, name: str | None, type: str | None, aliases: _Aliases, tags: _Aliases
) -> Artifact:
    return _log(run, given, name, type, aliases, tags)


def upsert_artifact(
    run: Run,
    given: Any,
    name: str | None,
    type: str | None,
    aliases: _Aliases,
    distributed_id: str | None,
) -> Artifact:
    shared = _shared_id(run, "upsert", distributed_id)
    return _log(run, given, name, type, aliases, None, distributed_id=shared, finished=False)


def finish_artifact(
    run: Run,
    given: Any,
    name: str | None,
    type: str | None,
    aliases: _Aliases,
    distributed_id: str | None,
) -> Artifact:
    shared = _shared_id(run, "finish", distributed_id)
    return _log(run, given, name, type, aliases, None, distributed_id=shared)


def use_artifact(
    run: Run, given: Any, type: str | None, aliases: _Aliases, use_as: str | None
) -> Artifact:
    if use_as is not None:
        term.warn_once("use_artifact use_as", "use_as= has no effect; W&B has given it up too.")
    handle, place = _handle(run), Place.of_run(run)
    if isinstance(given, str):
        handle.settle()  # what the run itself has just logged can be meant
        handle.sending.await_own(handle.settings.finish_timeout_seconds)
        artifact = artifact_by_name(place, given, type)
    elif isinstance(given, Artifact):
        artifact = given
        if artifact.is_draft():
            if artifact._saving is None:
                return _log(run, artifact, None, None, aliases, None, used=True).wait()
            artifact.wait()
    else:
        raise ValueError(
            f"use_artifact() takes the name of an artifact, such as 'data:latest', or an artifact, "
            f"not a {_kind(given)}."
        )
    version = artifact._logged("use_artifact")
    with handle.at_rest() as store:
        lineage.record_use(store, version, _ref(run), lineage.INPUT)
    tell(handle, version, "used")
    return artifact


def link_artifact(
    run: Run, artifact: Artifact, target_path: str, aliases: Sequence[str] | None
) -> Artifact:
    if artifact.is_draft() and artifact._saving is None:
        artifact = _log(run, artifact, None, None, None, None)
    path = ArtifactPath.parse(target_path)
    project = path.project or run.project
    entity = path.entity or _ref(run).workspace
    return artifact.link(f"{entity}/{project}/{path.name}", aliases)


def use_model(run: Run, name: str) -> str:
    artifact = use_artifact(run, name, None, None, None)
    _check_model(artifact)
    folder = artifact.download()
    found = os.listdir(folder)
    return os.path.join(folder, found[0]) if len(found) == 1 else folder


def link_model(
    run: Run, path: Any, registered_model_name: str, name: str | None, aliases: Sequence[str] | None
) -> Artifact:
    if "/" in registered_model_name:
        raise AssertionError(
            f"{registered_model_name!r} is a path; give the name of the registered model alone."
        )
    type = "model"
    if name is not None:
        try:
            known = artifact_by_name(Place.of_run(run), f"{name}:latest")
        except (CommError, ValueError):
            pass
        else:
            _check_model(known)
            type = known.type
    artifact = _log(run, path, name, type, None, None)
    return link_artifact(run, artifact, f"{MODEL_REGISTRY}/{registered_model_name}", aliases)


def log_tables(run: RunIdentity, media: Mapping[tuple[str, ...], Any], step: int) -> None:
    """Have tables that were logged stored as artifacts too."""
    from quark.compat.wandb.artifacts.run_tables import defer_tables

    defer_tables(_handle(run), _ref(run), media, step)


def _log(
    run: Run,
    given: Any,
    name: str | None,
    type: str | None,
    aliases: _Aliases,
    tags: _Aliases,
    **how: Any,
) -> Artifact:
    wanted, words = check_aliases(aliases), check_tags(tags)
    artifact = _artifact(run, given, name, type)
    artifact.metadata = artifact.metadata  # looked at again: a script may have changed it
    handle, ref = _handle(run), _ref(run)
    if artifact._saving is None and artifact.is_draft():
        _check_collection(artifact, handle, ref)
        artifact.distributed_id = how.get("distributed_id")
        saving = Saving(artifact, handle, ref, aliases=wanted, tags=words, step=run.step, **how)
        if artifact._place is None:
            artifact._place = Place.of_run(run)
        artifact._log_to(saving, Place.of_run(run))
        handle.defer_payload(saving)
    else:
        _log_again(run, artifact, wanted, words)
    return artifact


def _log_again(run: Run, artifact: Artifact, aliases: list[str], tags: list[str]) -> None:
    """Log a version that is there already: it gets the aliases and the tags, and is noted as an
    output of the run."""
    saving = artifact._saving
    if saving is not None and artifact.is_draft() and not saving.was_sent(at_once=True):
        rest_again(saving, _ref(run), aliases, tags)
        return
    artifact.wait()
    version, ref = artifact._logged("log_artifact"), _ref(run)
    if version.source[:2] != (ref.workspace, ref.project):
        raise ValueError(
            f"{artifact.source_qualified_name} cannot be logged to {ref.workspace}/{ref.project}; "
            "link it, or use it."
        )
    with _handle(run).at_rest() as store:
        change_aliases(store, version, (*usable_aliases(aliases), LATEST))
        if tags:
            change_version(store, version, {"tags": list(dict.fromkeys((*version.tags, *tags)))})
        lineage.record_use(store, version, ref, lineage.OUTPUT)
    tell(_handle(run), version, "logged")


def _artifact(run: Run, given: Any, name: str | None, type: str | None) -> Artifact:
    if isinstance(given, (str, os.PathLike)):
        path = os.fspath(given)
        base = os.path.basename(path)
        artifact = Artifact(name or safe_name(f"run-{run.id}-{base}"), type or "unspecified")
        artifact._place = Place.of_run(run)
        if os.path.isfile(path):
            artifact.add_file(path)
        elif os.path.isdir(path):
            artifact.add_dir(path)
        elif "://" in path:
            artifact.add_reference(path)
        else:
            raise ValueError(f"{path!r} is no file, no folder and no URI such as s3://bucket/path.")
    else:
        artifact = given
    if not isinstance(artifact, Artifact):
        raise TypeError(f"A {_kind(given)} cannot be logged; give a wandb.Artifact or a path.")
    artifact.finalize()
    return artifact


def _check_collection(artifact: Artifact, handle: RunHandle, run: RunRef) -> None:
    """Refuse an artifact whose name is that of artifacts of another type, or of elsewhere.

    Raises:
        ValueError: It is.
    """
    key = CollectionKey(run.workspace, run.project, artifact._given_name)
    target = artifact._target
    if target is not None and target[:2] != key[:2]:
        raise ValueError(
            f"{artifact.name} is an artifact of {target.workspace}/{target.project} and cannot be "
            f"logged to {run.workspace}/{run.project}; make a new one, or link it."
        )
    if is_remote(handle.settings):
        return  # said when it is stored: nothing is asked of a network while a script waits
    try:
        with handle.at_rest() as store:
            known = find_collection(store, key)
    except SessionStoreError:
        return  # said when it is stored
    if known is not None and known.type != artifact.type:
        raise ValueError(
            f"The artifact {artifact.name} exists with type {known.type!r}; it cannot be logged "
            f"with type {artifact.type!r}. Use that type, or another name."
        )


def _check_model(artifact: Artifact) -> None:
    if "model" not in artifact.type.lower():
        raise AssertionError(
            f"{artifact.name} is of type {artifact.type!r}; only artifacts whose type says 'model' "
            "are models."
        )


def _shared_id(run: Run, call: str, distributed_id: str | None) -> str:
    if distributed_id is None and not run.group:
        raise TypeError(
            f"{call}_artifact() needs distributed_id=, the same in all processes, or a run with "
            "a group."
        )
    return distributed_id or run.group


def _handle(run: RunIdentity) -> RunHandle:
    return run._session.handle  # type: ignore[union-attr]


def _ref(run: RunIdentity) -> RunRef:
    handle = _handle(run)
    return RunRef(run.id, run.project, handle.journal.meta.workspace)


def _kind(value: Any) -> str:
    return type(value).__name__
