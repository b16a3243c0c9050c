"""``fork_from`` and ``resume_from``: a new run out of another one's past, and a run wound back."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from quark.compat.wandb.errors import InvalidSettingError
from quark.compat.wandb.reading import reading
from quark.errors import RunNotFoundError
from quark.pipeline.recovery import find_journals
from quark.records import RunRecord, RunStatus
from quark.session.places import is_remote, local_root
from quark.storage.model import RunQuery

if TYPE_CHECKING:
    from quark.settings import Settings as QuarkSettings


class RunMoment(NamedTuple):
    """A run as it was after a step; in text ``<run id>?_step=<number>``."""

    run: str
    value: float
    metric: str = "_step"

    @property
    def last_step(self) -> int:
        """The last step whose row belongs to it."""
        return math.floor(self.value)

    @classmethod
    def from_uri(cls, uri: str) -> RunMoment:
        """Read the text form.

        Raises:
            InvalidSettingError: It is not ``<run id>?_step=<number>``.

        >>> RunMoment.from_uri("k3x9q0ab?_step=200")
        RunMoment(run='k3x9q0ab', value=200, metric='_step')
        """
        from urllib.parse import parse_qs, urlsplit  # who neither forks nor rewinds does without

        try:
            parts = urlsplit(f"run://{uri}")
            ((metric, (text, *_)),) = parse_qs(parts.query).items()
            value = int(text) if text.isdigit() else float(text)
        except ValueError as error:
            raise _malformed(uri) from error
        fits = metric == "_step" and math.isfinite(value)
        if not parts.netloc or parts.path or parts.fragment or not fits:
            raise _malformed(uri)
        return cls(parts.netloc, value)


def _malformed(uri: Any) -> InvalidSettingError:
    return InvalidSettingError(
        f"{uri!r} is no moment of a run: give '<run id>?_step=<number>', such as "
        "'k3x9q0ab?_step=200'. No other metric than _step is understood."
    )


def parse_moment(value: Any) -> RunMoment:
    """Return what ``fork_from`` or ``resume_from`` was given as.

    Raises:
        InvalidSettingError: It is no moment of a run.
    """
    if isinstance(value, RunMoment):
        return value
    if not isinstance(value, str):
        raise _malformed(value)
    return RunMoment.from_uri(value)


def last_unfinished(where: QuarkSettings, project: str) -> str | None:
    """Return the id of the project's newest run, if it did not end well and is not still open."""
    newest = max(_known(where, project), key=lambda run: run.created_at, default=None)
    if newest is None or newest.status == RunStatus.COMPLETED:
        return None
    with reading(where, newest.id) as store:  # says whether a process was lost
        status = store.records.get_run(newest.id).status
    return newest.id if status != RunStatus.RUNNING else None


def _known(where: QuarkSettings, project: str) -> Iterator[RunRecord]:
    """Yield the newest run of the store, and all that are not in it because nothing is delivered.

    An earlier state of a run that was wound back is no run to go on with.
    """
    from quark.session.branching import is_archived

    if not is_remote(where):
        own = None
    elif where.mode == "offline":
        own = set()
    else:  # of a team's runs those that were written here, as W&B remembers a run in its folder
        own = {folder.name for folder in (local_root(where) / "runs").glob("*")}
    if own is None or own:
        with reading(where) as store:
            listed = store.records.list_runs(RunQuery(project=project))
        known = (run for run in listed if own is None or run.id in own)
        yield from itertools.islice((run for run in known if not is_archived(run)), 1)
    if where.mode == "offline":
        for journal in find_journals(local_root(where)):
            with reading(where, journal.parent.name) as store, suppress(RunNotFoundError):
                run = store.records.get_run(journal.parent.name)
                if run.project_name == project:
                    yield run
