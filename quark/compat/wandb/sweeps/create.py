"""``wandb.sweep``: a new sweep."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from quark._optional import require
from quark.compat.wandb import term
from quark.compat.wandb.env import set_entity, set_project
from quark.compat.wandb.environment import read_environment
from quark.compat.wandb.errors import CommError, InvalidSettingError
from quark.compat.wandb.naming import check_project
from quark.compat.wandb.sweeps.place import sweep_settings
from quark.errors import RunNotFoundError, SchemaValidationError, SessionStoreError
from quark.sweeps import Sweep
from quark.sweeps.config import filled_in

DEFAULT_PROJECT = "uncategorized"


def sweep(
    sweep: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | str | os.PathLike[str],
    entity: str | None = None,
    project: str | None = None,
    prior_runs: Sequence[str] | None = None,
) -> str:
    """Put a sweep into the local store and return its id, for :func:`wandb.agent`.

    Args:
        sweep: W&B's sweep configuration: a dict, a function that returns one, or a YAML file.
        entity: The workspace.
        project: What the sweep's runs belong to; else what the configuration or the environment
            says.
        prior_runs: Ids of runs from before, which count as trials.

    Raises:
        InvalidSettingError: The configuration is not valid; also a ValueError.
        CommError: The store does not answer, or there is no such prior run.
    """
    given: Any = sweep() if callable(sweep) else sweep
    if isinstance(given, (str, os.PathLike)):
        given = load_sweep_config(given)
    return create_sweep(given, entity, project, prior_runs).id


class MadeSweep(NamedTuple):
    """A sweep that was put into the store."""

    id: str
    project: str


def create_sweep(
    config: Any, entity: str | None, project: str | None, prior_runs: Sequence[str] | None = None
) -> MadeSweep:
    """Put a sweep into the store and say so.

    Raises:
        InvalidSettingError: The configuration is not valid.
        CommError: The store does not answer, or there is no such prior run.
    """
    if not isinstance(config, Mapping):
        raise InvalidSettingError(
            f"A sweep's configuration is a dict or a function that returns one, not a "
            f"{type(config).__name__}."
        )
    project = project or config.get("project")
    entity = entity or config.get("entity")
    if entity:
        set_entity(entity)
    if project:
        set_project(project)
    name = project or read_environment().get("project") or DEFAULT_PROJECT
    check_project(name)
    try:
        made = Sweep.create(
            filled_in(config),
            project=name,
            settings=sweep_settings(entity),
            prior_runs=prior_runs or (),
        )
    except RunNotFoundError as error:
        raise CommError(str(error)) from error
    except SchemaValidationError as error:
        raise InvalidSettingError(f"Invalid sweep config: {error}") from error
    except SessionStoreError as error:
        raise CommError(str(error)) from error
    with made:
        warn_of_doubts(made.config.doubts)
        term.termlog(f"Create sweep with ID: {made.id}")
        return MadeSweep(made.id, name)


def warn_of_doubts(doubts: Sequence[str]) -> None:
    """Say what in a configuration is passed over."""
    if doubts:
        lines = [f"  {number}. {doubt}" for number, doubt in enumerate(doubts, start=1)]
        term.termwarn("\n".join(["Parts of the sweep's configuration have no effect:", *lines]))


def load_sweep_config(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the configuration that a YAML file holds.

    Raises:
        InvalidSettingError: It cannot be read, or holds no configuration.
        MissingDependencyError: PyYAML is not installed.
    """
    yaml = require("yaml", purpose="Reading a sweep's configuration from a file")
    try:
        found = yaml.safe_load(Path(path).read_text())
    except OSError as error:
        raise InvalidSettingError(f"Sweep file {path} cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise InvalidSettingError(f"Sweep file {path} is not valid YAML: {error}") from error
    if not isinstance(found, dict):
        raise InvalidSettingError(f"Sweep file {path} holds no configuration, but {found!r}.")
    return found
