"""What is read from a repository's files, compared with what git itself says."""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path

import pytest

from quark.session.git import (
    GitHead,
    ask_git_head,
    find_repository,
    git_status,
    read_git_head,
    training_repository,
)

IDENTITY = ("-c", "user.name=Alice", "-c", "user.email=alice@example.com")


def git(folder: Path, *arguments: str) -> str:
    command = ("git", "-C", str(folder), *IDENTITY, "-c", "protocol.file.allow=always", *arguments)
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit on the branch feature/x."""
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "-q", "-b", "feature/x")
    (root / "train.py").write_text("print()\n")
    (root / "deep" / "er").mkdir(parents=True)
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "First")
    return root


def head_of(folder: Path) -> tuple[str | None, str | None]:
    head = read_git_head(folder)
    assert head is not None
    return head.sha, head.branch


def test_the_commit_and_the_branch_are_what_git_says_in_every_layout(
    repository: Path, tmp_path: Path
) -> None:
    sha = git(repository, "rev-parse", "HEAD")
    assert head_of(repository) == (sha, "feature/x")
    assert head_of(repository / "deep" / "er") == (sha, "feature/x")

    git(repository, "tag", "-a", "v1", "-m", "One")
    git(repository, "pack-refs", "--all", "--prune")
    assert not (repository / ".git" / "refs" / "heads" / "feature").exists()
    assert head_of(repository) == (sha, "feature/x")

    worktree = tmp_path / "worktree"
    git(repository, "worktree", "add", "-q", "-b", "other", str(worktree))
    (worktree / "new.py").write_text("")
    git(worktree, "add", ".")
    git(worktree, "commit", "-q", "-m", "Second")
    assert head_of(worktree) == (git(worktree, "rev-parse", "HEAD"), "other")
    assert head_of(repository) == (sha, "feature/x")

    git(repository, "pack-refs", "--all")
    assert head_of(worktree) == (git(worktree, "rev-parse", "HEAD"), "other")

    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q")
    git(outer, "submodule", "--quiet", "add", str(repository), "inner")
    assert (outer / "inner" / ".git").is_file()
    assert head_of(outer / "inner") == (sha, "feature/x")

    git(repository, "checkout", "-q", "--detach")
    assert head_of(repository) == (sha, None)

    git(repository, "symbolic-ref", "refs/heads/alias", "refs/heads/feature/x")
    git(repository, "symbolic-ref", "HEAD", "refs/heads/alias")
    assert head_of(repository) == (sha, "alias")


def test_before_the_first_commit_there_is_a_branch_and_no_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")

    assert read_git_head(tmp_path) == GitHead(root=tmp_path.resolve(), sha=None, branch="main")
    assert ask_git_head(tmp_path).sha is None
    assert ask_git_head(tmp_path).branch == "main"


def test_a_longer_branch_name_in_packed_refs_is_not_taken_for_a_shorter_one(
    repository: Path,
) -> None:
    git(repository, "branch", "not/feature/x")
    (repository / "train.py").write_text("print(2)\n")
    git(repository, "commit", "-q", "-a", "-m", "Second")
    git(repository, "pack-refs", "--all")

    assert head_of(repository) == (git(repository, "rev-parse", "HEAD"), "feature/x")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({".git/config": ""}, None),
        ({".git": "nonsense"}, None),
        ({".git": "gitdir: /no/such/folder"}, None),
        ({".git/HEAD": ""}, (None, None)),
        ({".git/HEAD": "ref: refs/heads/.invalid"}, (None, None)),
        ({".git/HEAD": "ref: refs/heads/main", ".git/packed-refs": "\x00\xff broken"}, "main"),
        ({".git/HEAD": "ref: refs/heads/a", ".git/refs/heads/a": "ref: refs/heads/a"}, "a"),
        ({".git/HEAD": "ref: refs/heads/a", ".git/refs/heads/a": "0" * 39}, "a"),
    ],
)
def test_a_broken_repository_gives_what_it_can_and_never_an_error(
    tmp_path: Path, files: dict[str, str], expected: object
) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    head = read_git_head(tmp_path)

    if expected is None:
        assert head is None or head.root != tmp_path.resolve()
    else:
        assert head is not None
        assert head.sha is None
        assert head.branch == (expected if isinstance(expected, str) else None)


def test_the_status_says_what_was_not_committed_and_is_cut_at_the_end_of_a_line(
    repository: Path,
) -> None:
    clean = git_status(repository)
    assert (clean.dirty, clean.porcelain, clean.error) == (False, "", None)

    (repository / "train.py").write_text("changed\n")
    (repository / "new file").write_text("")
    dirty = git_status(repository)
    assert dirty.dirty is True
    assert dirty.porcelain == ' M train.py\n?? "new file"\n'

    for number in range(1000):
        (repository / f"{'x' * 40}-{number:04}").write_text("")
    long = git_status(repository)
    assert long.porcelain is not None
    assert len(long.porcelain) < 17_000
    *lines, last = long.porcelain.splitlines()
    assert last == f"... and {1002 - len(lines)} more"
    assert all(len(line) == 48 for line in lines[2:])


def test_git_that_does_not_answer_or_is_not_there_is_a_reason_and_no_error(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_repository = git_status(tmp_path)
    assert no_repository.dirty is None
    assert "not a git repository" in str(no_repository.error)

    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(slow.parent), prepend=":")
    late = git_status(repository, timeout_seconds=0.1)
    assert late.error == "git did not answer within 0.1 seconds"

    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    missing = git_status(repository)
    assert missing.error == "git could not be started: No such file or directory"
    assert ask_git_head(repository) == GitHead(root=repository, sha=None, branch=None)


def test_the_repository_of_a_training_is_the_working_directorys_else_the_scripts(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main = types.ModuleType("__main__")
    main.__file__ = str(repository / "train.py")
    monkeypatch.setitem(sys.modules, "__main__", main)

    assert training_repository() == repository.resolve()

    monkeypatch.chdir(repository / "deep")
    main.__file__ = str(tmp_path / "elsewhere.py")
    assert training_repository() == repository.resolve()

    monkeypatch.chdir(tmp_path)
    assert training_repository() is None
    assert find_repository(tmp_path / "no" / "such") is None
