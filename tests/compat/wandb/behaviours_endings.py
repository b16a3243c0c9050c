"""How a run ends with its process. Each behaviour is a script in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

from tests.compat.wandb.driver import kept


def ended(wandb: Any, see: Any, body: str) -> None:
    """Run a script and look at its exit code and at what is kept of its run."""
    package = wandb.__name__
    script = (
        f"import os, sys\nimport {package} as wandb\n"
        "run = wandb.init(project='p', id='ending')\n"
        "wandb.log({'a': 1})\n"
    ) + textwrap.dedent(body)
    folder = Path("ending")
    count = len(list(Path().glob("ending*")))
    folder = Path(f"ending-{count}")
    folder.mkdir()
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    see("exit code of the process", lambda: result.returncode)
    see("a hook of its own", lambda: "mine" in result.stderr.splitlines())
    before = Path.cwd()
    os.chdir(folder)
    try:
        found = kept(package, "ending")
    finally:
        os.chdir(before)
    see("history", lambda: found["history"])
    see("summary", lambda: found["summary"])
    see("exit code of the run", lambda: found["exit code"])


def behaviour_end_of_script(wandb: Any, see: Any) -> None:
    ended(wandb, see, "wandb.log({'a': 2}, step=5)\n")


def behaviour_uncaught(wandb: Any, see: Any) -> None:
    ended(wandb, see, "raise RuntimeError('broken')\n")


def behaviour_sys_exit(wandb: Any, see: Any) -> None:
    ended(wandb, see, "sys.exit(3)\n")


def behaviour_sys_exit_clean(wandb: Any, see: Any) -> None:
    ended(wandb, see, "sys.exit()\n")


def behaviour_sys_exit_text(wandb: Any, see: Any) -> None:
    ended(wandb, see, "sys.exit('no data')\n")


def behaviour_interrupt(wandb: Any, see: Any) -> None:
    ended(wandb, see, "raise KeyboardInterrupt\n")


def behaviour_ctrl_c(wandb: Any, see: Any) -> None:
    ended(wandb, see, "import signal\nos.kill(os.getpid(), signal.SIGINT)\n")


def behaviour_terminated(wandb: Any, see: Any) -> None:
    ended(wandb, see, "import signal\nos.kill(os.getpid(), signal.SIGTERM)\n")


def behaviour_os_exit(wandb: Any, see: Any) -> None:
    ended(wandb, see, "os._exit(7)\n")


def behaviour_own_signal_handlers(wandb: Any, see: Any) -> None:
    body = """
    import signal
    def own(number, frame):
        print('mine', file=sys.stderr, flush=True)
        if number == signal.SIGTERM:
            sys.exit(5)
    signal.signal(signal.SIGTERM, own)
    signal.signal(signal.SIGINT, own)
    os.kill(os.getpid(), signal.SIGINT)
    wandb.log({'a': 2})
    os.kill(os.getpid(), signal.SIGTERM)
    """
    ended(wandb, see, body)


def behaviour_exit_in_a_thread(wandb: Any, see: Any) -> None:
    body = """
    import threading
    thread = threading.Thread(target=sys.exit, args=(3,))
    thread.start()
    thread.join()
    """
    ended(wandb, see, body)


def behaviour_exception_in_with(wandb: Any, see: Any) -> None:
    ended(wandb, see, "with run:\n    raise ValueError('broken')\n")


def behaviour_exit_in_with(wandb: Any, see: Any) -> None:
    ended(wandb, see, "with run:\n    sys.exit(4)\n")


def behaviour_forked_child(wandb: Any, see: Any) -> None:
    body = """
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    wandb.log({'a': 2})
    """
    ended(wandb, see, body)


def behaviour_own_excepthook(wandb: Any, see: Any) -> None:
    body = """
    sys.excepthook = lambda *about: print('mine', file=sys.stderr)
    raise RuntimeError('broken')
    """
    ended(wandb, see, body)


def behaviour_nothing_logged(wandb: Any, see: Any) -> None:
    ended(wandb, see, "wandb.finish()\nwandb.init(project='p', id='other').finish()\n")
