"""A sweep in a store, which any number of agents in any number of processes work on.

Nothing about a sweep is in a process: its configuration, its state and its trials are documents of
the store, changed by compare-and-set. So a trial is given away once, and an agent that comes later
goes on where the others stopped.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

from quark import ids
from quark.clock import SYSTEM_CLOCK, Clock, format_timestamp
from quark.errors import DocumentConflictError, RunNotFoundError
from quark.persistence.open import open_store
from quark.session.places import local_root
from quark.settings import Settings
from quark.storage.documents import NEW, Document, DocumentChange, update
from quark.sweeps.config import SweepConfig, parse_config
from quark.sweeps.lease import Lease
from quark.sweeps.proposal import Proposal
from quark.sweeps.recovery import settle_lost_trials
from quark.sweeps.search import exhausted, propose
from quark.sweeps.state import State, check_change
from quark.sweeps.trial import RUN, SWEEP, TRIAL, Trial, trial_of

if TYPE_CHECKING:
    from quark.storage.protocols import Store

_ID_CHARACTERS = 8
_MAX_ATTEMPTS = 1000

#: What :meth:`Sweep.claim` says when there is no trial: ask again later, or never.
Refusal = Literal["wait", "done"]


class Sweep:
    """One sweep. Owns its store, until :meth:`close`; threads may share it."""

    def __init__(self, sweep_id: str, settings: Settings, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.id = sweep_id
        self.settings = settings
        self.root = local_root(settings)
        self._clock = clock
        self._store: Store = open_store(settings)
        self._known: tuple[dict[str, Trial], int] = ({}, 0)  # and up to which revision that is

    # -- making and finding it -----------------------------------------------------------------

    @classmethod
    def create(
        cls,
        config: Mapping[str, Any],
        *,
        project: str,
        settings: Settings | None = None,
        prior_runs: Sequence[str] = (),
        sweep_id: str | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> Self:
        """Put a new sweep into the store.

        Args:
            config: As W&B writes it: ``method``, ``parameters``, ``metric`` and so on.
            project: What the runs of the sweep belong to.
            settings: Where the store is; what the environment says by default.
            prior_runs: Ids of runs from before, which count as trials.
            sweep_id: An id of the caller's; a fresh one by default.

        Raises:
            SchemaValidationError: The configuration is not valid.
            RunNotFoundError: There is no such prior run.
            DocumentConflictError: There is a sweep of this id already.
        """
        from quark.sweeps.prior import prior_trials  # few sweeps have any

        parsed = parse_config(config)
        sweep = cls(
            sweep_id or ids.random_id(_ID_CHARACTERS), settings or Settings.load(), clock=clock
        )
        now = sweep._now()
        try:
            priors = prior_trials(sweep._store, sweep.id, parsed, prior_runs, sweep.settings)
            seed = parsed.seed
            body = {
                "project": project,
                "workspace": sweep.settings.workspace,
                "config": dict(parsed.source),
                "seed": int.from_bytes(os.urandom(4), "little") if seed is None else seed,
                "state": "running",
                "trial_count": len(priors),
                "created_at": now,
                "updated_at": now,
            }
            changes = [DocumentChange(SWEEP, sweep.id, body, NEW)]
            for trial in priors:
                changes += sweep._additions(trial)
            sweep._store.documents.apply(changes)
        except BaseException:
            sweep.close()
            raise
        return sweep

    @classmethod
    def load(
        cls, sweep_id: str, settings: Settings | None = None, *, clock: Clock = SYSTEM_CLOCK
    ) -> Self:
        """Return a sweep that is in the store.

        Raises:
            RunNotFoundError: There is none of this id.
        """
        sweep = cls(sweep_id, settings or Settings.load(), clock=clock)
        try:
            sweep._document()
        except BaseException:
            sweep.close()
            raise
        return sweep

    def close(self) -> None:
        """Let go of the store. A second call does nothing."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- what it is ------------------------------------------------------------------------------

    @cached_property
    def config(self) -> SweepConfig:
        """The configuration, which never changes."""
        return parse_config(self._document().body["config"])

    @property
    def store(self) -> Store:
        """Where the sweep and its runs are."""
        return self._store

    @property
    def project(self) -> str:
        return str(self._document().body["project"])

    @property
    def workspace(self) -> str:
        return str(self._document().body["workspace"])

    @property
    def seed(self) -> int:
        """What every choice follows from; drawn when the sweep was made, if it was not given."""
        return int(self._document().body["seed"])

    @property
    def created_at(self) -> str:
        return str(self._document().body["created_at"])

    @property
    def state(self) -> State:
        """``running``, ``paused``, ``stopped`` and ``canceled`` as asked for, or ``finished``."""
        state: State = self._document().body["state"]
        return state

    def trials(self) -> list[Trial]:
        """Return the trials by their numbers."""
        known, revision = self._known
        found = self._store.documents.list(TRIAL, f"{self.id}/", after=revision)
        if found:
            known = {**known, **{document.name: trial_of(document.body) for document in found}}
            # Threads may overtake each other here; what one forgets is read again.
            self._known = (known, max(document.revision for document in found))
        return [known[name] for name in sorted(known)]

    def trial(self, number: int) -> Trial:
        """Return one trial.

        Raises:
            KeyError: There is none of this number.
        """
        name = Trial(sweep_id=self.id, number=number, run_id="", values={}).document_name
        found = self._store.documents.get(TRIAL, name)
        if found is None:
            raise KeyError(number)
        return trial_of(found.body)

    def best_trial(self) -> Trial | None:
        """Return the trial with the best metric; None if no trial has one."""
        metric = self.config.metric
        known = [trial for trial in self.trials() if trial.metric is not None]
        if metric is None or not known:
            return None
        sign = 1.0 if metric.goal == "minimize" else -1.0
        return min(known, key=lambda trial: sign * (trial.metric or 0.0))

    # -- steering it -------------------------------------------------------------------------------

    def pause(self) -> None:
        """Give no trial away until :meth:`resume`; those that run go on."""
        self._become("paused")

    def resume(self) -> None:
        """Give trials away again."""
        self._become("running")

    def stop(self) -> None:
        """Give no trial away any more; those that run go on to their end."""
        self._become("stopped")

    def cancel(self) -> None:
        """Give no trial away any more, and end those that run. It cannot be taken back."""
        self._become("canceled")
        for trial in self.trials():
            if not trial.ended:
                self.order_stop(trial.number, "the sweep was cancelled")

    def finish(self) -> None:
        """Say that everything has been tried."""
        self._become("finished")

    def order_stop(self, number: int, reason: str) -> None:
        """Have the agent of a running trial end it."""
        self._change_trial(
            number, lambda trial: trial if trial.ended else replace(trial, stop=reason)
        )

    def put_schedule(self, schedule: Sequence[Mapping[str, Any]], *, exhausted: bool) -> None:
        """Say, as a local controller, which values the next trials get, and whether that is all."""
        plain = [dict(values) for values in schedule]
        self._change(lambda body: {**body, "schedule": plain, "exhausted": exhausted})

    def schedule(self) -> list[dict[str, Any]]:
        """Return what a local controller has scheduled and no agent has taken."""
        return list(self._document().body.get("schedule", ()))

    # -- giving trials away ------------------------------------------------------------------------

    def claim(self, lease: Lease) -> Trial | Refusal:
        """Take the next trial for the agent that holds ``lease``.

        Returns:
            The trial; ``"wait"`` if there may be one later; ``"done"`` if there will be none.

        Raises:
            MissingDependencyError: The method needs a package that is not installed.
        """
        for _ in range(_MAX_ATTEMPTS):
            document = self._document()
            state = document.body["state"]
            if state in ("stopped", "canceled"):
                return "done"
            if state == "paused":
                return "wait"
            trials = settle_lost_trials(self, self.trials())
            number = int(document.body["trial_count"]) + 1
            body = {**document.body, "trial_count": number, "updated_at": self._now()}
            if self.config.local_controller:
                proposal = self._scheduled(body)
            else:
                proposal = propose(self.config, self.seed, number, trials)
            if proposal is None and self.config.local_controller and not body.get("exhausted"):
                return "wait"
            if proposal is None or (state == "finished" and self._target_is_reached(trials)):
                self._finish_if_all_ended(trials)
                return "done"
            trial = Trial(
                sweep_id=self.id,
                number=number,
                run_id=ids.random_id(_ID_CHARACTERS),
                values=proposal.values,
                point=proposal.point,
                units=proposal.units,
                agent=lease.agent_id,
                host=os.uname().nodename,
                pid=os.getpid(),
                started_at=self._now(),
            )
            body["state"] = "running"
            change = DocumentChange(SWEEP, self.id, body, document.revision)
            try:
                self._store.documents.apply([change, *self._additions(trial)])
            except DocumentConflictError:
                continue
            return trial
        raise DocumentConflictError(
            f"Sweep {self.id!r} was changed by others {_MAX_ATTEMPTS} times while a trial was "
            "to be taken. Try again with fewer agents."
        )

    def settle(self, number: int, state: str, **fields: Any) -> Trial:
        """Say how a running trial ended; one that has ended stays as it is."""
        ended_at = self._now()

        def end(trial: Trial) -> Trial:
            if trial.ended:
                return trial
            return replace(trial, state=state, ended_at=ended_at, **fields)

        trial = self._change_trial(number, end)
        trials = self.trials()
        if self._target_is_reached(trials):
            self._finish_unless_told()
        else:
            self._finish_if_exhausted(trials)
        return trial

    def note_progress(self, number: int, metric: float | None, marks: tuple[float, ...]) -> Trial:
        """Keep how far a running trial has come."""
        return self._change_trial(
            number,
            lambda trial: trial if trial.ended else replace(trial, metric=metric, brackets=marks),
        )

    # -- inside ------------------------------------------------------------------------------------

    def _scheduled(self, body: dict[str, Any]) -> Proposal | None:
        """Take the first of what a local controller has scheduled off ``body``."""
        waiting = list(body.get("schedule", ()))
        if not waiting:
            return None
        body["schedule"] = waiting[1:]
        return Proposal(
            values=waiting[0]["values"],
            point=waiting[0].get("point"),
            units=waiting[0].get("units", {}),
        )

    def _finish_if_exhausted(self, trials: Sequence[Trial]) -> None:
        ended = all(trial.ended for trial in trials)
        if ended and not self.config.local_controller and exhausted(self.config, trials):
            self._finish_unless_told()

    def _finish_if_all_ended(self, trials: Sequence[Trial]) -> None:
        if all(trial.ended for trial in trials):
            self._finish_unless_told()

    def _finish_unless_told(self) -> None:
        """Finish the sweep, if nobody has paused or ended it, even a moment ago."""

        def change(body: dict[str, Any]) -> dict[str, Any]:
            if body["state"] != "running":
                return body
            return {**body, "state": "finished", "updated_at": self._now()}

        if self.state == "running":
            self._change(change)

    def _target_is_reached(self, trials: Sequence[Trial]) -> bool:
        metric = self.config.metric
        return metric is not None and any(metric.reached(trial.metric) for trial in trials)

    def _additions(self, trial: Trial) -> list[DocumentChange]:
        whose = {"sweep_id": self.id, "number": trial.number}
        return [
            DocumentChange(TRIAL, trial.document_name, trial.to_body(), NEW),
            DocumentChange(RUN, trial.run_id, whose),
        ]

    def _become(self, state: State) -> None:
        def change(body: dict[str, Any]) -> dict[str, Any]:
            check_change(self.id, body["state"], state)
            return {**body, "state": state, "updated_at": self._now()}

        self._change(change)

    def _change(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        update(self._store.documents, SWEEP, self.id, lambda body: change(self._there(body)))

    def _change_trial(self, number: int, change: Callable[[Trial], Trial]) -> Trial:
        name = self.trial(number).document_name

        def changed(body: dict[str, Any] | None) -> dict[str, Any]:
            return change(trial_of(self._there(body))).to_body()

        document = update(self._store.documents, TRIAL, name, changed)
        assert document is not None
        return trial_of(document.body)

    def _document(self) -> Document:
        found = self._store.documents.get(SWEEP, self.id)
        self._there(None if found is None else found.body)
        assert found is not None
        return found

    def _there(self, body: dict[str, Any] | None) -> dict[str, Any]:
        if body is None:
            raise RunNotFoundError(
                f"There is no sweep {self.id!r} in {self._store.target}. Check the id, and that "
                "QUARK_STORAGE_DIR or the working folder is that of the process that made it."
            )
        return body

    def _now(self) -> str:
        return format_timestamp(self._clock.time_us())
