"""The files of a run as ``wandb.Api`` gives them: what lies in ``run.dir``, and its media."""

from __future__ import annotations

import mimetypes
import re
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from quark.compat.wandb.api_lists import Listed
from quark.compat.wandb.errors import CommError
from quark.compat.wandb.kept_files import RunFiles
from quark.compat.wandb.symbols import refuse_attribute


class ApiFile:
    """One file of a run."""

    def __init__(self, files: RunFiles, name: str) -> None:
        self._files = files
        self._name = name
        self._kept = files.kept(name)
        self._path = (files.folder or Path()) / name

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
        if self._kept is not None and not self._path.is_file():
            return self._kept.size_bytes
        return self._path.stat().st_size

    @property
    def sizeBytes(self) -> int:  # noqa: N802 - W&B's name
        return self.size

    @property
    def md5(self) -> str:
        """The MD5 of the content, base64 as W&B has it."""
        import base64
        import hashlib

        digest = hashlib.md5(usedforsecurity=False)
        with self._files.open(self._name) as file:
            while piece := file.read(1 << 20):
                digest.update(piece)
        return base64.b64encode(digest.digest()).decode()

    @property
    def mimetype(self) -> str:
        return mimetypes.guess_type(self._name)[0] or "application/octet-stream"

    @property
    def updated_at(self) -> str:
        if self._kept is not None and not self._path.is_file():
            return ""  # only the store has it, which does not say
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
        if target.exists() and self._path.exists() and target.samefile(self._path):
            return target.open()
        try:
            with self._files.open(self._name) as source:
                target.unlink(missing_ok=True)  # it may be a link to something else's content
                with target.open("wb") as file:
                    shutil.copyfileobj(source, file)
        except (FileNotFoundError, KeyError) as error:
            raise CommError(f"The run has no file {self._name!r} any more.") from error
        return target.open()

    def delete(self) -> None:
        """Remove the file from the run."""
        self._files.remove(self._name)

    def __getattr__(self, name: str) -> Any:
        raise refuse_attribute("Api file", name)

    def __repr__(self) -> str:
        return f"<File {self._name}>"


class ApiFiles(Listed[ApiFile]):
    """Files of a run, by name."""

    SHOWN = "Files"


def list_files(
    files: RunFiles, names: Sequence[str] | None = None, pattern: str | None = None
) -> ApiFiles:
    """Return the files that are named or match ``pattern``.

    Raises:
        ValueError: Names and a pattern are given.
    """
    if names and pattern:
        raise ValueError("Give names or a pattern, not both.")
    fits = _like(pattern).fullmatch if pattern else lambda name: True
    return ApiFiles(
        [
            ApiFile(files, name)
            for name in files.names()
            if fits(name) and (not names or name in names)
        ]
    )


def one_file(files: RunFiles, name: str) -> ApiFile:
    """Return one file of a run.

    Raises:
        CommError: The run has no such file.
    """
    if files.path(name) is None and files.kept(name) is None:
        raise CommError(f"The run has no file {name!r}.")
    return ApiFile(files, name)


def _like(pattern: str) -> re.Pattern[str]:
    """Return a pattern of SQL's ``LIKE``, as W&B's server takes them, as a regular expression."""
    signs = {"%": ".*", "_": "."}
    text = "".join(signs.get(sign) or re.escape(sign) for sign in pattern)
    return re.compile(text, re.IGNORECASE | re.DOTALL)
