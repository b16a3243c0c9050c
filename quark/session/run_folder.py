"""What is written into a run's folder before training starts, so that the run can be repeated.

==========================  =====================================================================
``resolved_config.json``    the configuration, canonical: sorted, plain values
``runtime_env.json``        interpreter, machine, selected variables, versions of packages
``run_metadata.json``       commit, branch, changes, origins of packages, how it was launched
``config_source.*``         a copy of the file that the configuration came from, if given
``base_config_source.*``    and of the one that it was built on
==========================  =====================================================================

Nothing here stops a training: what could not be written is returned, with the reason. Every file
is there as a whole or not at all, and without secrets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from quark import ids, jsonio
from quark.errors import SchemaValidationError
from quark.redact import REDACTED, is_secret_name, redact_mapping, redact_text
from quark.session.environment import capture_launcher, capture_runtime, package_origins
from quark.session.git import ask_git_head, git_status, read_git_head, training_repository

#: Of these files; it changes when a field changes its meaning.
RUN_FOLDER_SCHEMA_VERSION: Final = 1
CONFIG_FILE: Final = "resolved_config.json"
RUNTIME_FILE: Final = "runtime_env.json"
METADATA_FILE: Final = "run_metadata.json"

_SEED_NAMES = ("dataset_seed", "seed", "random_seed")
_MAX_SOURCE_BYTES = 4 * 1024 * 1024


def write_run_folder(
    run_path: Path,
    *,
    config: Mapping[str, Any],
    created_at: str,
    config_path: Path | None = None,
    base_config_path: Path | None = None,
    capture_environment: bool = True,
    read_git: bool = True,
    known: Mapping[str, Any] | None = None,
) -> tuple[str, ...]:
    """Write what is needed to repeat the run into its folder, which is made if it is not there.

    Args:
        run_path: The run's folder.
        config: The run's configuration, as it was resolved.
        created_at: When the run was created, ISO 8601.
        config_path: The file that it came from.
        base_config_path: The file that it was built on.
        capture_environment: Whether variables, packages, the command line and the state of the
            repository are written too.
        read_git: Whether the state of the repository is among them.
        known: Fields of ``run_metadata.json`` that the caller knows better.

    Returns:
        What could not be written and why, such as ``"runtime_env.json: Permission denied"``.
    """
    try:
        run_path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return (f"{run_path}: {error.strerror}",)
    packages = package_origins() if capture_environment else {}
    sources = {"config_source": config_path, "base_config_source": base_config_path}
    parts: dict[str, Callable[[], bytes]] = {
        CONFIG_FILE: lambda: _json(_resolved_config(config, config_path, base_config_path)),
        METADATA_FILE: lambda: _json(
            _metadata(created_at, packages, capture_environment, read_git, known or {})
        ),
    }
    if capture_environment:
        parts[RUNTIME_FILE] = lambda: _json(_runtime(packages))
    for name, path in sources.items():
        if path is not None:
            parts[name + path.suffix] = _source_of(path)
    failures = (_write(run_path / name, content) for name, content in parts.items())
    return tuple(failure for failure in failures if failure is not None)


def complete_git_status(run_path: Path, repo_root: Path) -> str | None:
    """Ask git what was not committed and write it into ``run_metadata.json``. For a background
    thread: it starts a process and takes as long as git does.

    Returns:
        Why it could not be done, or None.
    """
    status = git_status(repo_root)

    def completed() -> bytes:
        metadata = jsonio.loads((run_path / METADATA_FILE).read_bytes())
        if metadata.get("git_sha") is None:
            head = ask_git_head(repo_root)
            metadata["git_sha"], metadata["git_branch"] = head.sha, head.branch
        metadata["git_dirty"] = status.dirty
        metadata["git_status_porcelain"] = (
            None if status.porcelain is None else redact_text(status.porcelain)
        )
        metadata["git_status_error"] = status.error
        return _json(metadata)

    return _write(run_path / METADATA_FILE, completed) or status.error


def _resolved_config(
    config: Mapping[str, Any], config_path: Path | None, base_config_path: Path | None
) -> dict[str, Any]:
    plain = redact_mapping(jsonio.to_plain(config))
    return {
        "schema_version": RUN_FOLDER_SCHEMA_VERSION,
        "config": plain,
        "config_path": _shown_path(config_path),
        "base_config_path": _shown_path(base_config_path),
        "dataset_seed": _dataset_seed(plain),
    }


def _runtime(packages: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "schema_version": RUN_FOLDER_SCHEMA_VERSION,
        **capture_runtime(),
        "packages": {name: origin["version"] for name, origin in packages.items()},
    }


def _metadata(
    created_at: str,
    packages: Mapping[str, Mapping[str, Any]],
    capture_environment: bool,
    read_git: bool,
    known: Mapping[str, Any],
) -> dict[str, Any]:
    repository = training_repository() if capture_environment and read_git else None
    head = read_git_head(repository) if repository is not None else None
    launcher = {
        **(capture_launcher() if capture_environment else {}),
        **redact_mapping(known.get("launcher", {})),
    }
    found = {
        "schema_version": RUN_FOLDER_SCHEMA_VERSION,
        "created_at": created_at,
        "git_root": str(head.root) if head else None,
        "git_sha": head.sha if head else None,
        "git_branch": head.branch if head else None,
        "git_dirty": None,  # these three are asked of git in the background
        "git_status_porcelain": None,
        "git_status_error": None,
        "upstream": packages,
    }
    return {**found, **redact_mapping(known), "launcher": launcher or None}


def _dataset_seed(config: Mapping[str, Any]) -> int | None:
    """Return the seed at the top of the configuration, else one level below."""
    sections = (config, *(value for value in config.values() if isinstance(value, Mapping)))
    for section in sections:
        for name in _SEED_NAMES:
            seed = section.get(name)
            if isinstance(seed, int) and not isinstance(seed, bool):
                return seed
    return None


def _shown_path(path: Path | None) -> str | None:
    return None if path is None else redact_text(str(path))


def _source_of(path: Path) -> Callable[[], bytes]:
    def content() -> bytes:
        if path.stat().st_size > _MAX_SOURCE_BYTES:
            raise SchemaValidationError(f"{path} is larger than {_MAX_SOURCE_BYTES} bytes")
        try:
            text = path.read_bytes().decode()
        except UnicodeDecodeError as error:
            raise SchemaValidationError(
                f"{path} is not text in UTF-8, so secrets cannot be taken out of it"
            ) from error
        return _redact_source(text).encode()

    return content


_BLOCK_START = re.compile(
    r"""(\s*)(?:- )?["']?([\w.-]+)["']?\s*:\s*(?:[|>][+-]?\d?\s*)?(?:#.*)?$"""
)
_ENTRY = re.compile(r"""(\s*(?:- )?(?:["']?[\w.-]+["']?\s*:(?=\s|$))?\s*)(\S.*)?$""")


def _redact_source(text: str) -> str:
    """Redact a configuration file, also what YAML nests below the name of a secret."""
    lines = []
    secret_indent: int | None = None
    for line in text.split("\n"):
        indent = len(line) - len(line.lstrip())
        if secret_indent is not None and line.strip() and indent <= secret_indent:
            secret_indent = None
        if secret_indent is not None:
            entry = _ENTRY.match(line)
            lines.append(entry[1] + REDACTED if entry and entry[2] else line)
            continue
        start = _BLOCK_START.match(line)
        if start and is_secret_name(start[2]):
            secret_indent = indent
        lines.append(line)
    return redact_text("\n".join(lines))


def _json(value: Mapping[str, Any]) -> bytes:
    return jsonio.dumps(value, indent=True, sort_keys=True) + b"\n"


def _write(path: Path, content: Callable[[], bytes]) -> str | None:
    """Write a file as a whole; return what went wrong, if anything did."""
    draft = path.with_name(f".{path.name}.{ids.random_id()}.tmp")
    try:
        draft.write_bytes(content())
        draft.replace(path)
    except OSError as error:
        _remove(draft)
        return f"{path.name}: {error.strerror or error}"
    except SchemaValidationError as error:
        return f"{path.name}: {error}"
    return None


def _remove(draft: Path) -> None:
    try:
        draft.unlink(missing_ok=True)
    except OSError:
        return  # the folder cannot be written, which is what the caller already says
