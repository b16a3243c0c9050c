"""A process that does one analysis or comparison and ends; started with ``python -m``.

It is told by one JSON object on its standard input, and answers with one. Whatever goes wrong in
it, the service goes on: it may hang, be killed, or ask for more memory than it is allowed.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from quark import jsonio
from quark._own_memory import EXIT_NO_MEMORY, limit_memory
from quark.errors import QuarkError, SessionStoreError

NICENESS = 10


def answer(told: dict[str, Any]) -> dict[str, Any]:
    """Do what is told; return the result, or the error that stopped it."""
    from quark.service.config import ServiceConfig
    from quark.service.stores import StoreKey, Stores

    stores = Stores(ServiceConfig(root=Path(told["root"]), **told["engines"]))
    try:
        store = stores.get(StoreKey(*told["place"]))
        return {"result": _do(store, told["task"])}
    except QuarkError as error:
        return {"error": {"type": type(error).__name__, "message": str(error)}}
    finally:
        stores.close()


def _do(store: Any, task: dict[str, Any]) -> dict[str, Any]:
    from quark.service.analysis import compare_runs, judge_run
    from quark.service.analysis_jobs import LOCKS

    if task["kind"] == "comparison":
        return compare_runs(
            store,
            task["primary"],
            task["reference"],
            baseline=task["baseline"],
            targets=[tuple(target) for target in task["targets"]],
        )
    run_id, job_id = task["run_id"], task["job_id"]

    def check_mine() -> None:
        lock = store.documents.get(LOCKS, run_id)
        if lock is None or lock.body["job_id"] != job_id:
            raise SessionStoreError("Another analysis of the run was begun meanwhile.")

    return judge_run(store, run_id, job_id, task["families"], check_mine)


def main() -> None:
    """Be the process."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the service says when to end
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICENESS)
    told = jsonio.loads(sys.stdin.buffer.read())
    import quark.service.analysis  # noqa: F401  # its libraries reserve memory that they do not use

    limit_memory(told["memory_bytes"])
    try:
        answered = answer(told)
    except MemoryError:
        os._exit(EXIT_NO_MEMORY)
    sys.stdout.buffer.write(jsonio.dumps(answered))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
