"""``wandb.watch``: histograms of gradients and parameters as W&B has them, and Quark's summaries.

Passes are counted by a hook on one parameter, which is called once a backward pass, and by one on
the watched module's forward pass; both are left out when the model is pickled or copied. In a pass
that is due, everything is taken at its end with a few operations, copied without waiting, and made
into histograms in the background.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from quark.compat.wandb.term import termwarn
from quark.session import TrainingSession

if TYPE_CHECKING:
    from torch import nn

    from quark.compat.wandb.run import Run
    from quark.compat.wandb.watched_graph import WatchedGraph
    from quark.compat.wandb.watched_model import WatchedModel
    from quark.hooks.loop import TrainingLoopFollower

    Follower = WatchedModel | WatchedGraph | TrainingLoopFollower

WHAT = ("gradients", "parameters", "all")


class Watching:
    """The models that one run watches."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._watched: dict[int, list[Follower]] = {}
        self._count = 0

    def watch(
        self,
        models: Any,
        criterion: Any = None,
        log: str | None = "gradients",
        log_freq: int = 1000,
        idx: int | None = None,
        log_graph: bool = False,
    ) -> None:
        """Follow models; see :meth:`quark.compat.wandb.run.Run.watch`."""
        if log is not None and log not in WHAT:
            raise ValueError(
                f"log is {log!r}, but must be 'gradients', 'parameters', 'all' or None."
            )
        if isinstance(log_freq, bool) or not isinstance(log_freq, int) or log_freq < 0:
            raise ValueError(f"log_freq is {log_freq!r}, but must be an integer of 0 or more.")
        if idx is not None and (isinstance(idx, bool) or not isinstance(idx, int)):
            raise TypeError(f"idx is {idx!r} of type {type(idx).__name__}, but must be an integer.")
        listed = _listed(models)
        session = self._run._session
        if isinstance(session, TrainingSession):
            for place, model in enumerate(listed):
                number = place + (self._count if idx is None else idx)
                if id(model) not in self._watched:
                    followers: list[Follower] = []
                    self._watched[id(model)] = followers
                    if log_graph:
                        from quark.compat.wandb.watched_graph import WatchedGraph

                        followers.append(WatchedGraph(self._run, session, model, f"graph_{number}"))
                    if log is not None:
                        followers.append(self._follow(session, model, number, log, log_freq))
                        followers.append(self._follow_loop(session, model, number, criterion))
        self._count += len(listed)

    def _follow(
        self, session: TrainingSession, model: nn.Module, number: int, log: str, log_freq: int
    ) -> WatchedModel:
        from quark.compat.wandb.watched_model import WatchedModel  # torch

        return WatchedModel(
            self._run,
            session,
            model,
            prefix=f"graph_{number}" if number else "",
            gradients=log in ("gradients", "all"),
            parameters=log in ("parameters", "all"),
            every=max(1, log_freq),
        )

    def _follow_loop(
        self, session: TrainingSession, model: nn.Module, number: int, criterion: Any
    ) -> TrainingLoopFollower:
        from quark.hooks.loop import TrainingLoopFollower  # torch

        name = type(model).__name__
        return TrainingLoopFollower(
            session.handle,
            model,
            current_step=lambda: self._run.step,
            model_name=f"{name}-{number}" if number else name,
            criterion=criterion,
        )

    def unwatch(self, models: Any = None) -> None:
        """Let go of models, or of all of them."""
        if models is None:
            for followers in self._watched.values():
                _close(followers)
            self._watched.clear()
            return
        for model in models if isinstance(models, (tuple, list)) else (models,):
            found = self._watched.pop(id(model), None)
            if found is None:
                termwarn(f"{model} is not being watched")
            else:
                _close(found)

    def close(self) -> None:
        """Let go of everything; what was taken is on its way."""
        self.unwatch()


def _close(followers: list[Follower]) -> None:
    for follower in followers:
        follower.close()


def _listed(models: Any) -> list[nn.Module]:
    """Return the models as a list.

    Raises:
        TypeError: One of them is no ``torch.nn.Module``.
    """
    import sys

    torch = sys.modules.get("torch")  # nobody has a module of torch who has not imported it
    listed: Iterable[Any] = models if isinstance(models, (tuple, list)) else (models,)
    for model in listed:
        if torch is None or not isinstance(model, torch.nn.Module):
            raise TypeError(
                f"watch() takes a torch.nn.Module, or a list of them, not {type(model).__name__}."
            )
    return list(listed)
