"""The files of a run as ``wandb.Api`` gives them: what lies in ``run.dir``."""

from __future__ import annotations

import fnmatch
import mimetypes
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, overload

from quark.compat.wandb.errors import CommError
from quark.compat.wandb.symbols import refuse_attribute


class ApiFile:
    """One file of a run."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / name
        self._name = name

    @property
    def name(self) -> str:
        """The path below ``run.dir``, with slashes."""
        return self._name

    @property
    def id(self) -> str:
        return self._name

    @property
    def size(self) -> int:
        """In bytes."""
        return self._path.stat().st_size

    @property
    def mimetype(self) -> str:
        return mimetypes.guess_type(self._name)[0] or "application/octet-stream"

    @property
    def updated_at(self) -> str:
        moment = datetime.fromtimestamp(self._path.stat().st_mtime, UTC)
        return moment.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"

    @property
    def url(self) -> str:
        """Where the file lies on this machine."""
        return self._path.as_uri()

    @property
    def direct_url(self) -> str:
        return self.url

    @property
    def path_uri(self) -> str:
        return self.url

    def download(
        self, root: str = ".", replace: bool = False, exist_ok: bool = False, api: Any = None
    ) -> IO[str]:
        """Copy the file below ``root``; return it, open for reading.

        Raises:
            ValueError: It is there already, and neither ``replace`` nor ``exist_ok`` was given.
            CommError: The file is not in the run any more.
        """
        target = Path(root) / self._name
        if target.exists() and not replace:
            if not exist_ok:
                raise ValueError(
                    f"{target} exists already; pass replace=True to write it anew or "
                    "exist_ok=True to keep it."
                )
            return target.open()
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(self._path, target)
        except FileNotFoundError as error:
            raise CommError(f"The run has no file {self._name!r} any more.") from error
        except shutil.SameFileError:
            pass
        return target.open()

    def delete(self) -> None:
        """Remove the file from the run."""
        self._path.unlink(missing_ok=True)

    def __getattr__(self, name: str) -> Any:
        raise refuse_attribute("Api file", name)

    def __repr__(self) -> str:
        return f"<File {self._name}>"


class ApiFiles:
    """Files of a run: a sequence, by name."""

    def __init__(self, files: Sequence[ApiFile]) -> None:
        self._files = files

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[ApiFile]:
        return iter(self._files)

    @overload
    def __getitem__(self, index: int) -> ApiFile: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ApiFile]: ...
    def __getitem__(self, index: int | slice) -> ApiFile | Sequence[ApiFile]:
        return self._files[index]

    def __repr__(self) -> str:
        return f"<Files ({len(self._files)})>"


def list_files(
    folder: Path | None, names: Sequence[str] | None = None, pattern: str | None = None
) -> ApiFiles:
    """Return the files below ``folder`` that are named or match ``pattern``."""
    if folder is None or not folder.is_dir():
        return ApiFiles(())
    found = sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )
    return ApiFiles(
        [
            ApiFile(folder, name)
            for name in found
            if (not names or name in names)
            and (not pattern or fnmatch.fnmatch(name, _shell(pattern)))
        ]
    )


def one_file(folder: Path | None, name: str) -> ApiFile:
    """Return one file of a run.

    Raises:
        CommError: The run has no such file.
    """
    path = None if folder is None else folder / name
    if folder is None or path is None or not path.is_file() or not _is_below(folder, path):
        raise CommError(f"The run has no file {name!r}.")
    return ApiFile(folder, name)


def _shell(pattern: str) -> str:
    """Return a pattern of SQL's, as W&B's server takes them, as one of the shell's."""
    return pattern.replace("%", "*")


def _is_below(folder: Path, path: Path) -> bool:
    return folder.resolve() in path.resolve().parents
