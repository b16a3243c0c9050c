"""What git knows of the training code: read from its folder at once, asked of git later.

The commit and the branch are files, which are read without starting a process, also in worktrees,
submodules and with packed refs. Whether there are changes that were not committed only git can
say (:func:`git_status`); that takes a process, so it is asked in the background.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from quark.session.environment import program_path

_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_MAX_SYMBOLIC_REFS = 5
_MAX_STATUS_CHARACTERS = 16_384
#: What git writes into HEAD where refs are kept in a format of their own (reftable).
_NOT_IN_FILES = "refs/heads/.invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHead:
    """What is checked out. ``sha`` is None before the first commit, ``branch`` when detached."""

    root: Path
    sha: str | None
    branch: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GitStatus:
    """What git answered. ``dirty`` and ``porcelain`` are None if it did not; ``error`` says why.

    ``porcelain`` is cut at 16,384 characters, at the end of a line.
    """

    dirty: bool | None
    porcelain: str | None
    error: str | None = None


def find_repository(start: Path) -> Path | None:
    """Return the closest folder at or above ``start`` that is a work tree of git."""
    try:
        folder = start.resolve()
        return next((p for p in (folder, *folder.parents) if _git_folder(p) is not None), None)
    except OSError:
        return None


def training_repository() -> Path | None:
    """Return the repository of the working directory, else that of the script that runs."""
    try:
        found = find_repository(Path.cwd())
    except OSError:  # the working directory is gone
        found = None
    program = program_path()
    return found or (find_repository(Path(program).parent) if program else None)


def read_git_head(start: Path) -> GitHead | None:
    """Return what is checked out in the repository around ``start``, or None if there is none.

    Starts no process. Where the files say nothing (a format this does not know), ``sha`` and
    ``branch`` are None.
    """
    root = find_repository(start)
    git_folder = _git_folder(root) if root is not None else None
    if root is None or git_folder is None:
        return None
    head = _first_line(git_folder / "HEAD")
    if _SHA.fullmatch(head):
        return GitHead(root=root, sha=head, branch=None)
    ref = head.removeprefix("ref:").strip()
    if not head.startswith("ref:") or ref == _NOT_IN_FILES:
        return GitHead(root=root, sha=None, branch=None)
    branch = ref.removeprefix("refs/heads/")
    return GitHead(root=root, sha=_resolved(git_folder, ref), branch=branch)


def git_status(root: Path, timeout_seconds: float = 5.0) -> GitStatus:
    """Ask git what was changed since the last commit. Starts a process; never raises for it."""
    answer, error = _ask_git(root, ("status", "--porcelain"), timeout_seconds)
    if error is not None:
        return GitStatus(dirty=None, porcelain=None, error=error)
    porcelain = answer
    if len(answer) > _MAX_STATUS_CHARACTERS:
        kept = answer[:_MAX_STATUS_CHARACTERS].rpartition("\n")[0]
        left_out = answer.count("\n") - kept.count("\n") - 1
        porcelain = f"{kept}\n... and {left_out} more\n"
    return GitStatus(dirty=bool(answer), porcelain=porcelain)


def ask_git_head(root: Path, timeout_seconds: float = 5.0) -> GitHead:
    """Ask git what is checked out, where :func:`read_git_head` could not say."""
    sha, no_sha = _ask_git(root, ("rev-parse", "--verify", "-q", "HEAD"), timeout_seconds)
    branch, no_branch = _ask_git(root, ("symbolic-ref", "--short", "-q", "HEAD"), timeout_seconds)
    return GitHead(
        root=root,
        sha=None if no_sha else sha.strip(),
        branch=None if no_branch else branch.strip(),
    )


def _ask_git(
    root: Path, arguments: tuple[str, ...], timeout_seconds: float
) -> tuple[str, str | None]:
    import subprocess  # only in the background, where its import delays nobody

    # No lock that a commit of the user could run into, and no program that the repository names.
    command = ("git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-C", str(root))
    try:
        answer = subprocess.run(
            (*command, *arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "", f"git did not answer within {timeout_seconds:g} seconds"
    except OSError as error:
        return "", f"git could not be started: {error.strerror}"
    if answer.returncode != 0:
        said = answer.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
        return "", said or f"git ended with exit code {answer.returncode}"
    return answer.stdout.decode("utf-8", "replace"), None


def _git_folder(root: Path) -> Path | None:
    """Return where git keeps the state of this work tree: ``.git``, or where that file points."""
    entry = root / ".git"
    if entry.is_file():  # a worktree or a submodule
        line = _first_line(entry)
        if not line.startswith("gitdir:"):
            return None
        entry = root / line.removeprefix("gitdir:").strip()
    return entry if (entry / "HEAD").is_file() else None


def _resolved(git_folder: Path, ref: str) -> str | None:
    # A worktree has its own HEAD and shares the branches of the repository it came from.
    shared = _first_line(git_folder / "commondir")
    folders = (git_folder, git_folder / shared) if shared else (git_folder,)
    for _ in range(_MAX_SYMBOLIC_REFS):
        line = next((line for folder in folders if (line := _first_line(folder / ref))), "")
        if not line.startswith("ref:"):
            break
        ref = line.removeprefix("ref:").strip()
    if _SHA.fullmatch(line):
        return line
    return _packed(folders[-1] / "packed-refs", ref)


def _packed(path: Path, ref: str) -> str | None:
    try:
        content = b"\n" + path.read_bytes()
    except OSError:
        return None
    end = content.find(f" {ref}\n".encode())
    sha = content[content.rfind(b"\n", 0, end) + 1 : end].decode("ascii", "replace")
    return sha if end >= 0 and _SHA.fullmatch(sha) else None


def _first_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.readline(4096).decode("utf-8", "replace").strip()
    except OSError:
        return ""
