"""What can be done with a run that ``wandb.Api`` gave, besides reading it."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quark.compat.wandb.api_changes import RunChange, change_run, is_written
from quark.compat.wandb.errors import CommError, Error, unsupported
from quark.compat.wandb.reading import reading
from quark.errors import RunNotFoundError
from quark.records import RunRecord, RunStatus

if TYPE_CHECKING:
    from quark.compat.wandb.api_files import ApiFile
    from quark.settings import Settings as QuarkSettings

_POLL_SECONDS = 0.5
_FILES = "files"


class RunActions:
    """Acts on one run."""

    _where: QuarkSettings
    _record: RunRecord

    def _take(self, record: RunRecord) -> None:
        raise NotImplementedError

    @property
    def state(self) -> str:
        raise NotImplementedError

    @classmethod
    def create(
        cls,
        api: Any,
        run_id: str | None = None,
        project: str | None = None,
        entity: str | None = None,
        state: str = "running",
    ) -> Any:
        """Create a run that nobody writes into yet; ``state`` has no effect."""
        return api.create_run(run_id=run_id, project=project, entity=entity)

    def wait_until_finished(self) -> None:
        """Wait until the run has ended, however it does. It asks twice a second.

        Raises:
            CommError: The run is not there any more.
        """
        pause = threading.Event()
        while True:
            self.load(force=True)
            if self._record.status != RunStatus.RUNNING:
                return
            pause.wait(_POLL_SECONDS)

    def load(self, force: bool = False) -> dict[str, Any]:
        """Read the run again; return its fields.

        Raises:
            CommError: The run is not there any more.
        """
        run_id = self._record.id
        try:
            with reading(self._where, run_id) as store:
                self._take(store.records.get_run(run_id))
        except RunNotFoundError as error:
            raise CommError(f"Run {run_id!r} is not there any more.") from error
        return self._record.to_dict()

    def load_full_data(self, force: bool = False) -> dict[str, Any]:
        """The same as :meth:`load`: nothing is left out here when runs are listed."""
        return self.load(force)

    def update_state(self, state: str) -> bool:
        """Set a run that nobody writes into to ``failed``.

        Raises:
            Error: It has ended, a process still writes into it, or another state is asked for.
        """
        run = self._record
        if state != "failed":
            raise Error(
                f"The state of run {run.id!r} cannot be set to {state!r}: there is no queue here "
                "that a run could be pending in. 'failed' can be set."
            )
        if run.status != RunStatus.RUNNING or is_written(self._where, run.id):
            raise Error(
                f"Run {run.id!r} is {self.state!r}, so it cannot be set to 'failed': a run that "
                "has ended keeps its state, and one that is written ends by itself."
            )
        change = RunChange(fields={"status": RunStatus.FAILED.value})
        self._take(change_run(self._where, run, change))
        return True

    def stop(self) -> None:
        """Not supported: the process of a run asks nobody whether it shall go on."""
        raise unsupported("Api().run(...).stop")

    def upload_file(self, path: str | os.PathLike[str], root: str | os.PathLike[str] = ".") -> Any:
        """Put a file into the run, under its path below ``root``; return it.

        Raises:
            CommError: The file cannot be read, or the store keeps no files.
        """
        from quark.session.copying import copy_file

        source, name = Path(os.path.abspath(path)), os.path.relpath(path, root)
        name = "/".join("__" if part == os.pardir else part for part in Path(name).parts)
        with reading(self._where, self._record.id) as store:
            folder = store.run_dir(self._record.id)
        try:
            if folder is not None:
                copy_file(source, folder / _FILES / name)
            else:
                _send(self._where, self._record, source, name)
        except OSError as error:
            raise CommError(f"{source} was not put into the run: {error.strerror}.") from error
        return self.file(name)

    def file(self, name: str) -> ApiFile:
        raise NotImplementedError

    def to_html(self, height: int = 420, hidden: bool = False) -> str:
        """Return what the run is as a small table of HTML."""
        from quark.compat.wandb.run_html import run_html

        return run_html(self, height=height, hidden=hidden)

    def _repr_html_(self) -> str:
        return self.to_html()

    def display(self, height: int = 420, hidden: bool = False) -> bool:
        """Show the run in a notebook; False where there is none."""
        from quark.compat.wandb.run_html import display_html

        return display_html(self.to_html(height, hidden))

    def snake_to_camel(self, string: str) -> str:
        """Return a name as W&B's server has it: ``createdAt`` for ``created_at``."""
        first, *rest = string.split("_")
        return first + "".join(word.title() for word in rest)


def _send(where: QuarkSettings, record: RunRecord, source: Path, name: str) -> None:
    """Give a file to a store that keeps no folders."""
    from quark.compat.wandb.sent_files import send
    from quark.session.reading import context_of
    from quark.session.resolve import open_for_writing

    source.open("rb").close()  # who cannot read it is told so
    with open_for_writing(context_of(record, where)) as handle:
        send(handle, [(source, name)])
