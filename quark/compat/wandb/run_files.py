"""``wandb.save``: which files a call means, and where they go in the run's folder.

W&B puts links there, which lead nowhere once a script has moved or removed its files. Here they
are copies (:mod:`quark.session.file_keeping`).
"""

from __future__ import annotations

import fnmatch
import glob as globs
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, get_args

from quark.compat.wandb.term import termlog, warn_once
from quark.session.file_keeping import FileKeeper, Policy

if TYPE_CHECKING:
    from quark.session.handle import RunHandle

POLICIES: tuple[Policy, ...] = get_args(Policy)
_CLOUD = ("gs://", "s3://")


class SavedFiles:
    """The files that one run was asked to keep. Owns their keeper; ``close`` ends it."""

    def __init__(self, run_dir: Path, handle: RunHandle) -> None:
        self._run_dir = run_dir
        self._patterns: set[_Pattern] = set()
        self.keeper = FileKeeper(handle, _lament)

    def save(
        self,
        pattern: str | os.PathLike[str] | bytes,
        base_path: str | os.PathLike[str] | None,
        *,
        policy: str,
        glob: bool,
        ignored: Sequence[str] = (),
    ) -> list[str]:
        """Keep what ``pattern`` means; return where it is in the run's folder.

        A file keeps its path below ``base_path``; without that, below the working folder, or with
        its last folder if ``pattern`` is absolute. A folder is kept with all that is in it. What
        one of the patterns ``ignored`` fits is left out.

        Raises:
            ValueError: ``policy`` is unknown, or ``pattern`` does not lie below ``base_path``.
        """
        chosen = next((known for known in POLICIES if known == policy), None)
        if chosen is None:
            raise ValueError(f"Policy {policy!r} is not one of {', '.join(POLICIES)}.")
        text = os.fsdecode(pattern)
        if text.startswith(_CLOUD):
            termlog(f"{text} is not on this machine, so it is not saved.")
            return []
        wanted = _Pattern.of(text, base_path, glob=glob, ignored=tuple(ignored))
        saved = {str(self._run_dir / path) for path in wanted.known(self._run_dir)}
        saved.update(str(target) for _, target in wanted.places(self._run_dir))
        for source, target in wanted.files(self._run_dir):
            self.keeper.keep(source, target, chosen)
        if chosen == "live" and wanted not in self._patterns:
            self._patterns.add(wanted)
            self.keeper.follow_later(lambda: wanted.files(self._run_dir))
        return sorted(saved)


class _Pattern(NamedTuple):
    """What one call of ``save`` asked for."""

    path: str
    base: Path
    glob: bool
    ignored: tuple[str, ...]

    @classmethod
    def of(
        cls,
        text: str,
        base_path: str | os.PathLike[str] | None,
        *,
        glob: bool,
        ignored: tuple[str, ...],
    ) -> _Pattern:
        """Read the arguments of ``save``.

        Raises:
            ValueError: The pattern does not lie below its base.
        """
        path = Path(os.path.abspath(text))
        if base_path is not None:
            base = Path(os.path.abspath(os.fsdecode(base_path)))
        elif os.path.isabs(text):
            base = path.parent.parent
        else:
            base = Path.cwd()
        if path == base or not path.is_relative_to(base):
            raise ValueError(f"{text} lies outside of base_path {base}.")
        if path.relative_to(base).parts[0] == "*":
            raise ValueError(f"{text} means everything in base_path {base}; save a folder of it.")
        return cls(str(path), base, glob, ignored)

    def places(self, run_dir: Path) -> Iterator[tuple[Path, Path]]:
        """Yield what is there, and where it goes. What lies in the run's folder stays there."""
        within = Path(os.path.realpath(run_dir))
        found = sorted(globs.glob(self.path)) if self.glob else [self.path]
        for name in found:
            source = Path(name)
            if not source.exists():
                continue
            relative = source.relative_to(self.base)
            if any(fnmatch.fnmatch(str(relative), shunned) for shunned in self.ignored):
                continue
            real = Path(os.path.realpath(source))
            if real.is_relative_to(within) and real != within:
                yield source, run_dir / real.relative_to(within)
            else:
                yield source, run_dir / relative

    def files(self, run_dir: Path) -> Iterator[tuple[Path, Path]]:
        """Yield the files that are there, those of folders too, and where they go."""
        for source, target in self.places(run_dir):
            yield from _files(source, target)

    def known(self, run_dir: Path) -> Iterator[str]:
        """Yield what the pattern means of the files that are in the run's folder already."""
        relative = os.path.relpath(self.path, self.base)
        if self.glob:
            yield from globs.glob(relative, root_dir=run_dir)
        elif os.path.lexists(run_dir / relative):
            yield relative


def _files(source: Path, target: Path) -> Iterator[tuple[Path, Path]]:
    """Yield a file with its place, or all files of a folder with theirs."""
    if not source.is_dir():
        yield source, target
        return
    for path in sorted(source.rglob("*")):
        if path.is_file():
            yield path, target / path.relative_to(source)


def _lament(source: Path, error: OSError) -> None:
    warn_once(f"save {source}", f"{source} was not saved: {error.strerror or error}.")
