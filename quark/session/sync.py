"""Delivering what is not where it belongs: journals of any machine, and whole local runs.

Nothing is delivered twice and nothing is removed before it is stored, so :func:`sync` may be ended
at any moment and called again, by several processes at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from quark import ui
from quark.errors import RunNotFoundError, SessionStoreError
from quark.persistence.open import open_store, with_own_workspace
from quark.session.sync_result import Progress, SyncResult
from quark.settings import Settings
from quark.storage.layout import STORE_FOLDER

if TYPE_CHECKING:
    from quark.storage.protocols import Store


def sync(
    path: str | Path = ".",
    *,
    runs: Iterable[str] | Literal["all"] | None = None,
    url: str | None = None,
    user_key: str | None = None,
    workspace: str | None = None,
    quarantined: bool = False,
    progress: Progress | None = None,
) -> SyncResult:
    """Deliver the journals below a folder, or whole runs of the embedded store in it.

    A journal says which store it was logged for, and goes there: into the embedded store that it
    lies in, or to the service of ``QUARK_PERSISTENCE_URL``. With ``url`` all of them go there,
    except those whose run is in an embedded store already. So do versions of artifacts that were
    logged while a service was away, or in the mode ``offline``.

    Args:
        path: A folder; what is below it is looked through. With ``runs`` a storage directory.
        runs: Runs of the embedded store at ``path`` that are to be in the other store too, or
            ``"all"``: with everything that was logged to them, the files of their folders, the
            versions of artifacts that they logged or used, with their aliases, and the sweeps that
            they belong to. Called again, it brings the other store up to date; an alias that leads
            to something there already stays as it is.
        url: Where to; ``QUARK_PERSISTENCE_URL`` if None.
        user_key: The key for it; ``QUARK_USER_KEY`` if None.
        workspace: Whose runs they become there; ``QUARK_WORKSPACE`` or the key's own if None.
        quarantined: Also try what a store refused before. Of no use with ``runs``.
        progress: Called after each delivery.

    Raises:
        SessionStoreError: The store does not answer or refuses the key. What was delivered until
            then is; call again for the rest.
        RunNotFoundError: One of ``runs`` is not in the embedded store.

    >>> import tempfile, quark
    >>> from quark.settings import Settings
    >>> from quark.session import RunRequest
    >>> folder = tempfile.mkdtemp()
    >>> offline = Settings.load(mode="offline", storage_dir=folder, quiet=True)
    >>> session = quark.TrainingSession.open(RunRequest(project="demo", settings=offline))
    >>> _ = session.log_row({"loss": 0.5}, 0)
    >>> _ = session.end_run()
    >>> result = quark.sync(folder)
    >>> result.sent_count, result.run_ids == (session.run_id,), result.waiting
    (5, True, ())
    """
    from quark.session.sync_journals import sync_journals  # numpy, as are all deliveries
    from quark.session.sync_runs import sync_runs

    settings = Settings.load(
        persistence_url=url, user_key=user_key, workspace=workspace, mode="online"
    )
    tell = progress or (lambda state: None)
    folder = Path(path).expanduser().absolute()
    if not folder.exists():
        raise SessionStoreError(f"There is nothing to deliver: {folder} does not exist.")
    if runs is None:
        result = sync_journals(
            folder, settings, chosen=url is not None, quarantined=quarantined, progress=tell
        )
    else:
        source = _embedded(folder)
        try:
            target = _open_target(settings, source)
            try:
                names = source.records.list_runs() if runs == "all" else ()
                wanted = [run.id for run in names] if runs == "all" else _ids(source, runs)
                result = sync_runs(source, target, wanted, progress=tell)
            finally:
                target.close()
        finally:
            source.close()
    ui.say(result.told())
    for reason in result.waiting:
        ui.say(f"still waiting: {reason}", tone="warning")
    return result


def _embedded(folder: Path) -> Store:
    place = folder.parent if folder.name == STORE_FOLDER else folder
    settings = Settings(storage_dir=os.fspath(place), quiet=True)
    return open_store(settings)


def _open_target(settings: Settings, source: Store) -> Store:
    target = open_store(with_own_workspace(settings))
    if target.target == source.target:
        target.close()
        raise SessionStoreError(
            f"The runs are in {source.target} already. Say where they are to go: url= or "
            "QUARK_PERSISTENCE_URL, with user_key= or QUARK_USER_KEY."
        )
    return target


def _ids(source: Store, runs: Iterable[str]) -> list[str]:
    wanted = [runs] if isinstance(runs, str) else list(runs)
    for run_id in wanted:
        try:
            source.records.get_run(run_id)
        except RunNotFoundError as error:
            raise RunNotFoundError(
                f"There is no run {run_id!r} in {source.target}; nothing was delivered. "
                "path= must be the storage directory that the runs were logged with."
            ) from error
    return wanted
