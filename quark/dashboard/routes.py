"""Every view of the dashboard, with its address below ``/ui/api``. A new view is a line here."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

from quark.dashboard.asked import Asked
from quark.dashboard.place import Place


class View(NamedTuple):
    """An address and what answers it.

    ``home`` is ``"module:function"`` below ``quark.dashboard.views``: it is imported when it is
    asked for the first time, so that the first page does not wait for all of them; or the function
    itself. It returns what orjson can say, numpy and NaN (which becomes ``null``) excepted, or a
    response of its own. ``writes``: only for who may change runs. ``is_heavy``: it may work for
    seconds, and then is better answered in a process of its own; its answer is no response then,
    and it asks of the place nothing but the store.
    """

    method: str
    path: str
    home: str | Callable[[Place, Asked], Any]
    writes: bool = False
    is_heavy: bool = False

    @property
    def answer(self) -> Callable[[Place, Asked], Any]:
        """What answers it."""
        if not isinstance(self.home, str):
            return self.home
        module, _, name = self.home.partition(":")
        answer: Callable[[Place, Asked], Any] = getattr(
            importlib.import_module(f"quark.dashboard.views.{module}"), name
        )
        return answer


VIEWS: tuple[View, ...] = (
    View("GET", "/me", "me:me"),
    View("GET", "/projects", "runs:projects"),
    View("GET", "/runs", "runs:table"),
    View("GET", "/runs.csv", "runs:csv_file"),
    View("GET", "/run-columns", "runs:columns"),
    View("GET", "/run-ids", "runs:run_ids"),
    View("GET", "/run-details", "runs:details"),
    View("GET", "/runs/{run_id}", "run:overview"),
    View("GET", "/runs/{run_id}/pulse", "run:pulse"),
    View("GET", "/runs/{run_id}/keys", "run:keys"),
    View("POST", "/runs/actions", "actions:act_on_many", writes=True),
    View("GET", "/runs/{run_id}/actions", "actions:possible"),
    View("POST", "/runs/{run_id}/actions", "actions:act", writes=True),
    View("GET", "/runs/{run_id}/marks", "marks:marks"),
    View("GET", "/runs/{run_id}/about", "about:about"),
    View("GET", "/runs/{run_id}/value", "about:value"),
    View("GET", "/runs/{run_id}/system", "system:system"),
    View("GET", "/runs/{run_id}/logs", "logs:logs"),
    View("GET", "/runs/{run_id}/events", "events:events"),
    View("GET", "/runs/{run_id}/event", "events:event"),
    View("GET", "/runs/{run_id}/diagnosis", "diagnosis:diagnosis"),
    View("GET", "/runs/{run_id}/evidence", "evidence:evidence", is_heavy=True),
    View("GET", "/runs/{run_id}/accounts", "accounts:accounts"),
    View("POST", "/runs/{run_id}/judge", "diagnosis:judge", writes=True),
    View("GET", "/runs/{run_id}/layers", "layers:layers", is_heavy=True),
    View("GET", "/runs/{run_id}/layer", "layers:layer", is_heavy=True),
    View("GET", "/runs/{run_id}/distribution", "layers:distribution", is_heavy=True),
    View("GET", "/runs/{run_id}/model", "model:model"),
    View("GET", "/charts", "charts:charts"),
    View("GET", "/compare", "compare:compare"),
    View("GET", "/compare/differences", "compare_diff:differences", is_heavy=True),
    View("GET", "/runs/{run_id}/media", "media:media"),
    View("GET", "/runs/{run_id}/media/value", "media:value"),
    View("GET", "/runs/{run_id}/media/table", "media_tables:table", is_heavy=True),
    View("GET", "/runs/{run_id}/media/plot", "plots:plot", is_heavy=True),
    View("GET", "/runs/{run_id}/media/spread", "media_spread:spread"),
    View("GET", "/runs/{run_id}/media/file", "media:file"),
    View("GET", "/runs/{run_id}/artifacts", "artifacts:of_run"),
    View("GET", "/artifacts", "artifacts:artifacts"),
    View("GET", "/artifacts/collection", "artifacts:collection"),
    View("GET", "/artifacts/version", "artifacts:version"),
    View("GET", "/artifacts/lineage", "artifact_lineage:lineage"),
    View("GET", "/artifacts/files", "artifact_files:files"),
    View("GET", "/artifacts/changes", "artifact_files:changes"),
    View("GET", "/artifacts/preview", "artifact_shown:preview"),
    View("GET", "/artifacts/table", "artifact_shown:table", is_heavy=True),
    View("GET", "/artifacts/file", "artifact_files:file"),
)
