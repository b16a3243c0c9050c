"""The code of a run: the script that was started, and ``run.log_code``."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from quark.compat.wandb.term import termwarn
from quark.session.copying import copy_file
from quark.session.environment import program_path

if TYPE_CHECKING:
    from quark.compat.wandb.artifacts.internal import InternalArtifact
    from quark.compat.wandb.run_identity import RunIdentity

CODE = "code"
_OWN_FOLDERS = ("wandb", ".wandb", ".quark")
_MAX_NAME_CHARACTERS = 128

#: Says of a path, or of a path and the root, whether it is meant.
Choice = Callable[..., bool]


def is_code(path: str) -> bool:
    """Say whether a file is Python, ``requirements.txt`` or a Dockerfile.

    >>> is_code("train.py"), is_code("Dockerfile.gpu"), is_code("notes.txt")
    (True, True, False)
    """
    name = os.path.basename(path)
    return name.endswith(".py") or name.startswith("Dockerfile") or name == "requirements.txt"


def is_own(path: str, root: str) -> bool:
    """Say whether a file lies in a folder that holds runs."""
    return os.path.relpath(path, root).split(os.sep)[0] in _OWN_FOLDERS


def save_program(run_dir: Path, program: str | None) -> None:
    """Copy the script that runs into ``code/``; nothing if there is none or it cannot be read."""
    path = program or program_path()
    if path is None:
        return
    source = Path(os.path.abspath(path))
    place = source.relative_to(Path.cwd()) if source.is_relative_to(Path.cwd()) else source.name
    try:
        copy_file(source, run_dir / CODE / place)
    except OSError as error:
        termwarn(f"the script {source} was not saved: {error.strerror or error}")


def code_artifact(
    run: RunIdentity,
    root: str | os.PathLike[str] | None,
    name: str | None,
    include_fn: Choice,
    exclude_fn: Choice,
) -> InternalArtifact | None:
    """Return the code below ``root`` as an artifact; None, with a warning, if there is none."""
    from quark.compat.wandb.artifacts.internal import InternalArtifact

    folder = os.path.abspath("." if root is None else root)
    found = list(code_files(folder, include_fn, exclude_fn)) if root is not None else []
    if not found:
        termwarn(f"log_code() found no code in {folder}, so nothing is logged.")
        return None
    artifact = InternalArtifact(name or default_name(run), CODE)
    for path in found:
        artifact.add_file(path, name=os.path.relpath(path, folder))
    return artifact


def code_files(root: str, include_fn: Choice, exclude_fn: Choice) -> Iterator[str]:
    """Yield the files below ``root`` that are to be included and not to be excluded."""
    included, excluded = _with_root(include_fn), _with_root(exclude_fn)
    for folder, folders, files in os.walk(root):
        folders.sort()
        for file in sorted(files):
            path = os.path.join(folder, file)
            if included(path, root) and not excluded(path, root):
                yield path


def default_name(run: RunIdentity) -> str:
    """Return the name of the artifact with the code: ``source-<project>-<script>``."""
    program = run.settings.program or program_path()
    script = None
    if program is not None and os.path.exists(program):
        relative = os.path.relpath(program)
        script = None if relative.startswith(os.pardir) else relative
    name = re.sub(r"[^a-zA-Z0-9_.-]", "_", f"source-{run.project}-{script}")
    if len(name) <= _MAX_NAME_CHARACTERS:
        return name
    half = _MAX_NAME_CHARACTERS // 2 - 1
    return f"{name[:half]}..{name[-half:]}"


def _with_root(choose: Choice) -> Choice:
    """Return a choice by path and root, also of a function that takes the path alone."""
    if len(inspect.signature(choose).parameters) >= 2:
        return choose
    return lambda path, root: choose(path)
