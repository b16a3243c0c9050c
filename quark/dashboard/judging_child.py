"""A process that judges one run of an embedded store and ends; started with ``python -m``.

It is told by one JSON object on its standard input, and answers with one. What it finds is stored
in one transaction, so it may be killed at any moment.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any
from urllib.parse import quote

from quark import jsonio
from quark._own_memory import limit_memory
from quark.errors import QuarkError

NICENESS = 10


def answer(told: dict[str, Any]) -> dict[str, Any]:
    """Judge the run; return the outcome in short, or the error that stopped it."""
    from quark.analyzers.one_batch import judge_run
    from quark.persistence.open import open_store
    from quark.settings import Settings

    url = f"file:{quote(told['storage_dir'])}"
    store = open_store(Settings.load(persistence_url=url, mode="online"))
    try:
        families = ("alerts", "phases")
        return {"result": judge_run(store, told["run_id"], told["job_id"], families, lambda: None)}
    except QuarkError as error:
        return {"error": {"type": type(error).__name__, "message": str(error)}}
    finally:
        store.close()


def main() -> None:
    """Be the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the dashboard says when to end
    os.nice(NICENESS)
    told = jsonio.loads(sys.stdin.buffer.read())
    # Its libraries reserve memory that they do not use.
    import quark.analyzers.one_batch  # noqa: F401

    limit_memory(told["memory_bytes"])
    sys.stdout.buffer.write(jsonio.dumps(answer(told)))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
