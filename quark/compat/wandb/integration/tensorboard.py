"""``wandb.tensorboard``: what a SummaryWriter writes goes into the run too.

``wandb.init(sync_tensorboard=True)`` does the same for one run.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from quark.compat.wandb import current, term
from quark.compat.wandb.integration.event_rows import FOLLOWING, follow
from quark.compat.wandb.integration.event_writers import CLASS, MODULES, EventWriters
from quark.compat.wandb.integration.patched import PATCHED
from quark.compat.wandb.integration.requirement import MissingLibraryError

if TYPE_CHECKING:
    from quark.compat.wandb.run import Run

__all__ = ["log_folder", "patch", "reset_state", "tf_summary_to_dict", "unpatch"]

_writers: EventWriters | None = None


def patch(
    save: bool = True,
    tensorboard_x: bool | None = None,
    pytorch: bool | None = None,
    root_logdir: str = "",
) -> None:
    """Follow every SummaryWriter of torch, tensorboardX and tensorboard from now on.

    Args:
        save: Whether the event files are copied into the run's folder when it ends.
        tensorboard_x: Accepted; all kinds of writers are followed.
        pytorch: As ``tensorboard_x``.
        root_logdir: The folder above those of all writers. What lies between it and a writer's
            folder is put before the writer's tags.

    Raises:
        ValueError: It was called before, and :func:`unpatch` was not.
    """
    if _writers is not None:
        raise ValueError(
            "SummaryWriters are followed already: wandb.tensorboard.patch() was called before, or "
            "wandb.init(sync_tensorboard=True). Call wandb.tensorboard.unpatch() first."
        )
    _start(EventWriters(root=root_logdir, save=save))


def unpatch() -> None:
    """Follow SummaryWriters no longer. What they have written so far stays in the run."""
    global _writers
    writers, _writers = _writers, None
    if writers is None:
        return
    writers.unpatch()
    PATCHED["tensorboard"].clear()
    run = writers.target()
    if run is not None and run in FOLLOWING:
        _keep_files(writers, run)
        FOLLOWING[run].close_all(run)


def start(run: Run) -> None:
    """Follow every SummaryWriter for ``run``, unless :func:`patch` does so already."""
    if run.disabled:
        return
    follow(run)
    if _writers is None:
        _start(EventWriters(run=run))


def end(run: Run) -> None:
    """Close the rows of writers in ``run``; listen no longer, unless :func:`patch` was called."""
    if _writers is not None and _writers.target() is run:
        if _writers.only_for_one_run:
            unpatch()
        else:
            _keep_files(_writers, run)
    rows = FOLLOWING.pop(run, None)
    if rows is not None:
        rows.close_all(run)


def log_folder(run: Run, root_logdir: str | os.PathLike[str]) -> None:
    """Log what the event files in a folder and below it hold, and keep the files with the run.

    Raises:
        MissingLibraryError: tensorboard, which reads them, is not installed.
    """
    if run.disabled:
        return
    rows = follow(run)
    files = EventWriters(root=os.fspath(root_logdir), run=run)
    files.read_all(run, os.fspath(root_logdir))
    rows.close_all(run)
    files.keep_files(run, read=False)


def reset_state() -> None:
    """Accept what W&B calls at the end of a run; every run counts for itself here."""


def tf_summary_to_dict(tf_summary_str_or_pb: Any, namespace: str = "") -> dict[str, Any] | None:
    """Return what an event, a ``Summary``, its bytes, or several of them hold, by tag.

    None if there is nothing in it. An event has ``global_step`` and ``_timestamp`` too.
    """
    from quark.compat.wandb.integration.event_values import event_values, merged, summary_values

    given = tf_summary_str_or_pb
    values: dict[str, Any] = {}
    if hasattr(given, "summary"):
        values = event_values(given)
        if values:
            values = merged(values, namespace) | {
                "/".join(part for part in (namespace, "global_step") if part): given.step,
                "_timestamp": given.wall_time,
            }
        return values or None
    parts: Iterable[Any] = given if isinstance(given, (list, tuple)) else [given]
    for part in parts:
        values.update(summary_values(_parsed(part)))
    return merged(values, namespace) or None


def _log(
    tf_summary_str_or_pb: Any,
    history: Any = None,
    step: int = 0,
    namespace: str = "",
    **_: Any,
) -> None:
    """Log a summary, its bytes, or an event, in the row that ``namespace`` has for ``step``."""
    run = current.bound_run()
    values = tf_summary_to_dict(tf_summary_str_or_pb, namespace)
    if run is not None and values is not None and not run.disabled:
        follow(run).add(run, f"namespace {namespace}", int(step), values)


def _keep_files(writers: EventWriters, run: Run) -> None:
    try:
        writers.keep_files(run)
    except (OSError, MissingLibraryError) as error:
        term.termwarn(f"an event file of a SummaryWriter was not kept: {error}")


def _start(writers: EventWriters) -> None:
    global _writers
    _writers = writers
    writers.patch()
    PATCHED["tensorboard"] += [[module, CLASS] for module in MODULES]


def _parsed(summary: Any) -> Any:
    if not isinstance(summary, (str, bytes, bytearray)):
        return summary
    from quark.compat.wandb.for_integrations import get_module

    places = ("tensorboard.compat.proto.summary_pb2", "tensorboardX.proto.summary_pb2")
    found = next(filter(None, (get_module(place) for place in places)), None)
    if found is None:
        get_module(places[0], required="tensorboard is needed: pip install tensorboard")
    assert found is not None
    message = found.Summary()
    message.ParseFromString(bytes(summary, "latin-1") if isinstance(summary, str) else summary)
    return message
