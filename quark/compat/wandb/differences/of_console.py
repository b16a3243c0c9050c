"""What is printed, and how processes end: what differs from W&B 0.31, and why."""

from __future__ import annotations

from quark.compat.wandb.differences.difference import Difference

CONSOLE: tuple[Difference, ...] = (
    Difference(
        "colours and other control sequences that are printed",
        "In `output.log` as they are, but for carriage returns.",
        "Left out or carried out, as a terminal would: the line is what was to be seen. A display "
        "of several lines that repaints itself is kept once.",
        "They are not text, and a bar that was cleared is no line.",
        (
            "console / rewritten: kept",
            "console / progress_bars: kept",
            "console / colours: kept",
        ),
    ),
    Difference(
        "secrets that are printed",
        "Kept.",
        "Kept as `[redacted]`. A line is cut after 8,192 characters.",
        "What was printed by mistake shall not rest on a disk.",
        ("console / secrets: kept",),
    ),
    Difference(
        "`write_logs` with `console='off'`",
        "Not in `output.log`.",
        "There too.",
        "There is no other place where it could be read.",
        ("console / not_followed: kept",),
    ),
    Difference(
        "`console='redirect'`, `'wrap_raw'` and `'wrap_emu'`",
        "Three ways to follow the terminal; `redirect` hears writes to the file descriptor too.",
        "The same as `wrap`: what goes through `sys.stdout` and `sys.stderr` is kept, also by "
        "handlers made before `init`; what C code, child processes and `sys.stdout.buffer` write "
        "is not.",
        "Redirecting a descriptor costs a thread, and output when the process dies.",
    ),
    Difference(
        "a process that is ended by SIGTERM",
        "The latest rows are lost and there is no exit code.",
        "Every row is kept; the run is `interrupted` for the reason SIGTERM, with exit code 143, "
        "and `crashed` in the Api. The process dies as before, and handlers of the script's own "
        "count for more.",
        "Clusters end jobs so.",
        (
            "endings / terminated: history",
            "endings / terminated: summary",
            "endings / terminated: exit code of the run",
        ),
    ),
    Difference(
        "`os._exit` with a run open",
        "The latest rows are lost.",
        "Every row is kept; the run is `crashed` in the Api, as in W&B.",
        "The journal outlives the process.",
        ("endings / os_exit: history", "endings / os_exit: summary"),
    ),
    Difference(
        "`sys.exit(n)` in another thread",
        "Its code becomes the run's.",
        "The run ends with the code of the process.",
        "It ends that thread alone.",
        ("endings / exit_in_a_thread: exit code of the run",),
    ),
)
